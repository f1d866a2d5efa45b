"""Runs over collections whose results are tables: what is in them, and how runs go on."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path

import mutagen
import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import Model, load_audio
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.commands.cli import BAD_USAGE, main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.results.parts import PartsFolder
from essentia_maest.results.path_text import path_text
from table_runs import names, rows, run, table, write_music
from untrained import UNTRAINED


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(UNTRAINED, num_threads=1)


@pytest.fixture
def music(tmp_path) -> Path:
    return write_music(tmp_path / "music")


def test_tables_hold_what_the_model_says(tmp_path, music, model):
    odd = music / "sub" / (os.fsdecode(b"caf\xe9\xff \\xe9") + "n" * 200 + ".wav")
    write_audio(odd, 25.0, 16000, 1)
    assert len(os.fsencode(odd.name)) > 210
    report = run(model, music, tmp_path / "out")
    assert (report.analyzed, report.failures) == (5, [])
    results = maest.open_results(tmp_path / "out")
    assert results.labels == model.labels
    assert results.info["model"]["name"] == model.name
    assert results.info["options"]["top_k"] == 2
    assert results.info["provenance"]["engine"] == maest.__version__
    segments = table(tmp_path / "out", "segments")
    tracks = table(tmp_path / "out")
    assert sorted(results.files) == sorted(map(str, (music / "sub").iterdir()))
    for number, file in enumerate(results.files):
        audio = load_audio(file)
        predictions, embeddings = model.analyze(audio, block=1, tail="repeat")
        own = [at for at, track in enumerate(segments["track"]) if track == results.ids[number]]
        for name, expected in (("predictions", predictions), ("embedding", embeddings)):
            found = np.array([segments[name][at] for at in own], np.float32)
            np.testing.assert_array_equal(found, expected)
        weights = np.array([segments["seconds"][at] for at in own])
        assert tracks["seconds"][number] == pytest.approx(len(audio) / 16000, abs=1e-3)
        assert tracks["segments"][number] == len(predictions) == len(own)
        np.testing.assert_allclose(
            results.embeddings()[0][number],
            np.average(embeddings, axis=0, weights=weights),
            rtol=1e-3,
            atol=1e-4,
        )
        mean = results.predictions()[0][number]
        best = np.argsort(-mean, kind="stable")[:2]
        assert [entry["label"] for entry in tracks["top"][number]] == [
            model.labels[index] for index in best
        ]
        status = os.stat(file)
        assert tracks["size"][number] == status.st_size
        assert tracks["mtime"][number] == status.st_mtime_ns
        assert tracks["path"][number] == path_text(os.path.relpath(file, music))
        assert tracks["root"][number] == str(music)
    assert min(weights) < max(weights)  # the last segment holds less


@pytest.mark.parametrize("output", ["predictions", "embeddings"])
def test_what_is_not_computed_has_no_column(tmp_path, music, model, output):
    run(model, music, tmp_path / "out", options=AnalysisOptions.of(output, block=1))
    columns = set(table(tmp_path / "out"))
    assert {"predictions", "embedding", "top"} & columns == (
        {"predictions", "top"} if output == "predictions" else {"embedding"}
    )
    results = maest.open_results(tmp_path / "out")
    missing = results.embeddings if output == "predictions" else results.predictions
    with pytest.raises(InvalidArgumentError, match="they were not computed"):
        missing()


def test_float16_is_close(tmp_path, music, model):
    run(model, music, tmp_path / "half", sink={"embeddings": "float16"})
    run(model, music, tmp_path / "full")
    half, full = (maest.open_results(tmp_path / name) for name in ("half", "full"))
    kind = str(half.tracks.field("embedding").type)
    assert "Float16" in kind
    np.testing.assert_allclose(half.embeddings()[0], full.embeddings()[0], rtol=1e-3, atol=1e-3)
    with pytest.raises(InvalidArgumentError, match="embeddings float16 there, float32 here"):
        run(model, music, tmp_path / "half", resume=True)


def test_failures_are_rows_and_are_told_anew(tmp_path, music, model):
    bad = music / "bad.mp3"
    bad.write_bytes(b"no music" * 100)
    run(model, music, tmp_path / "out")
    found = table(tmp_path / "out", "failures")
    assert found["path"] == ["bad.mp3"]
    assert found["root"] == [str(music)]
    assert found["stage"] == ["decode"]
    assert found["size"] == [800]
    report = run(model, music, tmp_path / "out", resume=True)
    assert (report.resumed, report.analyzed, len(report.failures)) == (4, 0, 1)
    assert table(tmp_path / "out", "failures")["path"] == ["bad.mp3"]
    write_audio(bad, 2.0, 44100, 2, "MPEG_LAYER_III")
    assert run(model, music, tmp_path / "out", resume=True).analyzed == 1
    assert table(tmp_path / "out", "failures")["path"] == []
    assert len(table(tmp_path / "out")["id"]) == 5


def test_flags_are_columns(tmp_path, model):
    path = write_audio(tmp_path / "in" / "cut.flac", 3.0, 16000, 1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    write_audio(tmp_path / "in" / "short.wav", 0.5, 16000, 1)
    run(model, tmp_path / "in", tmp_path / "out")
    found = table(tmp_path / "out")
    assert found["path"] == ["cut.flac", "short.wav"]
    assert found["truncated"] == [True, False]
    assert found["seconds_promised"] == [pytest.approx(3.0), None]
    assert found["short"] == [False, True]
    report = run(model, tmp_path / "in", tmp_path / "out", resume=True)
    assert report.flagged.counts.items() >= {"truncated": 1, "short": 1}.items()
    strict = run(model, tmp_path / "in", tmp_path / "out", resume=True, strict=True)
    assert (strict.resumed, len(strict.failures)) == (1, 1)
    assert table(tmp_path / "out")["path"] == ["short.wav"]


# --- going on -----------------------------------------------------------------------------------


def test_a_folder_with_results_is_not_begun_anew(tmp_path, music, model):
    run(model, music, tmp_path / "out")
    before = rows(tmp_path / "out")
    with pytest.raises(InvalidArgumentError, match="has the results of 4 tracks; wanted: --resume"):
        run(model, music, tmp_path / "out")
    with pytest.raises(InvalidArgumentError, match=r"computed otherwise \(block 1 there, 2 here\)"):
        run(model, music, tmp_path / "out", resume=True, options=AnalysisOptions.of(block=2))
    assert rows(tmp_path / "out") == before


def test_files_of_tracks_are_not_gone_on_with_as_tables(tmp_path, music, model):
    CollectionRun(
        model,
        AnalysisOptions.of(block=1),
        ResultFolder(tmp_path / "out"),
        workers=1,
        reporter=SilentReporter(),
    ).run(scan([music]))
    with pytest.raises(InvalidArgumentError, match="wanted: --format files to go on"):
        run(model, music, tmp_path / "out", resume=True)


def remount(music: Path, place: Path) -> Path:
    return music.rename(place / "elsewhere")


def move(music: Path, place: Path) -> Path:
    (music / "new" / "deep").mkdir(parents=True)
    for path in (music / "sub").iterdir():
        path.rename(music / "new" / "deep" / f"renamed {path.name}")
    return music


def retag(music: Path, place: Path) -> Path:
    for path in (music / "sub").iterdir():
        file = mutagen.File(path, easy=True)
        if path.suffix == ".wav":
            continue
        if file.tags is None:
            file.add_tags()
        file["title"] = "new " * 1000
        file.save()
    return music


def touch(music: Path, place: Path) -> Path:
    for path in (music / "sub").iterdir():
        os.utime(path, (1e9, 1e9))
    return music


@pytest.mark.parametrize("change", [remount, move, retag, touch])
def test_what_only_looks_new_is_not_analysed_again(tmp_path, music, model, change):
    run(model, music, tmp_path / "out")
    before = table(tmp_path / "out")
    where = change(music, tmp_path)
    report = run(model, where, tmp_path / "out", resume=True)
    assert (report.resumed, report.analyzed) == (4, 0)
    after = table(tmp_path / "out")
    for column in ("id", "audio_hash", "embedding", "predictions", "top", "seconds"):
        assert after[column] == before[column]
    for number, file in enumerate(maest.open_results(tmp_path / "out").files):
        status = os.stat(file)  # the table says where it is now
        assert (after["size"][number], after["mtime"][number]) == (
            status.st_size,
            status.st_mtime_ns,
        )
    assert run(model, where, tmp_path / "out", resume=True).resumed == 4


def test_another_count_of_labels_only_names_others(tmp_path, music, model):
    run(model, music, tmp_path / "out", top_k=1)
    report = run(model, music, tmp_path / "out", resume=True, top_k=3)
    assert (report.resumed, report.analyzed) == (4, 0)
    assert [len(top) for top in table(tmp_path / "out")["top"]] == [3] * 4
    run(model, music, tmp_path / "whole", top_k=3)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


def test_other_sound_is_analysed_again_and_no_row_stays(tmp_path, music, model):
    run(model, music, tmp_path / "out", sink={"most_tracks": 2})
    write_audio(music / "sub" / "0.flac", 5.0, 44100, 2, seed=9)
    report = run(model, music, tmp_path / "out", resume=True)
    assert (report.resumed, report.analyzed) == (3, 1)
    run(model, music, tmp_path / "whole")
    for name in ("tracks", "segments"):
        assert rows(tmp_path / "out", name) == rows(tmp_path / "whole", name)
    segments = table(tmp_path / "out", "segments")
    assert set(segments["track"]) == set(table(tmp_path / "out")["id"])


def test_a_copy_has_a_row_of_its_own(tmp_path, music, model):
    run(model, music, tmp_path / "out")
    shutil.copy(music / "sub" / "0.flac", music / "copy.flac")
    report = run(model, music, tmp_path / "out", resume=True)
    assert (report.resumed, report.analyzed) == (4, 1)
    found = table(tmp_path / "out")
    assert len(set(found["id"])) == 5
    assert len(set(found["audio_hash"])) == 4


def test_rows_of_what_is_not_there_now_stay(tmp_path, music, model):
    run(model, music, tmp_path / "out")
    other = write_audio(tmp_path / "other" / "z.wav", 3.0, 16000, 1).parent
    report = run(model, other, tmp_path / "out", resume=True)
    assert (report.resumed, report.analyzed) == (0, 1)
    assert len(table(tmp_path / "out")["id"]) == 5


# --- whole whatever happens ---------------------------------------------------------------------


def test_parts_are_written_when_there_is_enough(tmp_path, music, model):
    for name, limits in {
        "tracks": {"most_tracks": 1},
        "bytes": {"most_bytes": 1},
        "seconds": {"most_seconds": 0.0},
    }.items():
        run(model, music, tmp_path / name, sink=limits)
        assert len(list((tmp_path / name / "tracks").iterdir())) == 4
    run(model, music, tmp_path / "one")
    assert len(list((tmp_path / "one" / "tracks").iterdir())) == 1
    assert rows(tmp_path / "one") == rows(tmp_path / "tracks") == rows(tmp_path / "seconds")


def test_the_command_writes_tables_and_says_so(tmp_path, music, capfd):
    out = tmp_path / "out"
    command = ["analyze", str(music), "-o", str(out), "--model", str(UNTRAINED), "--block", "1"]
    assert main([*command, "--format", "csv", "--embeddings", "float16"]) == 0
    assert len(maest.open_results(out).ids) == 4
    assert {"tracks.csv", "failures.csv", "summary.json"} <= names(out)
    assert main(command) == BAD_USAGE
    assert "--resume" in capfd.readouterr().err
    assert main([*command, "--resume", "--embeddings", "float16", "--quiet"]) == 0
    assert main([*command, "--format", "files", "--embeddings", "float16"]) == BAD_USAGE
    assert "format files keeps embeddings in float32" in capfd.readouterr().err
    one = ["analyze", str(music / "sub" / "0.flac"), "-o", str(tmp_path / "one")]
    for more in ([], ["--resume"]):
        assert main([*one, "--model", str(UNTRAINED), "--top-k", "3", *more]) == 0
        assert len(capfd.readouterr().out.splitlines()) == 3  # the strongest labels


def test_rows_come_while_a_part_is_written(tmp_path, music, model, monkeypatch):
    write, told = PartsFolder.write_made, threading.Event()

    def once_told(self, *arguments, **more):
        assert told.wait(30)  # that the track whose part it is was taken
        return write(self, *arguments, **more)

    class Telling(SilentReporter):
        def done(self) -> None:
            told.set()

    monkeypatch.setattr(PartsFolder, "write_made", once_told)
    report = run(model, music, tmp_path / "out", sink={"most_tracks": 1}, reporter=Telling())
    assert (report.analyzed, report.stopped) == (4, None)
    assert len(list((tmp_path / "out" / "tracks").iterdir())) == 4


def test_a_part_that_could_not_be_written_is_written_with_the_next(
    tmp_path, music, model, monkeypatch
):
    write, errors = PartsFolder.write_made, [OSError(errno.EIO, "not now")]

    def once_refused(self, *arguments, **more):
        if errors:
            raise errors.pop()
        return write(self, *arguments, **more)

    monkeypatch.setattr(PartsFolder, "write_made", once_refused)
    report = run(model, music, tmp_path / "out", sink={"most_tracks": 4})
    assert (report.analyzed, report.failures, report.stopped) == (4, [], None)
    assert len(table(tmp_path / "out")["id"]) == 4


def test_what_killed_runs_left_is_removed(tmp_path, music, model):
    out = tmp_path / "out"
    run(model, music, out)
    folders = [out, *(out / name for name in ("tracks", "segments"))]
    for folder in folders:
        (folder / ".maest-0123456789abcdef.part").write_bytes(b"half a file")
    assert run(model, music, out, resume=True).resumed == 4
    assert [name for name in names(out) if name.startswith(".maest-")] == []
