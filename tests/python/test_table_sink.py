"""Runs over collections whose results are tables: what is in them, and how runs go on."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import mutagen
import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import Model, load_audio
from essentia_maest.collection import table_sink
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import RunReport
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.commands.cli import BAD_USAGE, STOPPED_EARLY, main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.results.parquet import read_table
from essentia_maest.results.path_text import path_text
from untrained import UNTRAINED


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(UNTRAINED, num_threads=1)


@pytest.fixture
def music(tmp_path) -> Path:
    folder = tmp_path / "music"
    for number, ending in enumerate(("flac", "mp3", "ogg", "wav")):
        write_audio(folder / "sub" / f"{number}.{ending}", 12.0, 44100, 2, seed=number)
    return folder


def run(
    model: Model, music: Path, out: Path, *, sink: dict | None = None, top_k: int = 2, **more
) -> RunReport:
    options = more.pop("options", None) or AnalysisOptions.of(block=1, top_k=top_k)
    run = CollectionRun(
        model,
        options,
        TableSink(out, **(sink or {})),
        **{"workers": 1, "reporter": SilentReporter(), **more},
    )
    return run.run(scan([music]))


def table(out: Path, name: str = "tracks") -> dict[str, list]:
    found = getattr(maest.open_results(out), name)
    return {column: found[column].to_pylist() for column in found.column_names}


def rows(out: Path, name: str = "tracks") -> list[tuple]:
    """All rows, but for where and when the files are, in an order of their own."""
    columns = table(out, name)
    kept = [columns[key] for key in columns if key not in ("root", "mtime", "id", "track")]
    return sorted(map(repr, zip(*kept, strict=True)))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


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


def test_a_full_disk_stops_and_what_was_written_counts(tmp_path, music, model, monkeypatch):
    real, parts = table_sink.PartsFolder.write, []

    def full_after_one(self, *arguments, **more):
        if parts:
            raise OSError(errno.ENOSPC, "No space left on device")
        parts.append(real(self, *arguments, **more))
        return parts[0]

    with monkeypatch.context() as patch:
        patch.setattr(table_sink.PartsFolder, "write", full_after_one)
        report = run(model, music, tmp_path / "out", sink={"most_tracks": 1})
    assert "results cannot be written: OSError: No space left" in report.stopped
    assert len(table(tmp_path / "out")["id"]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["counts"]["analyzed"] == 1
    assert run(model, music, tmp_path / "out", resume=True).resumed == 1
    run(model, music, tmp_path / "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


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


def test_no_room_for_tables_stops_early(tmp_path, music):
    command = f"ulimit -f 10; exec {sys.executable} -m essentia_maest analyze {music}"
    done = subprocess.run(
        ["bash", "-c", f"{command} -o {tmp_path}/out --model {UNTRAINED}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == STOPPED_EARLY, done.stderr
    assert "results cannot be written: OSError: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in names(tmp_path / "out") if path.endswith(".part")]


#: Parts of two tracks, so that a run writes many.
_KILLED = """
import sys
from essentia_maest.collection import table_sink
table_sink.TableSink.__init__.__kwdefaults__["most_tracks"] = 2
from essentia_maest.commands.cli import main
sys.exit(main())
"""


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_rows_of_a_whole_one(tmp_path, model):
    music = tmp_path / "music"
    for number in range(24):
        write_audio(music / f"{number:02}.flac", 6.0, 16000, 1, seed=number)
    (music / "bad.flac").write_bytes(b"no")
    run(model, music, tmp_path / "whole", sink={"most_tracks": 2})
    command = [
        *(sys.executable, "-c", _KILLED, "analyze", str(music), "--model", str(UNTRAINED)),
        *("--block", "1", "--top-k", "2", "--workers", "1", "--threads", "2", "--quiet"),
    ]
    moments = random.Random(0)
    for attempt in range(5):
        out = tmp_path / f"out{attempt}"
        for _ in range(10):
            process = subprocess.Popen(
                [*command, "-o", str(out), "--resume"], stderr=subprocess.PIPE, text=True
            )
            patience = time.monotonic() + 60
            parts = len(list(out.glob("tracks/part-*")))
            while (
                process.poll() is None
                and len(list(out.glob("tracks/part-*"))) == parts
                and time.monotonic() < patience
            ):
                time.sleep(0.01)
            time.sleep(moments.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            assert "Traceback" not in process.communicate()[1]
            for path in out.rglob("*.parquet"):
                read_table(path)  # raises where it is not whole
            found = SimpleNamespace(ids=[])
            if list(out.glob("tracks/part-*")):
                found = maest.open_results(out)
            assert len(set(found.ids)) == len(found.ids)
        report = run(model, music, out, resume=True)
        assert report.resumed > 0
        assert not [name for name in names(out) if name.startswith(".maest-")]
        for name in ("tracks", "segments", "failures"):
            assert rows(out, name) == rows(tmp_path / "whole", name)
        assert {path.name for path in (out / "segments").iterdir()} == {
            read_table_name(path) for path in (out / "tracks").iterdir()
        }


def read_table_name(path: Path) -> str:
    metadata = dict(read_table(path).schema.metadata)[b"essentia_maest"]
    return json.loads(metadata)["segments_file"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_writes_its_last_part(tmp_path, model, number, code):
    music, out = tmp_path / "music", tmp_path / "out"
    for index in range(40):
        write_audio(music / f"{index:02}.flac", 8.0, 16000, 1, seed=index)
    command = [
        *(sys.executable, "-c", _KILLED.replace("= 2", "= 3"), "analyze", str(music)),
        *("-o", str(out), "--model", str(UNTRAINED), "--block", "1", "--top-k", "2"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    patience = time.monotonic() + 60
    while not list(out.glob("tracks/part-*")) and time.monotonic() < patience:
        time.sleep(0.01)
    process.send_signal(number)
    assert "Traceback" not in process.communicate()[1]
    assert process.returncode == code
    summary = json.loads((out / "summary.json").read_text())
    done = len(maest.open_results(out).ids)
    assert 3 <= done < 40
    assert summary["counts"]["analyzed"] == done
    assert not [name for name in names(out) if name.startswith(".maest-")]
    report = run(model, music, out, resume=True)
    assert (report.resumed, report.analyzed) == (done, 40 - done)
