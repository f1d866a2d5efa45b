"""docs/structure.md: its arrows hold for every import, and it names every room."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "essentia_maest"

#: Room -> what its modules import nowhere, not even inside a function.
FORBIDDEN = {
    "python/essentia_maest": ["training", "lab", "torch.nn", "lightning", "transformers"],
    "python/essentia_maest/reading": [
        f"{PACKAGE}.making",
        f"{PACKAGE}.collection",
        f"{PACKAGE}.fetching",
        "torch",
        "onnx",
    ],
    "python/essentia_maest/decoding": [
        *(f"{PACKAGE}.{name}" for name in ("model", "making", "reading", "collection", "plugin")),
        "torch",
    ],
    "python/essentia_maest/making": [f"{PACKAGE}.collection", f"{PACKAGE}.commands"],
    "python/essentia_maest/plugin": [
        *(f"{PACKAGE}.{name}" for name in ("making", "collection", "decoding", "commands"))
    ],
    "python/essentia_maest/library": [
        *(f"{PACKAGE}.{name}" for name in ("results", "collection", "commands", "making", "model"))
    ],
    "python/essentia_maest/tagging": [
        *(f"{PACKAGE}.{name}" for name in ("library", "collection", "commands", "making", "model")),
        f"{PACKAGE}.results.opened",
    ],
    "python/essentia_maest/report": [
        *(f"{PACKAGE}.{name}" for name in ("collection", "commands", "making", "decoding", "model"))
    ],
    "python/essentia_maest/collection": [
        *(f"{PACKAGE}.{name}" for name in ("making", "commands", "heads", "cluster"))
    ],
    "python/essentia_maest/cluster": [
        *(f"{PACKAGE}.{name}" for name in ("making", "commands", "heads"))
    ],
    "python/essentia_maest/results": [f"{PACKAGE}.heads"],
    "python/essentia_maest/heads": [f"{PACKAGE}.making", f"{PACKAGE}.commands", "torch"],
    "training": ["lab"],
    "training/recipe": [
        *(f"training.{name}" for name in ("data", "model", "run", "export", "downstream"))
    ],
    "training/data": [*(f"training.{name}" for name in ("model", "run", "export", "downstream"))],
    "training/model": ["training.run", "training.export", "training.downstream"],
    "training/run": ["training.export", "training.finetuning", "training.downstream"],
    "training/export": ["training.finetuning", "training.downstream"],
    "training/finetuning": ["training.downstream"],
    "training/downstream": [
        *(f"training.{name}" for name in ("model", "run", "export", "finetuning"))
    ],
}


def imports_of(path: Path) -> Iterator[str]:
    """Give the full names of what a file imports, but for types alone."""
    base = ROOT / "python" if ROOT / "python" in path.parents else ROOT
    package = path.relative_to(base).parent.parts
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_arrows(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert files
    found = [
        (str(path.relative_to(ROOT)), name)
        for path in files
        for name in imports_of(path)
        for forbidden in FORBIDDEN[room]
        if name == forbidden or name.startswith(f"{forbidden}.")
    ]
    assert found == []


def test_importing_the_package_loads_nothing_that_makes_models() -> None:
    code = f"import sys, {PACKAGE}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    heavy = {"onnx", "torch", "transformers", "safetensors", "lightning", "pyarrow", "pandas"}
    assert heavy.isdisjoint(loaded)
    assert not [name for name in loaded if name.startswith(f"{PACKAGE}.making")]


def test_the_core_knows_neither_python_nor_essentia() -> None:
    included = {
        name
        for path in (ROOT / "cpp" / "core").rglob("*.[ch]*")
        for name in re.findall(r'#include [<"]([^>"]+)', path.read_text(encoding="utf-8"))
    }
    assert "vector" in included
    foreign = [name for name in included if re.match(r"pybind11|Python|essentia|algorithm\w", name)]
    assert foreign == []


def test_every_room_and_file_of_core_and_package_is_on_the_page() -> None:
    page = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")
    rooms = [
        path
        for top in ("python/essentia_maest", "training", "lab", "cpp")
        for path in (ROOT / top).iterdir()
        if path.is_dir() and path.name not in {"__pycache__"}
    ]
    assert len(rooms) > 15
    missing = [room.name for room in rooms if f"{room.name}/" not in page]
    words = set(re.findall(r"[\w*]+", page))
    stems = {path.stem for path in (ROOT / "cpp" / "core").iterdir() if path.is_file()}
    stems |= {path.stem for path in (ROOT / "python" / PACKAGE).glob("*.py")}
    stems -= {"__init__", "__main__", "_core"}
    families = tuple(word[:-1] for word in words if word.endswith("*") and len(word) > 1)
    missing += [
        stem for stem in stems if stem not in words and not (families and stem.startswith(families))
    ]
    assert missing == []
