"""Interruptions leave no trace, and what was begun with other options is refused."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import filelock
import numpy as np
import pytest

from essentia_maest.files import UNFINISHED
from sound_table_fixtures import OPTIONS, contents, with_column
from training.data.spectrograms import make_spectrograms
from training.data.store import SpectrogramStore
from training.data.tracks import Tracks, read_tracks, write_tracks
from training.errors import DataError


def start(collection, folder):
    script = (
        "import sys; from pathlib import Path\n"
        "from training.data.spectrograms import make_spectrograms\n"
        "if __name__ == '__main__':\n"
        f"    make_spectrograms(Path(sys.argv[1]), Path(sys.argv[2]), **{OPTIONS!r})\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", script, str(collection), str(folder)], env=environment
    )


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the process ended before it could be interrupted"
        assert time.monotonic() < end
        time.sleep(0.0005)


def at_shard(folder, number, size):
    """Say whether a shard, by its number, is being written and has so many bytes already."""
    whole = [path for path in (folder / "shards").glob("0*.arrow") if "outcomes" not in path.name]
    if len(whole) != number:
        return False
    with contextlib.suppress(FileNotFoundError):
        return any(path.stat().st_size >= size for path in (folder / "shards").glob(UNFINISHED))
    return False


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_and_resumed_is_the_same_to_the_byte(collection, dataset, tmp_path, how):
    folder = tmp_path / "set"
    # When nothing is written yet, then in the middle of the third shard.
    for number, size in ((0, 0), (2, 20_000)):
        process = start(collection, folder)
        wait_for(lambda number=number, size=size: at_shard(folder, number, size), process)
        process.send_signal(how)
        assert process.wait(30) != 0
        assert not (folder / "dataset.json").exists()
    kept = (folder / "shards/000001.arrow").stat().st_mtime_ns
    make_spectrograms(collection, folder, **OPTIONS)
    assert contents(folder) == contents(dataset)
    # What was whole was not made again.
    assert (folder / "shards/000001.arrow").stat().st_mtime_ns == kept


def test_a_finished_data_set_stays_as_it_is(collection, dataset, tmp_path):
    folder = shutil.copytree(dataset, tmp_path / "set")
    before = contents(folder)
    kept = (folder / "shards/000001.arrow").stat().st_mtime_ns
    make_spectrograms(collection, folder, **OPTIONS)
    assert contents(folder) == before
    assert (folder / "shards/000001.arrow").stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    "step", ["a shard's name", "index._Gathered.statistics", "index.write_description"]
)
def test_interrupted_between_two_files(collection, dataset, tmp_path, monkeypatch, step):
    folder = shutil.copytree(dataset, tmp_path / "set")
    replace = os.replace

    def interrupt(*_):
        raise KeyboardInterrupt

    def interrupt_shard(source, target):
        replace(source, target) if "outcomes" in target.name else interrupt()

    with monkeypatch.context() as patch:
        if step == "a shard's name":
            os.truncate(folder / "shards/000002.arrow", 5000)
            patch.setattr(os, "replace", interrupt_shard)
        else:
            patch.setattr(f"training.data.{step}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_spectrograms(collection, folder, **OPTIONS)
    with pytest.raises(DataError, match=r"000002\.arrow: cut short|no dataset\.json"):
        SpectrogramStore(folder)
    make_spectrograms(collection, folder, **OPTIONS)
    assert contents(folder) == contents(dataset)


def test_missing_and_cut_shards_are_made_again(collection, dataset, tmp_path):
    folder = shutil.copytree(dataset, tmp_path / "set")
    shards = folder / "shards"
    (shards / "000000.arrow").unlink()
    os.truncate(shards / "000001.arrow", 5000)
    (shards / "000002.outcomes.arrow").unlink()
    os.truncate(shards / "000003.outcomes.arrow", 700)
    kept = (shards / "000004.arrow").stat().st_mtime_ns
    make_spectrograms(collection, folder, **OPTIONS)
    assert contents(folder) == contents(dataset)
    assert (shards / "000004.arrow").stat().st_mtime_ns == kept


def test_other_options_are_refused(collection, dataset, tmp_path):
    folder = shutil.copytree(dataset, tmp_path / "set")
    for change, message in [
        ({"seconds": 2.0}, r"seconds was 1\.0, is 2\.0"),
        ({"shortest_seconds": 0.75}, r"shortest_seconds was 0\.5, is 0\.75"),
        ({"shard_tracks": 4}, "shard_tracks was 8, is 4"),
    ]:
        with pytest.raises(DataError, match=message):
            make_spectrograms(collection, folder, **{**OPTIONS, **change})
    assert contents(folder) == contents(dataset)


def test_other_tracks_are_refused_other_labels_are_not(collection, dataset, tmp_path):
    folder = shutil.copytree(dataset, tmp_path / "set")
    tracks = read_tracks(collection)
    paths = tracks.table["path"].to_pylist()
    changed = tmp_path / "tracks.parquet"
    write_tracks(with_column(tracks, "path", [paths[1], paths[0], *paths[2:]]), changed)
    with pytest.raises(DataError, match="ids and paths, sha256 was"):
        make_spectrograms(changed, folder, **OPTIONS)
    write_tracks(Tracks(tracks.table.slice(1), tracks.classes, tracks.folder), changed)
    with pytest.raises(DataError, match="tracks was 36, is 35"):
        make_spectrograms(changed, folder, **OPTIONS)

    kept = (folder / "shards/000001.arrow").stat().st_mtime_ns
    splits = ["validation", *["train"] * 35]
    relabelled = collection.with_name("relabelled.parquet")
    write_tracks(with_column(tracks, "split", splits), relabelled)
    make_spectrograms(relabelled, folder, **OPTIONS)
    store = SpectrogramStore(folder)
    assert len(store.indices("train")) == 35
    assert (folder / "shards/000001.arrow").stat().st_mtime_ns == kept
    values = np.concatenate([store.read(i) for i in range(1, 36)]).astype(np.float64)
    assert store.mean == pytest.approx(values.mean(), rel=1e-12)


def test_two_processes_may_not_write_one_data_set(collection, tmp_path):
    folder = tmp_path / "set"
    process = start(collection, folder)
    try:
        wait_for(lambda: at_shard(folder, 0, 0), process)
        with pytest.raises(DataError, match="another process is writing"):
            make_spectrograms(collection, folder, **OPTIONS)
    finally:
        assert process.wait(60) == 0
    with filelock.FileLock(folder / ".lock").acquire(blocking=False):
        pass
