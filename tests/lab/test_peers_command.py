"""`python -m lab.peers`: what it writes, how it resumes, what it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.peers", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_command_measures_and_writes(tmp_path):
    done = command(
        "--only", "mel-1:ours", "--size", "tiny", "--rounds", "1", "--threads", "1",
        "--cache", tmp_path / "cache", "--output", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "peers.json").read_text())
    (study,) = found["studies"]
    assert [peer["name"] for peer in study["peers"]] == ["Essentia, frame by frame", "ours"]
    ours = study["rows"][1]
    assert ours["cosine"] > 0.9999
    assert len(ours["seconds"]) == 1
    assert (tmp_path / "out" / "peers.md").read_text().strip() == done.stdout.strip()
    assert "| ours | mel |" in done.stdout
    assert "against Essentia's frame loop" in done.stdout


@pytest.mark.slow
def test_command_resumes(tmp_path):
    def measure_ours(*more: str) -> subprocess.CompletedProcess[str]:
        return command(
            "--size", "tiny", "--rounds", "1", "--threads", "1", "--cache", tmp_path / "cache",
            "--output", tmp_path, "--resume", *more,
        )  # fmt: skip

    path = tmp_path / "peers.json"
    assert measure_ours("--only", "mel-1:ours").returncode == 0
    (first,) = json.loads(path.read_text())["studies"]
    done = measure_ours("--only", "mel-1:ours", "--only", "embedding-1:matrix*NumPy*")
    assert "mel-1: round" not in done.stderr, "it is there already"
    found = json.loads(path.read_text())["studies"]
    assert [study["name"] for study in found] == ["embedding-1", "mel-1"]
    assert found[1] == first
    done = measure_ours("--only", "mel-1:*streaming")
    assert "mel-1: round" in done.stderr, "another peer is asked for"
    found = json.loads(path.read_text())["studies"]
    assert [study["name"] for study in found] == ["embedding-1", "mel-1"], "the other one stays"
    peers = ["Essentia, frame by frame", "Essentia, streaming", "ours"]
    assert [peer["name"] for peer in found[1]["peers"]] == peers, "and the peers that it had"
    if len(os.sched_getaffinity(0)) > 1:
        done = measure_ours("--threads", "2", "--only", "mel-2:ours")
        names = [study["name"] for study in json.loads(path.read_text())["studies"]]
        assert names == ["mel-2", "embedding-1", "mel-1"], "studies with fewer threads stay"

    kept = path.read_text()
    done = measure_ours("--only", "mel-1:ours", "--rounds", "2")
    assert done.returncode == 2
    assert "the number of rounds is 2, in the file 1" in done.stderr
    assert path.read_text() == kept
    path.write_text("no measurement")
    done = measure_ours("--only", "mel-1:ours")
    assert done.returncode == 2
    assert "holds no measurement" in done.stderr


def test_command_refuses(tmp_path):
    done = command("--threads", "9999", "--output", tmp_path)
    assert done.returncode == 2
    assert "threads" in done.stderr
    done = command("--only", "mel-1:nothing", "--threads", "1", "--output", tmp_path)
    assert done.returncode == 2
    assert "no study or peer is mel-1:nothing; --list names them" in done.stderr
    listed = command("--list", "--only", "mel-1:l*", "--threads", "1")
    assert listed.stdout.split("\n")[1:3] == ["    Essentia, frame by frame", "    librosa"]
