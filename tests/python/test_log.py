"""What the package logs, what `--verbose`, `--timings` and `--profile` show."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import Request, log
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.commands.cli import main
from essentia_maest.decoding.libraries import use_libraries
from untrained import UNTRAINED


def collect(folder: Path, **more) -> dict:
    report = CollectionRun(
        maest.Model(UNTRAINED, num_threads=1),
        AnalysisOptions.of(block=1),
        ResultFolder(folder / "out"),
        workers=1,
        reporter=SilentReporter(),
        **more,
    ).run(scan([folder / "in"]))
    assert not report.failures
    return json.loads((folder / "out" / "summary.json").read_text())


def test_only_warnings_are_told_by_themselves():
    code = (
        "import logging, warnings; warnings.simplefilter('ignore')\n"
        "import essentia_maest as maest\n"
        f"maest.Model({str(UNTRAINED)!r})\n"
        "log = logging.getLogger('essentia_maest.x')\n"
        "log.info('nobody asked for this')\nlog.warning('everybody should know this')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == "everybody should know this\n"


def test_an_opened_model_is_logged(caplog):
    with caplog.at_level(logging.DEBUG, "essentia_maest"):
        model = maest.Model(UNTRAINED, num_threads=1)
    info, debug = caplog.records
    assert (info.name, info.levelname) == ("essentia_maest.opened_model", "INFO")
    assert str(UNTRAINED) in info.getMessage()
    assert str(model.operators) in info.getMessage()
    assert debug.levelname == "DEBUG"
    assert maest.provenance()["kernels"]["isa"] in debug.getMessage()


@pytest.mark.parametrize("long_seconds", [1000.0, 0.1])
def test_what_worker_processes_log_is_logged_here(tmp_path, caplog, long_seconds):
    wav = write_audio(tmp_path / "in" / "a.wav", 1.0, 16000, 1)
    opus = write_audio(tmp_path / "in" / "b.opus", 1.0, 48000, 1)
    decoders = [maest.AudioFile(path).decoder for path in (wav, opus)]
    with caplog.at_level(logging.DEBUG, "essentia_maest"):
        collect(tmp_path, long_seconds=long_seconds)
    told = [one.getMessage() for one in caplog.records if one.name.endswith("decoding.opening")]
    use_libraries()
    assert sorted(told) == [
        f"{wav}: pcm_s16le in wav, decoded by {decoders[0]}",
        f"{opus}: opus in ogg, decoded by {decoders[1]}",
    ]
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "essentia_maest"):
        collect(tmp_path, resume=True)
    resumed = [one.getMessage() for one in caplog.records if "done before" in one.getMessage()]
    assert len(resumed) == 3
    assert resumed[-1] == "2 of 2 tracks were done before"


def test_workers_keep_no_log_that_nobody_wants(tmp_path, monkeypatch):
    write_audio(tmp_path / "in" / "a.wav", 0.5, 16000, 1)
    kept = []
    monkeypatch.setattr("essentia_maest.collection.decoding_pool.tell_again", kept.append)
    collect(tmp_path)
    assert kept == [[]]


def test_verbose_tells_on_stderr_and_leaves_no_handler(tmp_path, capsys):
    path = write_audio(tmp_path / "a.wav", 0.5, 16000, 1)
    before = (log.LOGGER.handlers[:], log.LOGGER.level)
    command = ["analyze", str(path), "-o", str(tmp_path / "out"), "--model", str(UNTRAINED)]
    command += ["--format", "files"]
    assert main([*command, "--block", "1", "--verbose"]) == 0
    told = capsys.readouterr().err
    assert re.search(
        rf"^\d+-.* essentia_maest\.opened_model: opened {UNTRAINED}", told, re.MULTILINE
    )
    assert f"{path}: pcm_s16le in wav, decoded by FFmpeg" in told
    assert (log.LOGGER.handlers, log.LOGGER.level) == before
    assert main([*command, "--block", "1"]) == 0
    assert "decoded by" not in capsys.readouterr().err
    assert main(["info", "default", "--verbose"]) == 0
    assert "essentia_maest.opened_model: opened" in capsys.readouterr().err


# --- timings ------------------------------------------------------------------------------------


def test_a_stream_tells_where_the_time_went():
    model = maest.Model(UNTRAINED, num_threads=1)
    stream = model.open_stream(Request(("predictions",)))
    assert stream.seconds == (0.0, 0.0)
    audio = np.random.default_rng(0).standard_normal(16000 * 60).astype(np.float32)
    started = time.perf_counter()
    stream.push(audio)
    stream.finish()
    taken = time.perf_counter() - started
    front_end, computing = stream.seconds
    assert 0 < front_end < computing  # a network is more work than its input
    # Together they are most of it, and no more than it.
    assert 0.7 * taken < front_end + computing <= taken
    stream.reset()
    stream.push(audio[: 16000 * 10])
    assert stream.seconds > (front_end, 0)  # over all signals


@pytest.mark.slow
@pytest.mark.parametrize("long_seconds", [1000.0, 0.1])
def test_a_run_tells_where_the_time_went(tmp_path, long_seconds):
    for name in ("a.mp3", "b.mp3"):
        write_audio(tmp_path / "in" / name, 40.0)
    summary = collect(tmp_path, long_seconds=long_seconds)
    seconds = summary["stage_seconds"]
    assert list(seconds) == ["decode", "front_end", "model", "writing"]
    assert all(taken > 0 for taken in seconds.values())
    assert max(seconds.values()) < summary["wall_seconds"]  # one worker and one thread


def test_timings_are_told_at_the_end(tmp_path, capsys):
    path = write_audio(tmp_path / "a.wav", 12.0, 16000, 1)
    command = ["analyze", str(path), "-o", str(tmp_path / "out"), "--model", str(UNTRAINED)]
    assert main([*command, "--timings", "--quiet"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "timings" in line]
    told = dict(re.findall(r"(decode|front end|model|writing) (\d+\.\d\d) s", line))
    seconds = json.loads((tmp_path / "out" / "summary.json").read_text())["stage_seconds"]
    for name, taken in seconds.items():
        assert float(told[name.replace("_", " ")]) == pytest.approx(taken, abs=0.006)


# --- profile ------------------------------------------------------------------------------------


def test_a_profile_names_the_operators(tmp_path):
    path = write_audio(tmp_path / "a.wav", 12.0, 16000, 1)
    command = [
        *(sys.executable, "-m", "essentia_maest", "analyze", str(path)),
        *("-o", str(tmp_path / "out"), "--model", str(UNTRAINED), "--quiet"),
        *("--profile", "profile"),
    ]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    (profile,) = tmp_path.glob("profile_*.json")
    events = json.loads(profile.read_text())
    operators = {event.get("args", {}).get("op_name") for event in events}
    assert "MatMul" in operators
    assert any("BiasGelu" in str(name) for name in operators)


def test_no_profile_is_written_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ESSENTIA_MAEST_PROFILE", "")
    model = maest.Model(UNTRAINED, num_threads=1)
    model.predict(np.zeros(170_000, np.float32))
    del model
    assert not list(tmp_path.iterdir())
