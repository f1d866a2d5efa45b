"""Agreement of a student with its teacher, against scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from lab.quality.agreement import agreement
from training.errors import DataError

TAGS = 8
CLASSES = tuple(
    f"{family}---{number}" for family in ("MagnaTagATune", "MillionSong") for number in range(TAGS)
)
OPTIONS = {"draws": 40, "seed": 0}


def _data(tracks: int = 60):
    random = np.random.default_rng(0)
    common = random.random(2 * TAGS)  # some tags are strong everywhere
    teacher = np.round(common * random.random((tracks, 2 * TAGS)), 2)
    student = np.clip(teacher + random.normal(0, 0.1, teacher.shape), 0, 1)
    groups = np.array([f"artist {number // 3}" for number in range(tracks)])
    return student, teacher, groups, teacher.mean(0)


def test_numbers_are_those_of_scipy_and_scikit_learn():
    student, teacher, groups, mean = _data()
    found = agreement(student, teacher, CLASSES, groups, mean, **OPTIONS)
    assert list(found) == ["MagnaTagATune", "MillionSong"]
    first = found["MagnaTagATune"]
    assert (first.tags, first.tracks, first.groups) == (TAGS, 60, 20)
    one, other = student[:, :TAGS], teacher[:, :TAGS]
    pairs = list(zip(one.T, other.T, strict=True))
    expected = np.median([stats.pearsonr(*pair)[0] for pair in pairs])
    assert first.pearson.value == pytest.approx(expected)
    expected = np.median([stats.spearmanr(*pair)[0] for pair in pairs])
    assert first.spearman.value == pytest.approx(expected)
    expected = np.mean([stats.spearmanr(*pair)[0] for pair in zip(one, other, strict=True)])
    assert first.track_spearman.value == pytest.approx(expected)

    strongest = other >= np.quantile(other, 0.9, axis=0)
    expected = np.mean(
        [average_precision_score(strongest[:, tag], one[:, tag]) for tag in range(TAGS)]
    )
    assert first.mean_average_precision.value == pytest.approx(expected)
    expected = np.mean([roc_auc_score(strongest[:, tag], one[:, tag]) for tag in range(TAGS)])
    assert first.roc_auc.value == pytest.approx(expected)
    assert first.chance == pytest.approx(strongest.mean())
    for value, low, high in (first.pearson, first.strongest, first.mean_average_precision):
        assert low < value < high


def test_strongest_tags_are_counted_by_hand():
    teacher = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.1, 0.0, 0.2], [0.9, 0.4, 0, 0, 0, 0, 0, 0]])
    student = np.array(
        [[0.9, 0.8, 0.7, 0.1, 0.1, 0.6, 0.5, 0.0], [0.9, 0, 0.1, 0.2, 0.3, 0.4, 0, 0]]
    )
    constant = np.array([0.9, 0.8, 0, 0, 0, 0.1, 0.2, 0.3])
    found = agreement(
        student, teacher, CLASSES[:TAGS], np.array(["a", "b"]), constant, draws=5, seed=0
    )["MagnaTagATune"]
    # 3 of 5; then 1 of the 2 of which the teacher hears anything
    assert found.strongest.value == pytest.approx((3 / 5 + 1 / 2) / 2)
    # 2 of 5; then both
    assert found.constant_strongest.value == pytest.approx((2 / 5 + 1) / 2)


def test_the_teacher_agrees_with_itself_and_a_constant_does_not():
    _, teacher, groups, mean = _data()
    perfect = agreement(teacher, teacher, CLASSES, groups, mean, **OPTIONS)["MillionSong"]
    for found in (perfect.pearson, perfect.spearman, perfect.strongest, perfect.roc_auc):
        assert found == pytest.approx((1, 1, 1))
    constant = np.broadcast_to(mean, teacher.shape)
    dull = agreement(constant, teacher, CLASSES, groups, mean, **OPTIONS)["MillionSong"]
    assert np.isnan(dull.pearson).all()
    assert dull.strongest == dull.constant_strongest
    assert dull.track_spearman == dull.constant_track_spearman
    assert 0 < dull.constant_strongest.value < 1
    assert dull.mean_average_precision.value == pytest.approx(dull.chance)
    assert dull.roc_auc.value == pytest.approx(0.5)


def test_a_tag_of_which_the_teacher_hears_nothing_does_not_count():
    student, teacher, groups, mean = _data()
    kept = np.arange(1, TAGS)
    expected = agreement(
        student[:, kept], teacher[:, kept], CLASSES[1:TAGS], groups, mean[kept], **OPTIONS
    )["MagnaTagATune"]
    teacher[:, 0] = 0
    found = agreement(student, teacher, CLASSES, groups, mean, **OPTIONS)["MagnaTagATune"]
    for name in ("pearson", "spearman", "mean_average_precision", "roc_auc", "chance"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name))


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (0, r"student's activations are \[60, 15\]; wanted \[60, 16\]"),
        (1, r"teacher's activations are \[60, 15\]"),
        (3, r"training mean are \[15\]; wanted \[16\]"),
    ],
)
def test_wrong_sizes_are_refused(which: int, message: str):
    data = list(_data())
    data[which] = data[which][..., 1:]
    with pytest.raises(DataError, match=message):
        agreement(data[0], data[1], CLASSES, *data[2:], **OPTIONS)


def test_values_that_are_missing_are_refused():
    student, teacher, groups, mean = _data()
    student[1, 2] = np.nan
    with pytest.raises(DataError, match="student's activations have values that are not finite"):
        agreement(student, teacher, CLASSES, groups, mean, **OPTIONS)
