"""What fine-tuning is worth: settings that differ, fifty files, and what the pages say."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from lab.corpus.plans import deal
from lab.corpus.produced_music import ProducedTrack
from lab.finetuning import fifty_files
from lab.finetuning.scores import DealtScores, Truth, dealt_scores
from lab.finetuning.tables import Measured, page, table
from lab.finetuning.tuning import SETTINGS, Tried
from lab.finetuning.tuning import page as tuning_page
from lab.finetuning.unheard import dealt_again
from lab.typed_commands import run_typed
from training.errors import DataError
from training.finetuning.plan import plan_finetuning
from training.recipe.bootstrap import Interval


def test_settings_of_fine_tuning_change_something(tmp_path: Path) -> None:
    plans = [
        plan_finetuning(Path("default"), tmp_path, tmp_path / "run", tracks=100, overrides=values)
        for values in SETTINGS.values()
    ]
    assert len(set(map(repr, plans))) == len(plans)
    text = tuning_page(
        [Tried("one", [0.5, 0.7], [0.25, 0.35], [3, 4], [9, 10], [1.0, 2.0])], "", ""
    )
    assert "| one | 0.600 (0.500, 0.700) | 0.300 (0.250, 0.350) | 4 (3, 4) | 10 (9, 10) |" in text


def test_a_row_tells_scores_and_how_far_they_are_above_a_head() -> None:
    one, other = Interval(0.5, 0.4, 0.6), Interval(0.1, -0.1, 0.3)
    tuned, head = Measured("tuned"), Measured("head")
    for seconds, block in ((10.0, 6), (None, 6), (14.6, 7)):
        tuned.add(np.zeros((8, 4)), f"block {block}", seconds)
        head.add(np.zeros((8, 4)), "", None)
    scores = {
        "tuned": DealtScores(one, one, other, [0.45, 0.5, 0.55]),
        "head": DealtScores(one, one, None, [0.5, 0.5, 0.5]),
    }
    told = table([tuned, head], scores)
    both = "0.500 (0.400 to 0.600)"
    assert (
        f"| tuned | {both} | 0.450, 0.500, 0.550 | {both} | 0.100 (-0.100 to 0.300) "
        "| block 6; block 7 | 12 |"
    ) in told
    assert f"| head | {both} | 0.500, 0.500, 0.500 | {both} |  |  |  |" in told
    sizes = {"train": 9, "validation": 8, "test": 7}
    text = page([told], [sizes, sizes], 12, other, command="--deals 2", where="here")
    assert "less that of its own head alone: 0.100 (-0.100 to 0.300)." in text
    assert "dealt 2 times: 9 excerpts of 30 s to train on, 8 for validation, 7 for the" in text


def test_scores_are_means_over_deals() -> None:
    rng = np.random.default_rng(0)
    truths, answers = [], []
    for _ in range(2):
        targets = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
        truths.append(Truth(targets, np.array([f"piece {n // 2}" for n in range(30)])))
        answers.append(targets + rng.normal(scale=1.5, size=targets.shape))
    found = dealt_scores(answers, answers[::-1], truths, draws=200, seed=0)
    wanted = [average_precision_score(truth.targets, answer, average="macro")
              for truth, answer in zip(truths, answers, strict=True)]  # fmt: skip
    assert found.by_deal == pytest.approx(wanted)
    assert found.mean_average_precision.value == pytest.approx(np.mean(wanted))
    assert found.mean_average_precision.low < np.mean(wanted) < found.mean_average_precision.high
    assert found.above is not None
    assert found.above.value == pytest.approx(0)
    assert dealt_scores(answers, None, truths, draws=9, seed=0).above is None


def test_no_piece_is_held_out_in_two_deals(tmp_path: Path) -> None:
    with (tmp_path / "collection.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "tags", "group", "split"))
        for name, pieces in (("a", 20), ("b", 12)):
            dealt = deal([f"{name}{piece}" for piece in range(pieces)])
            for piece, split in dealt.items():
                writer.writerows([(f"{piece}-{n}.flac", name, piece, split) for n in range(2)])
    held: list[str] = []
    for turn in range(3):
        with dealt_again(tmp_path / "collection.csv", turn).open(newline="") as file:
            rows = list(csv.DictReader(file))
        splits = {row["group"]: row["split"] for row in rows}
        assert len(rows) == 64
        for name in ("validation", "test"):
            held += [piece for piece, split in splits.items() if split == name]
        assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert len(held) == len(set(held))


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
