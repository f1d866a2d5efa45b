"""What fine-tuning is worth: settings that differ, fifty files, and what the pages say."""

from __future__ import annotations

import csv
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp
from sklearn.metrics import average_precision_score

from lab.corpus.plans import deal
from lab.corpus.produced_music import ProducedTrack
from lab.finetuning import fifty_files
from lab.finetuning.scores import DealtScores, Difference, Truth, dealt_scores
from lab.finetuning.settings import RANDOM, SETTINGS, from_random
from lab.finetuning.tables import Measured, differences, page, table
from lab.finetuning.tuning import Tried
from lab.finetuning.tuning import page as tuning_page
from lab.finetuning.unheard import dealt_again
from lab.typed_commands import run_typed
from training.errors import DataError
from training.finetuning.plan import plan_finetuning
from training.recipe.bootstrap import Interval
from training.run.config_file import read_experiment

ROOT = Path(__file__).resolve().parents[2]


def test_settings_of_fine_tuning_differ_and_the_defaults_are_one(tmp_path: Path) -> None:
    plan = partial(plan_finetuning, Path("default"), tmp_path, tmp_path / "run", tracks=100)
    plans = {name: plan(overrides=setting.values) for name, setting in SETTINGS.items()}
    assert len(set(map(repr, plans.values()))) == len(plans)
    assert plan() in plans.values()
    random = from_random(plan(overrides=RANDOM.values))
    assert random.initialisation.source == "random"
    assert random.recipe.layers.frozen_blocks == 0
    shipped = read_experiment(ROOT / "training" / "configs" / "default.yaml")
    for name in ("optimizer", "batch", "weight_decay", "gradient_clipping"):
        assert getattr(random.recipe, name) == getattr(shipped.recipe, name)
    assert random.recipe.schedule.peak == shipped.recipe.schedule.peak


def test_a_setting_is_told_with_its_lead() -> None:
    one = Tried("one", [0.4, 0.5], [0.5, 0.7], [0.6, 0.7], [0.25, 0.35], [9, 9], [3, 9], [1.0, 2.0])
    row = (
        "| one | 0.600 (0.500, 0.700) | 0.150 (0.100, 0.200) | 0.300 (0.250, 0.350) "
        "| 0.650 (0.600, 0.700) | 3, 9 of 9 | 2 |"
    )
    assert row in tuning_page([one], "", "")


def test_a_row_tells_scores_and_differences() -> None:
    one, other = Interval(0.5, 0.4, 0.6), Interval(0.1, -0.1, 0.3)
    tuned, head = Measured("tuned"), Measured("head")
    for seconds, block in ((10.0, 6), (None, 6), (14.6, 7)):
        tuned.add(np.zeros((8, 4)), f"block {block}", seconds)
        head.add(np.zeros((8, 4)), "", None)
    scores = {
        "tuned": DealtScores(one, one, None, [0.45, 0.5, 0.55]),
        "head": DealtScores(one, one, None, [0.5, 0.5, 0.5]),
    }
    told = table([tuned, head], scores)
    both = "0.500 (0.400 to 0.600)"
    assert f"| tuned | {both} | 0.450, 0.500, 0.550 | {both} | block 6; block 7 | 12 |" in told
    assert f"| head | {both} | 0.500, 0.500, 0.500 | {both} |  |  |" in told
    above = Difference(other, Interval(0.1, 0.05, 0.15), [0.05, 0.1, 0.15])
    apart = differences({("tuned", "head"): above})
    assert (
        "| tuned | head | 0.100 (-0.100 to 0.300) | 0.050 to 0.150 | 0.050, 0.100, 0.150 |" in apart
    )
    sizes = {"train": 9, "validation": 8, "test": 7}
    text = page([(told, apart)], [sizes, sizes], 12, 2, command="--deals 2", where="here")
    assert "dealt 2 times: 9 excerpts of 30 s to train on, 8 for validation, 7 for the" in text
    assert "12 pieces in all test splits); runs for each deal: 2." in text


def _dealt(seed: int) -> tuple[list[Truth], list[np.ndarray], list[np.ndarray]]:
    """Make two deals of other pieces, and answers of two systems, the first one better."""
    rng = np.random.default_rng(seed)
    truths, better, worse = [], [], []
    for turn in range(2):
        targets = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
        pieces = np.array([f"piece {turn} {n // 2}" for n in range(30)])
        truths.append(Truth(targets, pieces, turn))
        noise = rng.normal(size=targets.shape)
        better.append(targets + 0.8 * noise)
        worse.append(targets + 1.5 * noise)
    return truths, better, worse


def _precision(answers: np.ndarray, truth: Truth) -> float:
    return float(average_precision_score(truth.targets, answers, average="macro"))


def test_scores_are_means_over_deals() -> None:
    truths, better, worse = _dealt(0)
    found = dealt_scores(better, worse, truths, draws=200, seed=0)
    wanted = [_precision(*pair) for pair in zip(better, truths, strict=True)]
    other = [_precision(*pair) for pair in zip(worse, truths, strict=True)]
    assert found.by_deal == pytest.approx(wanted)
    assert found.mean_average_precision.value == pytest.approx(np.mean(wanted))
    assert found.mean_average_precision.low < np.mean(wanted) < found.mean_average_precision.high
    assert found.above is not None
    apart = np.subtract(wanted, other)
    assert found.above.by_deal == pytest.approx(apart)
    assert found.above.drawn.value == pytest.approx(apart.mean())
    over = ttest_1samp(apart, 0).confidence_interval(0.95)
    assert found.above.over_deals[1:] == pytest.approx((over.low, over.high))
    assert dealt_scores(better, None, truths, draws=9, seed=0).above is None
    alone = dealt_scores(better[:1], worse[:1], truths[:1], draws=9, seed=0).above
    assert alone is not None
    assert np.isnan(alone.over_deals.low)


def test_several_runs_of_a_deal_are_one_piece_of_evidence() -> None:
    truths, better, worse = _dealt(1)
    once = dealt_scores(better, worse, truths, draws=200, seed=0)
    thrice = dealt_scores(better * 3, worse * 3, truths * 3, draws=200, seed=0)
    assert once.above is not None
    assert thrice.above is not None
    assert thrice.by_deal == pytest.approx(once.by_deal)
    for one, other in zip(once.above[:2], thrice.above[:2], strict=True):
        assert one == pytest.approx(other)


def test_no_piece_is_held_out_in_two_deals(tmp_path: Path) -> None:
    with (tmp_path / "collection.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "tags", "group", "split"))
        for name, pieces in (("a", 20), ("b", 12)):
            dealt = deal([f"{name}{piece}" for piece in range(pieces)])
            for piece, split in dealt.items():
                writer.writerows([(f"{piece}-{n}.flac", name, piece, split) for n in range(2)])
    held: list[str] = []
    tested: list[str] = []
    for turn in range(6):
        with dealt_again(tmp_path / "collection.csv", turn).open(newline="") as file:
            rows = list(csv.DictReader(file))
        splits = {row["group"]: row["split"] for row in rows}
        assert len(rows) == 64
        for name in ("validation", "test") if turn < 3 else ():
            held += [piece for piece, split in splits.items() if split == name]
        tested += [piece for piece, split in splits.items() if split == "test"]
        assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert len(held) == len(set(held))
    assert sorted(tested) == sorted(held)


def test_fifty_files_are_ten_of_each_of_the_five_largest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counts = {package.name: 8 + at for at, package in enumerate(fifty_files.UNHEARD)}

    def tracks_of(package, cache):
        found = []
        for number in range(counts[package.name]):
            path = tmp_path / f"{package.name}-{number:02}.ogg"
            path.write_bytes(b"sound")
            found.append(ProducedTrack(path.stem, path, package, path.stem, "", 60.0))
        return found

    monkeypatch.setattr(fifty_files, "tracks_of", tracks_of)
    assert fifty_files._write_music(tmp_path / "music", tmp_path) == 3000.0
    folders = {path.name: sorted(path.iterdir()) for path in (tmp_path / "music").iterdir()}
    assert set(folders) == {package.soundtrack for package in fifty_files.UNHEARD[2:]}
    assert {len(files) for files in folders.values()} == {10}


def test_a_typed_command_is_timed_and_its_failure_told(tmp_path: Path) -> None:
    done = run_typed("python -m this", tmp_path)
    assert "The Zen of Python" in done.said
    assert 0 < done.cpu < 60
    assert math.isfinite(done.clock)
    with pytest.raises(DataError, match="`python -m nothing_here` ended with 1: .*nothing_here"):
        run_typed("python -m nothing_here", tmp_path)
