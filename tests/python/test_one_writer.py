"""Two runs into one folder of tables: the second is refused, and no row is there twice."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import threading

import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import Model
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.commands.cli import BAD_USAGE, main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.results.one_writer import OneWriter
from untrained import UNTRAINED


def test_the_second_is_refused_until_the_first_ends(tmp_path):
    first, second = OneWriter(tmp_path), OneWriter(tmp_path)
    first.begin()
    first.begin()
    with pytest.raises(InvalidArgumentError, match="another run is writing there"):
        second.begin()
    first.end()
    second.begin()
    del second
    first.begin()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_is_killed_lets_go(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from essentia_maest.results.one_writer import OneWriter\n"
        "writer = OneWriter(Path(sys.argv[1])); writer.begin()\n"
        "print('taken', flush=True); time.sleep(100)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        with pytest.raises(InvalidArgumentError):
            OneWriter(tmp_path).begin()
        process.kill()
        process.wait()
    OneWriter(tmp_path).begin()


def test_file_systems_that_cannot_do_it_are_written_to(tmp_path, monkeypatch, caplog):
    def refused(descriptor: int, how: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    OneWriter(tmp_path).begin()
    OneWriter(tmp_path).begin()
    assert "cannot be kept from other runs" in caplog.text


def test_runs_side_by_side_write_each_row_once(tmp_path):
    music, out = tmp_path / "music", tmp_path / "out"
    for number in range(6):
        write_audio(music / f"{number}.flac", 6.0, 16000, 1, seed=number)
    model = Model(UNTRAINED, num_threads=1)
    outcomes: list[object] = []
    ready = threading.Barrier(3)

    def analyse() -> None:
        run = CollectionRun(
            model,
            AnalysisOptions.of(block=1),
            TableSink(out, most_tracks=1),
            workers=1,
            reporter=SilentReporter(),
            resume=True,
        )
        ready.wait()
        try:
            outcomes.append(run.run(scan([music])).analyzed)
        except InvalidArgumentError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=analyse) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = maest.open_results(out).ids
    assert len(set(ids)) == len(ids) == 6
    assert sum(outcome for outcome in outcomes if isinstance(outcome, int)) == 6
    for words in outcomes:
        assert isinstance(words, int) or "another run is writing there" in words


def test_the_command_says_so(tmp_path, capsys):
    write_audio(tmp_path / "a.flac", 6.0, 16000, 1)
    out = tmp_path / "out"
    out.mkdir()
    holder = OneWriter(out)
    holder.begin()
    command = ["analyze", str(tmp_path / "a.flac"), "-o", str(out), "--model", str(UNTRAINED)]
    assert main([*command, "--block", "1"]) == BAD_USAGE
    assert "another run is writing there" in capsys.readouterr().err
    holder.end()
    assert main([*command, "--block", "1"]) == 0
