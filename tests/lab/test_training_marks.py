"""Training steps beside the marks: cases apart from each other, and verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from essentia_maest.errors import InvalidArgumentError
from lab.training_speed import marks, one_case
from lab.training_speed.marks import Planned, dry_cases, gpu_cases, page, training_speed
from lab.training_speed.steps import MODES, PEERS

STEP = Planned("30 s", "step", {"tracks": 48}, marked=True)


def result(best: float, share: float) -> dict[str, float | None]:
    return {"best": best, "median": 2 * best, "share": share, "memory": None}


@pytest.mark.parametrize(
    ("best", "share", "told"),
    [
        (0.030, 0.5, "| 0.03 | 0.06 | 1,600 | 0.50 |  | 4.5 h | reached |"),
        (0.030, 0.4, "| 4.5 h | 25% too slow for the rate |"),
        (0.040, 0.5, "| 6.0 h | 20% too slow for 5 h |"),
        (0.040, 0.4, "25% too slow for the rate; 20% too slow for 5 h |"),
    ],
)
def test_a_row_says_whether_the_marks_are_reached(best: float, share: float, told: str) -> None:
    assert told in page([(STEP, result(best, share))], "here")
    unmarked = page([(replace(STEP, marked=False), result(best, share))], "here")
    assert "too slow" not in unmarked
    assert "reached" not in unmarked


def test_a_case_that_fails_or_hangs_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each in a process of its own, here played: they take too long to start for a test."""
    names = ("broken", "hanging", "done", "late")
    cases = [replace(dry_cases()[0], name=name, more={"rounds": name}) for name in names]
    asked: list[str] = []

    def run(command: list[str], *, timeout: float, **_: object) -> SimpleNamespace:
        assert command[1:3] == ["-m", "lab.training_speed.one_case"]
        asked.append(json.loads(command[3])["rounds"])
        if asked[-1] == "hanging":
            raise subprocess.TimeoutExpired(command, timeout)
        if asked[-1] == "broken":
            return SimpleNamespace(returncode=1, stdout="", stderr="Traceback\nKeyError: 7\n")
        told = "something else\n" + json.dumps(result(0.5, 0.25))
        return SimpleNamespace(returncode=0, stdout=told, stderr="")

    monkeypatch.setattr(marks, "dry_cases", lambda: cases)
    clock = iter([0.0, 0.0, 0.0, 0.0, 1e6])
    monkeypatch.setattr(marks, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(marks.subprocess, "run", run)
    table = training_speed(tmp_path, dry=True).read_text(encoding="utf-8")
    assert asked == ["broken", "hanging", "done"]
    assert "| broken | KeyError: 7 | | | | | | |" in table
    assert "| hanging | not done after 240 s | | | | | | |" in table
    assert "| done | 0.5 | 1 | 4 | 0.25 |" in table
    assert "| late | not begun: the time was over | | | | | | |" in table
    assert "Its numbers say nothing" in table
    found = json.loads((tmp_path / "training_speed.json").read_text(encoding="utf-8"))
    assert [set(one) == {"name", "error"} for one in found] == [True, True, False, True]


@pytest.mark.parametrize("kind", ["step", "fit"])
def test_a_case_measures(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = next(one for one in dry_cases() if one.kind == kind and one.case["peer"] == "eager")
    asked = json.dumps({"kind": kind, "case": {**case.case, "tracks": 1}, **case.more})
    monkeypatch.setattr(sys, "argv", ["one_case", asked])
    one_case.main()
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert 0 < found["best"] <= found["median"]
    assert 0 < found["share"] < 2
    assert found["memory"] is None


def test_what_a_gpu_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cases = gpu_cases()
    peers = {str(case.case["peer"]).removeprefix("narrow ") for case in cases}
    assert peers <= {*PEERS, *MODES}
    assert {case.case["precision"] for case in cases} == {"bfloat16", "float32"}
    assert {case.case.get("matmul_precision") for case in cases} == {None, "high", "highest"}
    assert len({case.name for case in cases}) == len(cases)
    marked = {(case.kind, case.case["seconds"]) for case in cases if case.marked}
    assert marked == {("step", 10), ("step", 30), ("fit", 10), ("fit", 30)}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OSError, match="no GPU here"):
        training_speed(tmp_path)
    assert not list(tmp_path.iterdir())


def test_some_cases_may_be_named(tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "_measured", lambda planned, seconds: {"error": planned.name})
    names = tuple(case.name for case in reversed(dry_cases()[1:]))
    table = training_speed(tmp_path, dry=True, only=names).read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| 10 s")]
    assert tuple(rows) == names
    with pytest.raises(InvalidArgumentError, match="no case '30 s'; there are: 10 s, 2 tracks"):
        training_speed(tmp_path, dry=True, only=("30 s",))
