"""Segments: where they start, how they are padded, and that workers change nothing."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from essentia_maest.making.metadata import segment_hop_frames
from spectrogram_fixtures import make_store
from training.data.segments import EvaluationSegments, TrainingSegments
from training.errors import ConfigError, DataError

FRAMES = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    return make_store(folder, tracks=48, classes=4, frames=(25, 130), families=True)


def louder(mel, generator):
    mel[:2] = generator.random(mel.shape[1], np.float32)


class Teacher:
    def __getitem__(self, track):
        return np.full(4, track, np.float32)


def training(store, **options):
    order = np.random.default_rng(0).permutation(len(store))
    return TrainingSegments(
        store,
        order,
        **{"segment_frames": FRAMES, "seed": 3, "epoch": 1, "augment": None},
        **options,
    )


def place_in_track(store, item, frames):
    """Find where a whole segment stands in its track."""
    track = (store.read(item["track"]).astype(np.float64) - store.mean) / (2 * store.std)
    mel = item["mel"].numpy().T
    starts = [
        start
        for start in range(len(track) - frames + 1)
        if np.allclose(track[start : start + frames], mel, atol=1e-5)
    ]
    assert len(starts) == 1
    return starts[0]


def test_items(store):
    segments = training(store)
    assert len(segments) == len(store)
    order = np.random.default_rng(0).permutation(len(store))
    for position, item in enumerate(segments):
        assert set(item) == {"mel", "targets", "track"}
        assert item["mel"].shape == (96, FRAMES)
        assert item["mel"].dtype == item["targets"].dtype == torch.float32
        assert item["mel"].is_contiguous()
        assert item["track"] == order[position]
        np.testing.assert_array_equal(item["targets"], store.targets(item["track"]))
        if store.frames[item["track"]] >= FRAMES:
            place_in_track(store, item, FRAMES)


def test_starts_are_uniform_over_the_whole_track(store):
    track = int(np.argmax(store.frames))
    last = int(store.frames[track]) - FRAMES
    segments = TrainingSegments(
        store, np.full(600, track), segment_frames=FRAMES, seed=0, epoch=0, augment=None
    )
    whole = (store.read(track).astype(np.float32) - store.mean) / (2 * store.std)
    starts = [int(np.abs(whole - item["mel"][:, 0].numpy()).sum(1).argmin()) for item in segments]
    assert min(starts) <= 3
    assert max(starts) >= last - 3
    # Chi-square over quarters of the starts: 3 degrees of freedom, 1 in 10,000.
    counts = np.histogram(starts, 4, (-0.5, last + 0.5))[0]
    width = np.diff(np.histogram_bin_edges([], 4, (-0.5, last + 0.5)))
    expected = 600 * width / (last + 1)
    assert ((counts - expected) ** 2 / expected).sum() < 21.1


def test_every_draw_hangs_on_seed_epoch_and_position(store):
    def starts(seed, epoch):
        order = np.full(20, int(np.argmax(store.frames)))
        segments = TrainingSegments(
            store, order, segment_frames=FRAMES, seed=seed, epoch=epoch, augment=None
        )
        return [place_in_track(store, item, FRAMES) for item in segments]

    base = starts(0, 0)
    assert base == starts(0, 0)
    assert len(set(base)) > 5
    assert base != starts(1, 0)
    assert base != starts(0, 1)


def test_augmentation_is_in_place_on_the_normalised_mel_with_a_generator_of_its_own(store):
    plain, changed = training(store), training(store, **{"teacher": Teacher()})
    changed._augment = louder
    for position in range(10):
        a, b = plain[position], changed[position]
        np.testing.assert_array_equal(a["mel"][2:], b["mel"][2:])
        assert (a["mel"][:2] != b["mel"][:2]).any()
        np.testing.assert_array_equal(b["mel"], changed[position]["mel"])
    assert (changed[0]["mel"][0] != changed[1]["mel"][0]).any()


def test_the_store_is_not_changed_by_augmentation(store):
    before = store.read(0).copy()
    segments = TrainingSegments(
        store, np.zeros(3, np.int64), segment_frames=20, seed=0, epoch=0, augment=louder
    )
    for item in segments:
        item["mel"] += 1
    np.testing.assert_array_equal(store.read(0), before)


def test_teacher(store):
    item = training(store, teacher=Teacher())[4]
    np.testing.assert_array_equal(item["teacher"], np.full(4, item["track"], np.float32))


@pytest.mark.parametrize("kind", [TrainingSegments, EvaluationSegments])
def test_short_tracks_stand_in_the_middle_of_silence(store, kind):
    track = int(np.argmin(store.frames))
    length = int(store.frames[track])
    options = {"seed": 0, "epoch": 0, "augment": None} if kind is TrainingSegments else {}
    segment = kind(store, np.array([track]), segment_frames=131, **options)[0]["mel"].numpy()
    mel = segment * (2 * store.std) + store.mean
    before = (131 - length) // 2
    np.testing.assert_allclose(mel[:, before : before + length].T, store.read(track), atol=1e-5)
    silence = np.delete(mel, np.s_[before : before + length], axis=1)
    assert silence.shape[1] == 131 - length
    np.testing.assert_allclose(silence, 0, atol=1e-6)


def test_middle_segments(store):
    indices = np.flatnonzero(store.frames >= FRAMES)
    segments = EvaluationSegments(store, indices, FRAMES, "centre")
    assert len(segments) == len(indices)
    for track, item in zip(indices, segments, strict=True):
        start = place_in_track(store, item, FRAMES)
        assert item["track"] == track
        assert abs((int(store.frames[track]) - FRAMES - start) - start) <= 1


def test_all_segments_lie_end_to_end(store):
    segments = EvaluationSegments(store, np.arange(len(store)), FRAMES, "all")
    hop = segment_hop_frames(FRAMES)
    found = {}
    for item in segments:
        found.setdefault(item["track"], []).append(item)
    assert list(found) == list(range(len(store)))
    for track, items in found.items():
        length = int(store.frames[track])
        if length < FRAMES:
            assert len(items) == 1
            continue
        starts = [place_in_track(store, item, FRAMES) for item in items]
        assert starts == list(range(0, length - FRAMES + 1, hop))


def test_ten_seconds_of_thirty_give_three_as_in_the_engine(tmp_path):
    store = make_store(tmp_path / "set", tracks=8, classes=4, frames=1876)
    assert len(EvaluationSegments(store, np.arange(8), 626, "all")) == 24


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "context", "workers"),
    [
        (TrainingSegments, "fork", 2),
        (TrainingSegments, "fork", 1),
        (TrainingSegments, "spawn", 1),
        (EvaluationSegments, "fork", 2),
    ],
)
def test_the_number_of_workers_changes_nothing(store, kind, context, workers):
    options = {"windows": "all"}
    if kind is TrainingSegments:
        options = {"seed": 5, "epoch": 2, "augment": louder}
    segments = kind(store, np.arange(len(store)), segment_frames=FRAMES, **options)
    store.read(0)  # an open shard crosses the fork
    plain = list(DataLoader(segments, batch_size=7))
    worked = list(
        DataLoader(segments, batch_size=7, num_workers=workers, multiprocessing_context=context)
    )
    assert len(plain) == len(worked)
    for a, b in zip(plain, worked, strict=True):
        assert a["mel"].shape[1:] == (96, FRAMES)
        assert a["track"].dtype == torch.int64
        for name in a:
            np.testing.assert_array_equal(a[name].numpy(), b[name].numpy())


def test_what_cannot_be(store):
    with pytest.raises(DataError, match=r"holds 48 tracks; wanted are 3 to 48"):
        EvaluationSegments(store, np.array([3, 48]), FRAMES)
    with pytest.raises(ConfigError, match="segment_frames is 0"):
        EvaluationSegments(store, np.arange(3), 0)
    with pytest.raises(ConfigError, match="windows is 'middle'"):
        EvaluationSegments(store, np.arange(3), FRAMES, "middle")
    with pytest.raises(IndexError):
        training(store)[48]
    assert len(EvaluationSegments(store, np.zeros(0, np.int64), FRAMES, "all")) == 0
