"""Analyses side by side: nothing changes but the time, and leaving ends them."""

from __future__ import annotations

import _thread
import threading
import time
from functools import partial

import numpy as np
import pytest

from audio_fixtures import write_audio
from essentia_maest import Model
from essentia_maest.collection.analysis import TrackAnalysis
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.collection.side_by_side import SideBySide
from essentia_maest.errors import InvalidArgumentError, StreamStoppedError
from untrained import UNTRAINED


def rest(together: SideBySide, wanted: int) -> list:
    """Wait for results."""
    found: list = []
    end = time.monotonic() + 30
    while len(found) < wanted:
        assert time.monotonic() < end
        found += together.finished()
        time.sleep(0.005)
    return found


def test_work_is_done_side_by_side_and_all_results_come():
    meeting = threading.Barrier(3, timeout=30)
    woken = []

    def work(number: int) -> int:
        meeting.wait()  # ends only when three are there
        return number

    with SideBySide(3, lambda: woken.append(1)) as together:
        for number in range(9):
            together.begin(partial(work, number))
        assert sorted(rest(together, 9)) == list(range(9))
    assert len(woken) == 9


def test_no_more_than_asked_are_done_at_once():
    counts = []
    running = threading.Semaphore(0)

    def work() -> None:
        running.release()
        time.sleep(0.02)
        counts.append(running._value)
        running.acquire()

    with SideBySide(2, lambda: None) as together:
        for _ in range(8):
            together.begin(work)
        rest(together, 8)
    assert len(counts) == 8
    assert max(counts) <= 2


def test_leaving_tells_the_work_and_waits_for_it_and_begins_no_more():
    ended = []

    def work(together: SideBySide[None]) -> None:
        assert together.stopping.wait(30)
        ended.append(1)

    def leave_early() -> None:
        with SideBySide(2, lambda: None) as together:
            for _ in range(5):
                together.begin(partial(work, together))
            raise KeyError

    with pytest.raises(KeyError):
        leave_early()
    assert len(ended) == 2


def test_what_ended_before_is_there_afterwards():
    with SideBySide(1, lambda: None) as together:
        together.begin(lambda: 3)
        together.begin(lambda: 1 // 0)
        together.begin(lambda: 4)
        while together._ended.qsize() < 3:
            time.sleep(0.005)
    assert list(together.leftovers()) == [3, 4]


def test_an_error_in_the_work_is_the_callers():
    with SideBySide(1, lambda: None) as together:
        together.begin(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            rest(together, 1)


@pytest.mark.slow
def test_a_run_that_is_left_ends_within_a_call_of_the_engine(tmp_path, monkeypatch):
    """All that came of a track is one call, which may be minutes of work: it ends in its midst."""
    write_audio(tmp_path / "in" / "a.wav", 100.0, 16000, 1)
    ends = []
    push = TrackAnalysis.push

    def note(self, samples):
        _thread.interrupt_main()
        try:
            push(self, samples)
        except StreamStoppedError:
            ends.append("stopped")
            raise
        ends.append("done")

    monkeypatch.setattr(TrackAnalysis, "push", note)
    run = CollectionRun(
        Model(UNTRAINED, num_threads=1),
        AnalysisOptions.of(hop=0.05),
        ResultFolder(tmp_path / "out"),
        workers=1,
        reporter=SilentReporter(),
    )
    with pytest.raises(KeyboardInterrupt):
        run.run(scan([tmp_path / "in"]))
    assert ends == ["stopped"]


def test_no_threads_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="threads is 0; 1 or more wanted"):
        CollectionRun(
            Model(UNTRAINED, num_threads=1),
            AnalysisOptions.of(),
            ResultFolder(tmp_path),
            workers=1,
            threads=0,
            reporter=SilentReporter(),
        )


@pytest.mark.slow
@pytest.mark.parametrize(("threads", "tracks"), [(2, 5), (5, 2)])
def test_results_do_not_depend_on_the_threads(tmp_path, threads, tracks):
    for number in range(tracks):
        write_audio(tmp_path / "in" / f"{number}.wav", 25.0 + 7 * number, 16000, 1)
    (tmp_path / "in" / "bad.wav").write_bytes(b"nothing")
    model = Model(UNTRAINED, num_threads=1)
    reports = [
        CollectionRun(
            model,
            AnalysisOptions.of(block=1, hop=5.0),
            ResultFolder(tmp_path / f"out-{count}"),
            workers=2,
            threads=count,
            reporter=SilentReporter(),
        ).run(scan([tmp_path / "in"]))
        for count in (1, threads)
    ]
    assert reports[0].analyzed == reports[1].analyzed == tracks
    assert reports[0].audio_seconds == reports[1].audio_seconds
    assert [len(report.failures) for report in reports] == [1, 1]
    for path in sorted((tmp_path / "out-1").rglob("*.npy")):
        other = tmp_path / f"out-{threads}" / path.relative_to(tmp_path / "out-1")
        np.testing.assert_array_equal(np.load(path), np.load(other))
