"""What peers need, made once: environments and material. Nothing is downloaded."""

from pathlib import Path

import pytest

from lab.peers import environments, materials
from lab.peers.environments import python_of
from lab.peers.materials import Item, Materials
from lab.peers.process import PeerError
from lab.peers.sizes import SIZES


@pytest.fixture
def commands(monkeypatch):
    """Stand in for venv and pip: note what would be run."""
    run = []

    def stand_in(name, command):
        run.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir()

    monkeypatch.setattr(environments, "_run", stand_in)
    return run


def test_an_environment_is_made_once(commands, tmp_path):
    python = python_of("librosa", tmp_path)
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]]
    assert commands[1][0] == str(python)
    assert {"--no-deps", "--only-binary"} <= set(commands[1])
    assert python_of("librosa", tmp_path) == python
    assert len(commands) == 2


def test_an_environment_that_failed_is_tried_again(commands, tmp_path, monkeypatch):
    def fail(name, command):
        commands.append(command)
        raise PeerError("no network")

    with monkeypatch.context() as patch:
        patch.setattr(environments, "_run", fail)
        with pytest.raises(PeerError, match="no network"):
            python_of("librosa", tmp_path)
    python_of("librosa", tmp_path)
    assert len(commands) == 3


def test_the_tools_words_are_told():
    with pytest.raises(PeerError, match="environment x cannot be made: .*no-such-folder"):
        environments._run("x", ["ls", "/no-such-folder"])
    with pytest.raises(PeerError, match="environment x cannot be made: .*No such file"):
        environments._run("x", ["/no-such-program"])


def test_requirements_are_exact_and_without_gpu_libraries():
    files = sorted(environments._REQUIREMENTS.glob("*.txt"))
    assert len(files) >= 4
    for path in files:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        assert all(line.count("==") == 1 for line in lines)
        assert not any("nvidia" in line or "cuda" in line for line in lines)


def test_material_is_made_once_and_failures_are_kept(tmp_path, monkeypatch):
    items = {
        "sound": Item(),
        "no_such_item": Item(needs=("sound",)),
        "after": Item(needs=("no_such_item",)),
    }
    monkeypatch.setattr(materials, "ITEMS", items)
    source = Path(materials.__file__).parent / "material" / "sound.py"
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path if path.exists() else source))
    made = Materials(tmp_path, SIZES["tiny"], {})
    folder = made.folder("sound")
    assert sorted(path.name for path in folder.iterdir()) == [
        "audio.npy", "mel.npy", "normalised.npy",
    ]  # fmt: skip
    assert Materials(tmp_path, SIZES["tiny"], {}).folder("sound") == folder
    for name in ("no_such_item", "after", "after"):
        with pytest.raises(PeerError, match="no_such_item cannot be made: .*No module named"):
            made.folder(name)
    left = {path.name.partition("-")[0] for path in (tmp_path / "material").iterdir()}
    assert left == {"sound", "no_such_item"}, "a folder, and locks"
    assert sum(path.is_dir() for path in (tmp_path / "material").iterdir()) == 1
