"""The torture: its short form finds nothing, and what is wrong it would find."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from essentia_maest.making.conversion import convert_random
from lab.torture.asked import Asked, DiedError, HungError
from lab.torture.child import Child, processes_of, run
from lab.torture.collection import shared_memory
from lab.torture.command import torture
from lab.torture.damage import damaged
from lab.torture.damaged_audio import damaged_audio
from lab.torture.figures import COUNTS, FAULTS, Figures
from lab.torture.fuzzers import hollow_model
from lab.torture.hostile_pickles import PICKLES
from lab.torture.model_changes import _CHANGES, changed
from lab.torture.odd_files import no_sound, sound_ones
from lab.torture.odd_names import odd_folders, odd_names
from lab.torture.parts import PARTS
from lab.torture.side_by_side import side_by_side
from lab.torture.tables import page
from lab.torture.work import Work
from untrained import UNTRAINED

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str | Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", "torture", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


# --- the short form -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("part", [part.name for part in PARTS if part.short])
def test_the_short_form_finds_nothing(part, tmp_path):
    """All parts together take less than five minutes; each is a test of its own."""
    seed = os.environ.get("MAEST_TEST_SEED", "0")
    done = command("--short", "--only", part, "--seed", seed, "-o", tmp_path, "--minutes", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "torture.json").read_text())["parts"][part]
    assert found["inputs"] > 0
    assert {name: found[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)


# --- the command --------------------------------------------------------------------------------


def fake_part(figures: Figures, monkeypatch):
    monkeypatch.setattr("lab.torture.kills.kills", lambda work: figures)


@pytest.fixture
def ask(tmp_path):
    import argparse

    def asked(*arguments: str) -> int:
        parser = argparse.ArgumentParser()
        told = lambda line, code: print(line) or code  # noqa: E731
        kept = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        try:
            return torture(
                parser, ["-o", str(tmp_path), "--cache", str(tmp_path), *arguments], told
            )
        finally:
            signal.signal(signal.SIGINT, kept[0])
            signal.signal(signal.SIGTERM, kept[1])

    return asked


def test_the_exit_code_says_whether_all_is_zero(ask, monkeypatch, tmp_path, capsys):
    fake_part(Figures(inputs=7), monkeypatch)
    assert ask("--only", "kills") == 0
    assert "| 7 | 0 | 0 | 0 | 0 | 0 | 0 |" in capsys.readouterr().out
    bad = Figures(inputs=7)
    bad.fault("losses", "try 3: a.npy <is> \x1b[31m missing", 2)
    fake_part(bad, monkeypatch)
    assert ask("--only", "kills") == 1
    written = (tmp_path / "torture.md").read_text()
    assert "| 7 | 0 | 0 | 2 | 0 | 0 | 0 |" in written
    assert "losses: try 3: a.npy &lt;is> ?[31m missing" in written
    # What was done before stays, unless the seed is another.
    fake_part(Figures(inputs=1), monkeypatch)
    assert ask("--only", "kills", "--resume") == 1
    assert ask("--only", "kills", "--resume", "--seed", "1") == 0


def test_a_part_that_fails_is_no_zero(ask, monkeypatch):
    def fail(work):
        raise RuntimeError("no undisturbed run")

    monkeypatch.setattr("lab.torture.kills.kills", fail)
    assert ask("--only", "kills") == 1


def test_parts_are_done_side_by_side_and_all_are_kept(ask, monkeypatch, tmp_path):
    """Each by a command of its own; a part of which nothing is heard is a fault."""
    asked = []

    def stand_in(commands: list[list[str]], jobs: int) -> None:
        asked.append(jobs)
        for command in commands:
            if "odd" not in command:
                assert ask(*command) == 0

    monkeypatch.setattr("lab.torture.command.side_by_side", stand_in)
    fake_part(Figures(inputs=1), monkeypatch)
    monkeypatch.setattr("lab.torture.disks.disks", lambda work: Figures(inputs=2))
    assert ask("--only", "kills", "--only", "disks", "--jobs", "3") == 0
    kept = json.loads((tmp_path / "torture.json").read_text())["parts"]
    assert {name: part["inputs"] for name, part in kept.items()} == {"kills": 1, "disks": 2}
    assert ask("--only", "kills", "--only", "odd") == 1
    assert asked == [3, 2]


def test_commands_are_run_so_many_at_a_time(tmp_path, monkeypatch):
    script = tmp_path / "lab.py"
    script.write_text(
        "import os, sys, time\n"
        "open(sys.argv[2], 'w').close(); time.sleep(0.3)\n"
        "open(sys.argv[2] + ' most', 'w').write(str(len(os.listdir('.'))))\n"
        "os.remove(sys.argv[2])\n"
    )
    monkeypatch.setattr("lab.torture.side_by_side.ROOT", tmp_path)
    side_by_side([[f"part {number}"] for number in range(4)], 2)
    assert len(list(tmp_path.glob("part * most"))) == 4
    assert not (tmp_path / "part 3").exists()


@pytest.mark.parametrize("word", ["nothing", "kills:x"])
def test_parts_that_do_not_exist(ask, word, capsys):
    assert ask("--only", word) == 2
    assert f"no part '{word}'" in capsys.readouterr().out


def test_what_is_missing_is_told(ask, tmp_path, monkeypatch):
    monkeypatch.setattr("lab.torture.kills.kills", lambda work: work.tell("ffmpeg is not here"))

    def nothing(part, work):
        part.do(work)
        return Figures()

    monkeypatch.setattr("lab.torture.command._figures_of", nothing)
    ask("--only", "kills")
    written = (tmp_path / "torture.md").read_text()
    assert "Not there: ffmpeg is not here" in written
    assert "Not done: odd" in written


def test_tries_can_be_had_again(tmp_path):
    work = Work("models", 3, tmp_path, tmp_path, only=range(5, 6))
    figures = Figures()
    assert list(work.tries(100, figures)) == [5]
    assert figures.inputs == 1
    assert work.chance(5).random() == Work("models", 3, tmp_path, tmp_path).chance(5).random()
    late = Work("models", 3, tmp_path, tmp_path, deadline=0.0)
    assert list(late.tries(100, figures)) == []


def test_figures_come_back_from_json():
    figures = Figures(inputs=3)
    for number in range(50):
        figures.fault("hangs", f"{number}")
    kept = Figures.from_json(json.loads(json.dumps(figures.as_json())))
    assert (kept.inputs, kept.hangs, kept.faults) == (3, 50, 50)
    assert kept.notes[-1] == "and 10 more"
    other = Figures()
    other.add(figures, "part ")
    assert other.notes[0] == "part hangs: 0"
    assert set(COUNTS) == {"inputs", *FAULTS}


def test_the_page_names_every_part():
    told = {"seconds": 90.0, "cpu_seconds": 60.0, "absent": ["ffmpeg is not here"]}
    told |= {"commit": "abc", "ended": "2026-11-27T18:00+00:00"}
    parts = {part.name: {**Figures(inputs=1000).as_json(), **told} for part in PARTS}
    about = {"description": "a machine", "versions": "Python"}
    written = page({"machine": about, "seed": 4, "short": False, "parts": parts})
    row = (
        "| kills: runs with killed processes, resumed | 1,000 | 0 | 0 | 0 | 0 | 0 | 0 | 1.5 | 1.0 |"
    )
    assert row in written
    assert "2026-11-27, commit abc." in written
    assert "Not there: ffmpeg is not here." in written
    assert f"| all | {1000 * len(PARTS):,} |" in written
    assert "Seed 4, long form" in written


# --- processes ----------------------------------------------------------------------------------


def test_what_is_left_behind_is_found_and_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("lab.torture.child._LEAVE_SECONDS", 0.2)
    ended = run(["sh", "-c", "sleep 100 & echo words >&2; exit 3"], tmp_path, 60)
    assert (ended.code, ended.words, len(ended.left)) == (3, "words\n", 1)
    assert not Path(f"/proc/{ended.left[0]}").exists() or not processes_of(ended.left[0])


def test_what_hangs_is_ended(tmp_path):
    child = Child(["sh", "-c", "sleep 100"], tmp_path)
    ended = child.ended(0.2)
    assert ended.hung
    assert not child.running()


def test_what_others_took_of_the_machine_is_no_hang(tmp_path, monkeypatch):
    command = [sys.executable, "-c", "import time; time.sleep(2.5)"]
    assert Child(command, tmp_path).ended(1.0).hung
    monkeypatch.setattr("lab.torture.child.Starved.seconds", lambda self: 60.0)
    assert Child(command, tmp_path).ended(1.0).code == 0
    with start_worker(tmp_path, monkeypatch) as asked:
        monkeypatch.setattr("lab.torture.asked.Starved.seconds", lambda self: 60.0)
        assert asked.ask("wait a little", 0.5) == {"outcome": "wait a little"}


def test_shared_memory_is_listed():
    paths = [Path("/dev/shm") / f"{name}-test-{os.getpid()}" for name in ("maest", "torch")]
    for path in paths:
        path.touch()
    try:
        assert [path.name in shared_memory() for path in paths] == [True, False]
    finally:
        for path in paths:
            path.unlink()


WORKER = """
import json, os, sys, time
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    try:
        if question == "die": os.abort()
        if question == "wait": time.sleep(60)
        if question == "wait a little": time.sleep(1.5)
        while question == "hang":
            try: time.sleep(60)
            except KeyboardInterrupt: pass
    except KeyboardInterrupt:
        question = "interrupted"
    print(json.dumps({"outcome": question}), flush=True)
"""


def start_worker(place: Path, monkeypatch) -> Asked:
    (place / "worker_of_this_test.py").write_text(WORKER)
    monkeypatch.setattr("lab.torture.asked._INTERRUPT_SECONDS", 1.0)
    return Asked("worker_of_this_test", variables={"PYTHONPATH": str(place)})


def test_a_process_that_is_asked(tmp_path, monkeypatch):
    with start_worker(tmp_path, monkeypatch) as asked:
        assert asked.ask("x", 60) == {"outcome": "x"}
        assert asked.ask("wait", 0.5) == {"outcome": "interrupted"}
        with pytest.raises(HungError):
            asked.ask("hang", 0.5)
    with start_worker(tmp_path, monkeypatch) as asked, pytest.raises(DiedError, match="SIGABRT"):
        asked.ask("die", 60)


# --- what is made -------------------------------------------------------------------------------


def test_names_are_odd_and_differ(tmp_path):
    names = odd_names(random.Random(1), 150, 250)
    assert len(set(names)) == 150
    assert max(map(len, names)) == 250
    for name in names:
        (tmp_path / os.fsdecode(name + b".wav")).touch()
    assert len(list(tmp_path.iterdir())) == 150
    deepest = odd_folders(tmp_path)[-1]
    assert len(deepest) > 3000
    assert os.path.isdir(deepest)


def test_good_files_are_where_they_are_said_to_be(tmp_path):
    good = sound_ones(tmp_path / "good", random.Random(1), 60)
    assert len(good) > 50
    assert all(os.path.getsize(path) > 40 for path in good)
    special = no_sound(tmp_path / "none")
    assert any(Path(path).is_fifo() for path in special)


def test_damage_is_the_same_again():
    content = bytes(range(256)) * 40
    one = [damaged(content, random.Random(seed)) for seed in range(200)]
    assert one == [damaged(content, random.Random(seed)) for seed in range(200)]
    assert sum(data == content for data in one) < 5
    assert damaged(b"", random.Random(1)) is not None


def test_every_kind_of_model_is_made():
    content = UNTRAINED.read_bytes()
    kinds = {}
    for seed in range(120):
        kind, made = changed(content, random.Random(seed))
        kinds[kind.partition(",")[0]] = made
    assert set(kinds) >= {"bytes", *(set(_CHANGES) - {"endless loop"})}
    for kind, change in _CHANGES.items():
        model = onnx.load_from_string(content)
        for seed in range(10):  # a change may hit what cannot be changed
            change(model, random.Random(seed))
        assert model.SerializeToString() != content, kind


def test_models_that_deceive_would_be_let_in(tmp_path):
    """The process that opens models tells a wrong result from a right one."""
    model = convert_random("tiny", tmp_path / "model.onnx", classes=12)
    with Asked("lab.torture.model_worker") as asked:
        assert asked.ask(str(model), 60)["outcome"] == "ran"
        model.write_bytes(b"nonsense")
        answer = asked.ask(str(model), 60)
        assert answer["outcome"] == "refused"
        assert "nonsense" not in answer["words"]


def test_a_hollow_model_passes_for_a_real_one(tmp_path):
    path = hollow_model(tmp_path / "hollow.onnx")
    assert path.stat().st_size < 10_000
    model = maest.Model(path)
    assert len(model.labels) == 3
    with pytest.raises(maest.ModelError):  # what it gives is not what it says
        model.predict(np.zeros(11 * 16000, np.float32))


def test_hostile_pickles_are_hostile(tmp_path):
    """Python's own reader runs what they hold: the canary would be seen."""
    ran = 0
    for seed in range(40):
        place, canary = tmp_path / str(seed), tmp_path / f"canary {seed}"
        place.mkdir()
        path = PICKLES["pickle that executes"](place, random.Random(seed), canary)
        if path.read_bytes()[:2] == b"PK":
            continue
        code = f"import pickle; pickle.load(open({str(path)!r}, 'rb'))"
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        ran += canary.exists()
    assert ran > 5


def test_damaged_audio_files_become_figures(tmp_path, monkeypatch):
    class Outcomes:
        files = 20
        crashes = ({"number": 3, "outcome": "crashed"},)
        hangs = greedy = odd = ()

    module = types.ModuleType("lab.formats.damage")
    module.FORMATS = {"mp3": "", "flac": ""}
    module.damage_format = lambda name, folder, count, seed, workers: Outcomes()
    monkeypatch.setattr("lab.torture.damaged_audio.find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "lab.formats.damage", module)
    figures = damaged_audio(Work("audio", 3, tmp_path, tmp_path))
    assert (figures.inputs, figures.crashes, figures.faults) == (40, 2, 2)
    assert figures.notes[0] == 'crashes: mp3: {"number": 3, "outcome": "crashed"}'
