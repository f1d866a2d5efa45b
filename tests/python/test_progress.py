"""How far long work is, told on terminals, in log files, and where nobody listens."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from essentia_maest.progress import ProgressDisplay, tell, tracked

WORK = (
    "import sys\n"
    "from essentia_maest.progress import ProgressDisplay, tell, tracked\n"
    "with ProgressDisplay('baking', unit='loaves', every=0.0) as display:\n"
    "    display.start(3)\n"
    "    display.advance()\n"
    "    display.message('one [bold]burnt[/bold]')\n"
    "    display.advance(2)\n"
    "tell('over')\n"
    "print(sum(tracked(range(5), 'adding')))\n"
)


def test_lines_in_a_log_file(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay("baking", unit="loaves", every=0.0) as display:
        display.start(3)
        display.advance()
        display.message("one [bold]burnt[/bold]")
        display.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "baking: 3 loaves"
    assert lines[1].startswith("baking: 1 of 3 loaves, about ")
    assert lines[2] == "one [bold]burnt[/bold]"
    assert lines[3] == "baking: 3 of 3 loaves, about 0 min left"


def test_silence_lets_messages_through(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay("baking", 3, silent=True, every=0.0) as display:
        display.advance()
        display.message("burnt")
    assert capsys.readouterr().err == "burnt\n"


def test_no_more_lines_than_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in tracked(range(1000), "adding"):
        pass
    assert capsys.readouterr().err == ""


def test_nothing_done_yet_tells_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay("baking", 3, every=0.0) as display:
        display.advance(0)
    assert capsys.readouterr().err == "baking: 0 of 3\n"


def on_a_terminal(program: str) -> bytes:
    """Run a program whose stderr is a terminal; give what it shows."""
    primary, secondary = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", program], stderr=secondary, stdout=subprocess.DEVNULL
    )
    os.close(secondary)
    shown = b""
    while True:
        try:
            piece = os.read(primary, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert done.wait() == 0
    os.close(primary)
    return shown


def test_a_bar_on_a_terminal() -> None:
    shown = on_a_terminal(WORK)
    assert b"3/3" in shown
    assert b"one [bold]burnt[/bold]" in shown


def test_a_bar_for_work_that_forks_has_no_thread() -> None:
    shown = on_a_terminal(
        "import threading, time\n"
        "from essentia_maest.progress import ProgressDisplay\n"
        "with ProgressDisplay('baking', 4, forks=True) as display:\n"
        "    for _ in range(4):\n"
        "        time.sleep(0.2)\n"
        "        display.advance()\n"
        "    display.message(f'{threading.active_count()} threads')\n"
    )
    assert b"3/4" in shown  # drawn on the way
    assert b"1 threads" in shown


@pytest.mark.parametrize("log", ["2>&-", "2>/dev/full", "2> >(exit 0)"])
def test_work_goes_on_when_the_log_is_lost(log: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'sleep 0; "$0" -c "$1" {log}', sys.executable, WORK],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout == "10\n"


def test_a_closed_stderr_inside_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    tell("lost")
    with ProgressDisplay("baking", 1) as display:
        display.advance()
        display.message("lost")
