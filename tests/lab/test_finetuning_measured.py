"""What fine-tuning is worth: settings that differ, fifty files, and what the pages say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from lab.corpus.produced_music import ProducedTrack
from lab.finetuning import fifty_files
from lab.finetuning.tables import Compared, Measured, table
from lab.finetuning.tuning import SETTINGS, Tried
from lab.finetuning.tuning import page as tuning_page
from lab.typed_commands import run_typed
from training.downstream.bootstrap import Interval
from training.downstream.scores import Difference, FamilyScores
from training.errors import DataError
from training.finetuning.plan import plan_finetuning


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
    scores = FamilyScores(one, one, 0.25, 4, 8, 6)
    rows = [Measured(name, np.zeros((8, 4)), 1000, 3, 12.3) for name in ("tuned", "head")]
    compared = {
        "tuned": Compared(scores, Difference(other, other)),
        "head": Compared(scores, None),
    }
    text = table(rows, compared, {"train": 9, "validation": 8, "test": 7}, "default", "here")
    both = "0.500 (0.400 to 0.600) | 0.500 (0.400 to 0.600)"
    assert f"| tuned | {both} | 0.100 (-0.100 to 0.300) | 1,000 | 3 | 12 |" in text
    assert f"| head | {both} |  | 1,000 | 3 | 12 |" in text


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
