"""Features of many tracks: in order, kept, and gone on with after a stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import filelock
import numpy as np
import pytest

from essentia_maest import load_audio
from quality_recorder import Recorder
from quality_system_fixtures import make_measured_tracks
from training.data.tracks import Tracks, read_tracks
from training.downstream.extraction import extract
from training.errors import DataError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_measured_tracks(tmp_path_factory.mktemp("extraction"))


@pytest.fixture
def tracks(table: Path) -> Tracks:
    return read_tracks(table)


def loudness(tracks: Tracks, indices: list[int]) -> np.ndarray:
    paths = [tracks.folder / tracks.table["path"][index].as_py() for index in indices]
    return np.array([[np.abs(load_audio(path)).max()] for path in paths], np.float32)


def test_features_come_in_the_order_asked_for_and_are_kept(tracks: Tracks, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "notes")
    make = partial(Recorder, recorder.notes)
    cache = tmp_path / "cache"
    first = extract(make, "a", tracks, [5, 2, 9], cache, workers=2, block_tracks=2)
    np.testing.assert_array_equal(first["loudness"], loudness(tracks, [5, 2, 9]))
    np.testing.assert_array_equal(first["length"], [[24000, 1]] * 3)
    assert len(recorder.heard) == 3
    # of others, only those are computed that are new
    second = extract(make, "a", tracks, np.array([9, 1, 5]), cache, workers=1)
    np.testing.assert_array_equal(second["loudness"], loudness(tracks, [9, 1, 5]))
    assert recorder.heard == sorted(f"{x:.6f}" for x in loudness(tracks, [1, 2, 5, 9])[:, 0])
    # another key is another system
    extract(make, "b", tracks, [2], cache, workers=1)
    assert len(recorder.heard) == 5


def test_what_a_stopped_run_has_done_is_not_done_again(tracks: Tracks, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "notes")
    quiet, loud = [0, 2, 4], [1, 3]
    picky = partial(Recorder, recorder.notes, 0.1)
    with pytest.raises(DataError, match="track labelled1: .*too loud"):
        extract(picky, "a", tracks, [*quiet, loud[0]], tmp_path, workers=1)
    assert len(recorder.heard) == 3
    make = partial(Recorder, recorder.notes)
    found = extract(make, "a", tracks, [*loud, *quiet], tmp_path, workers=1)
    np.testing.assert_array_equal(found["loudness"], loudness(tracks, [*loud, *quiet]))
    assert len(recorder.heard) == 5


def test_changed_and_missing_audio_is_noticed(tmp_path: Path) -> None:
    tracks = read_tracks(make_measured_tracks(tmp_path / "music", labelled=3, heard=0))
    recorder = Recorder(tmp_path / "notes")
    make, cache = partial(Recorder, recorder.notes), tmp_path / "cache"
    extract(make, "a", tracks, [0, 1], cache, workers=1)
    loud = tmp_path / "music" / "labelled1.flac"
    (tmp_path / "music" / "labelled0.flac").write_bytes(loud.read_bytes())
    found = extract(make, "a", tracks, [0, 1], cache, workers=1)
    assert found["loudness"][0] == found["loudness"][1]
    assert len(recorder.heard) == 3

    loud.write_bytes(b"no audio")
    with pytest.raises(DataError, match=r"track labelled1: .*labelled1\.flac: .*"):
        extract(make, "a", tracks, [1], cache, workers=1)
    loud.unlink()
    with pytest.raises(DataError, match=r"track labelled1: .*labelled1\.flac: No such file"):
        extract(make, "a", tracks, [1], cache, workers=1)


def test_a_cache_in_use_or_damaged_is_refused(tracks: Tracks, tmp_path: Path) -> None:
    make = partial(Recorder, tmp_path / "notes")
    extract(make, "a", tracks, [0], tmp_path, workers=1)
    (block,) = tmp_path.rglob("*.npz")
    with (
        filelock.FileLock(block.parent / ".lock"),
        pytest.raises(DataError, match="another process is writing it"),
    ):
        extract(make, "a", tracks, [0], tmp_path, workers=1)
    whole = block.read_bytes()
    for damaged in (b"", whole[:-40], whole[40:]):
        block.write_bytes(damaged)
        with pytest.raises(DataError, match=r"00000\.npz: not readable .*delete it"):
            extract(make, "a", tracks, [0], tmp_path, workers=1)


@pytest.mark.parametrize(
    ("indices", "options", "message"),
    [
        ([], {"workers": 1}, "no tracks"),
        ([0], {"workers": 0}, "0 workers"),
        ([0], {"workers": 1, "block_tracks": 0}, "blocks of 0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tracks: Tracks, tmp_path: Path, indices: list[int], options: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        extract(partial(Recorder, tmp_path / "notes"), "a", tracks, indices, tmp_path, **options)


_SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from quality_recorder import SlowAfterThree
from training.data.tracks import read_tracks
from training.downstream.extraction import extract

if __name__ == "__main__":
    table, notes, cache = map(Path, sys.argv[1:])
    extract(partial(SlowAfterThree, notes), "a", read_tracks(table), range(9), cache, workers=2,
            block_tracks=1)
"""


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_leaves_no_process(
    table: Path, tracks: Tracks, tmp_path: Path
) -> None:
    script, notes, cache = tmp_path / "script.py", tmp_path / "notes", tmp_path / "cache"
    script.write_text(_SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(table), str(notes), str(cache)],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/lab'}", "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(list(cache.rglob("*.npz"))) < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in words
    while _group_lives(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kept = len(list(cache.rglob("*.npz")))
    again = tmp_path / "again"
    extract(partial(Recorder, again), "a", tracks, range(9), cache, workers=1)
    assert len(Recorder(again).heard) == 9 - kept


def _group_lives(number: int) -> bool:
    """Say whether any process of a group is left."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True
