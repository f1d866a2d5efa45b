"""Tables in an object store, and where files are moved by copying; runs killed there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.commands.cli import main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.remote.copies import FetchedAudio
from killed_run import analyse
from remote_systems import object_store, register
from untrained import UNTRAINED

COMMAND = ["--model", str(UNTRAINED), "--workers", "1", "--block", "1"]
TRACKS = 5


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with object_store() as url:
        yield url


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    for number in range(TRACKS):
        write_audio(folder / f"{number}.flac", 2.0, 22050, 1, seed=number)
    (folder / "bad.mp3").write_bytes(b"no music" * 100)
    return folder


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where results go: a URL with nothing at it yet."""
    if request.param == "s3":
        return f"{request.getfixturevalue('store')}/{request.node.name.replace('[', '-')}"
    register()
    return f"copying://{tmp_path}/out"


def rows_of(out: object) -> dict[str, tuple[object, ...]]:
    """Give path -> audio, embedding and segments; each track once."""
    results = maest.open_results(out)
    paths = results.tracks["path"].to_pylist()
    assert len(set(paths)) == len(paths)
    segments = results.segments["track"].to_pylist()
    audio, vectors = results.tracks["audio_hash"].to_pylist(), results.embeddings()[0]
    return {
        path: (audio[row], vectors[row].tolist(), segments.count(results.ids[row]))
        for row, path in enumerate(paths)
    }


@pytest.mark.slow
def test_audio_and_tables_in_an_object_store(store, library, tmp_path, capsys):
    system = fsspec.filesystem("s3")
    system.put(f"{library}/", f"{store}/music/", recursive=True)
    out = f"{store}/results"
    command = ["analyze", f"{store}/music", "-o", out, *COMMAND]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "5 analysed" in told
    assert "1 failed" in told
    assert main(["analyze", str(library), "-o", str(tmp_path / "here"), *COMMAND, "--quiet"]) == 1
    assert rows_of(out) == rows_of(tmp_path / "here")
    results = maest.open_results(out)
    assert set(results.tracks["root"].to_pylist()) == {f"{store}/music"}
    with FetchedAudio(f"{store}/music/0.flac") as audio:
        np.testing.assert_array_equal(audio.read(), maest.load_audio(library / "0.flac"))

    system.mv(f"{store}/music/0.flac", f"{store}/music/moved/0.flac")
    system.rm(f"{store}/music/bad.mp3")
    write_audio(tmp_path / "new.wav", 2.0, 16000, 1, seed=9)
    system.put(str(tmp_path / "new.wav"), f"{store}/music/new.wav")
    capsys.readouterr()
    assert main([*command, "--resume"]) == 0
    told = capsys.readouterr().err
    assert "1 analysed" in told
    assert "5 done before" in told
    names = {"moved/0.flac", "new.wav", *(f"{number}.flac" for number in range(1, TRACKS))}
    assert set(rows_of(out)) == names
    assert {name.split("/")[2] for name in system.find(out)} <= {
        "tracks", "segments", "failures", "summary.json",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "file", "moment"),
    [
        ("s3", 2, "before"),  # segments of a part, and no tracks that name them
        ("s3", 4, "after"),
        ("copying", 1, "in the middle"),
        ("copying", 2, "in the middle"),
        ("copying", 4, "before"),
    ],
    indirect=["place"],
)
def test_a_killed_run_is_gone_on_with(place, file, moment, library, tmp_path):
    helpers = str(Path(__file__).parent)
    killed = subprocess.run(
        [sys.executable, f"{helpers}/killed_run.py", str(UNTRAINED), str(library), place,
         str(file), moment],
        env={**os.environ, "PYTHONPATH": helpers},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    fsspec.filesystem(place.partition("://")[0]).invalidate_cache()
    done = 2 * ((file - (moment != "after")) // 2)
    assert analyse(str(UNTRAINED), str(library), place, resume=True) == (done, TRACKS - done)
    assert analyse(str(UNTRAINED), str(library), str(tmp_path / "here"), resume=False)[1] == TRACKS
    assert rows_of(place) == rows_of(tmp_path / "here")
    assert maest.open_results(place).failures["path"].to_pylist() == ["bad.mp3"]


def test_a_file_that_is_cut_off_here_is_damage(library, tmp_path):
    """Where files are moved whole, no run leaves such a thing: it is not passed over."""
    out = tmp_path / "out"
    assert main(["analyze", str(library / "0.flac"), "-o", str(out), *COMMAND, "--quiet"]) == 0
    (part,) = (out / "tracks").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(InvalidArgumentError, match="no whole Parquet file"):
        _ = maest.open_results(out).tracks
