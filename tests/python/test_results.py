"""The result folder: what is there is whole, and what killed runs left is removed."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import write_audio
from essentia_maest import Model
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import Failure, failure_line
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.errors import InvalidArgumentError
from untrained import UNTRAINED


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_result_folder_must_be_writable(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match="is a file; a folder"):
        ResultFolder(tmp_path / "file")
    with pytest.raises(InvalidArgumentError, match="no results can be written there"):
        ResultFolder(tmp_path / "file" / "below")

    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # root may write everywhere: ask nobody
    with pytest.raises(InvalidArgumentError, match="cannot|can be written there: Permission"):
        ResultFolder(tmp_path / "new")


def test_results_are_whole_or_absent(tmp_path, monkeypatch):
    folder = ResultFolder(tmp_path)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    folder.write("a/x.mp3", {"n": 1}, {"predictions": array, "embeddings": array})
    assert files(tmp_path) == [
        "a/x.mp3.embeddings.npy",
        "a/x.mp3.json",
        "a/x.mp3.predictions.npy",
    ]
    assert folder.read("a/x.mp3") == {
        "n": 1,
        "arrays": {
            "predictions": "x.mp3.predictions.npy",
            "embeddings": "x.mp3.embeddings.npy",
        },
    }

    def fail(file, *_, **__):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("numpy.save", fail)
        with pytest.raises(OSError, match="No space left"):
            folder.write("a/x.mp3", {"n": 2}, {"predictions": array})
    # The old arrays are whole, nothing speaks for them, and no scraps are left.
    assert files(tmp_path) == ["a/x.mp3.embeddings.npy", "a/x.mp3.predictions.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "x.mp3.predictions.npy"), array)
    assert folder.read("a/x.mp3") is None

    folder.write("a/x.mp3", {"n": 3}, {"predictions": array})
    assert files(tmp_path) == ["a/x.mp3.json", "a/x.mp3.predictions.npy"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"arrays": 3}', '{"arrays": {"a": 1}}'])
def test_damaged_json_counts_as_absent(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    assert ResultFolder(tmp_path).read("x") is None


def test_undecodable_names_survive(tmp_path):
    name = os.fsdecode(b"b\xffd \xc3\xa9.mp3")
    folder = ResultFolder(tmp_path)
    folder.write(name, {"track": name}, {"predictions": np.zeros((1, 1), np.float32)})
    written = (tmp_path / f"{name}.json").read_bytes().decode("utf-8")  # valid UTF-8
    assert json.loads(written)["track"] == name
    assert folder.read(name) is not None
    assert (
        failure_line(Failure(name, "decode", "no\nsense")) == r"failed: b\udcffd é.mp3: no\nsense"
    )


def test_scraps_of_killed_runs_are_removed(tmp_path):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    old = [out / ".maest-0.part", out / "sub" / ".maest-1.part"]
    others = [out / "sub" / ".maest-2.part", out / "sub" / "notes.part"]  # just begun; not ours
    for path in (*old, *others):
        path.touch()
    for path in (*old, others[1]):
        os.utime(path, (1e9, 1e9))
    ResultFolder(out).remove_scraps(["b.wav", "sub/a.wav"])
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in others)


def test_a_run_removes_them(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(ResultFolder, "remove_scraps", lambda _, names: asked.extend(names))
    write_audio(tmp_path / "in" / "sub" / "a.wav", 0.1)
    CollectionRun(
        Model(UNTRAINED, num_threads=1),
        AnalysisOptions.of(block=1),
        ResultFolder(tmp_path / "out"),
        workers=1,
        reporter=SilentReporter(),
    ).run(scan([tmp_path / "in"]))
    assert asked == ["sub/a.wav"]


def test_a_run_with_nothing_left_to_do_removes_them_too(tmp_path):
    """Beside results that another run wrote while the one that was killed wrote the same."""
    write_audio(tmp_path / "in" / "sub" / "a.wav", 0.1)
    model = Model(UNTRAINED, num_threads=1)
    for resume in (False, True):
        report = CollectionRun(
            model,
            AnalysisOptions.of(block=1),
            ResultFolder(tmp_path / "out"),
            workers=1,
            reporter=SilentReporter(),
            resume=resume,
        ).run(scan([tmp_path / "in"]))
        assert (report.analyzed, report.resumed) == ((0, 1) if resume else (1, 0))
        left = tmp_path / "out" / "sub" / ".maest-0.part"
        assert not left.exists()
        left.touch()
        os.utime(left, (1e9, 1e9))
