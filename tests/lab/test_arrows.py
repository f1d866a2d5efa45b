"""Who may import whom, and what has one room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each imports those before it only; what stands beside them may be imported by all.
ORDER = ("recipe", "data", "model", "run", "export")
# `data` knows no network, `model` no data set.
NOT = {("model", "data")}


def imported(path: Path) -> Iterator[str]:
    """Give the full names of the modules that a file imports, relative ones resolved."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*base, *(node.module or "").split(".")])


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("room", ORDER)
def test_training_is_in_the_order_in_which_it_happens(room: str) -> None:
    later = ORDER[ORDER.index(room) + 1 :]
    for path in sources(f"training/{room}"):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != "training" or len(parts) < 2:
                continue
            assert parts[1] not in later, f"{path} imports {name}"
            assert (room, parts[1]) not in NOT, f"{path} imports {name}"


@pytest.mark.parametrize("folder", ["training", "python/essentia_maest"])
def test_nothing_that_ships_or_trains_needs_the_workshop(folder: str) -> None:
    for path in sources(folder):
        roots = {name.split(".")[0] for name in imported(path)}
        assert "lab" not in roots, path
        assert folder == "training" or "training" not in roots, path


@pytest.mark.parametrize("folder", ["training", "lab"])
def test_files_get_their_names_in_one_room(folder: str) -> None:
    """Whole or not at all is `essentia_maest.files`; names of unfinished files are its own."""
    for path in sources(folder):
        text = path.read_text(encoding="utf-8")
        for found in ("os.replace", "os.rename", '.part"', '.partial"', "rich.progress"):
            assert found not in text, f"{path} has {found}"
