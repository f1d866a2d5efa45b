"""Whole or not at all is `essentia_maest.files`; progress is shown by `essentia_maest.progress`."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("folder", ["training", "lab"])
def test_files_get_their_names_in_one_room(folder: str) -> None:
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert len(sources) > 50
    for path in sources:
        text = path.read_text(encoding="utf-8")
        for found in ("os.replace", "os.rename", '.part"', '.partial"', "rich.progress"):
            assert found not in text, f"{path} has {found}"
