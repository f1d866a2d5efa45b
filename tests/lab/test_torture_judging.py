"""What judges the runs of the torture: what is wrong it finds, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lab.torture.child import Ended
from lab.torture.collection import (
    Collection,
    check_all,
    check_end,
    check_summary,
    check_whole,
    let_age,
    make_collections,
    scraps_of,
)
from lab.torture.figures import FAULTS, Figures
from lab.torture.kept import FILES, TABLES, segments_of_nothing

ENDED = Ended(0, "", (), 1.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("torture")


@pytest.fixture(scope="module")
def collections(place) -> tuple[Collection, ...]:
    return make_collections(place, 2, long=False)


@pytest.fixture
def collection(collections) -> Collection:
    return next(one for one in collections if one.form == FILES)


@pytest.fixture
def tables(collections) -> Collection:
    return next(one for one in collections if one.form == TABLES)


def copied(place: Path, collection: Collection, out: Path) -> Path:
    return Path(shutil.copytree(place / f"undisturbed {collection.form}", out))


@pytest.fixture
def out(collection, place, tmp_path) -> Path:
    return copied(place, collection, tmp_path / "out")


def found_by(check, *arguments) -> dict[str, int]:
    figures = Figures()
    check(figures, "try", *arguments)
    assert len(figures.notes) == bool(figures.faults) or figures.faults > 0
    return {name: getattr(figures, name) for name in FAULTS if getattr(figures, name)}


def test_whole_results_have_no_fault(collection, out):
    assert collection.tracks == 2
    assert found_by(check_all, out, collection) == {}


def test_losses_are_found(collection, out):
    array = next(out.rglob("*.npy"))
    content = array.read_bytes()
    array.write_bytes(content[:-4])
    assert found_by(check_whole, out, collection) == {"losses": 1}
    array.write_bytes(content[:-4] + b"\0\0\x80\x3f")
    assert found_by(check_whole, out, collection) == {"losses": 1}
    array.unlink()  # its JSON speaks for it
    assert found_by(check_whole, out, collection) == {"losses": 1}
    for path in out.rglob("*.json"):
        path.unlink()
    assert found_by(check_whole, out, collection) == {}
    assert found_by(check_all, out, collection)["losses"] == 3


def test_whole_tables_have_no_fault(tables, place, tmp_path):
    out = copied(place, tables, tmp_path / "out")
    assert tables.tracks == 2
    assert found_by(check_all, out, tables) == {}
    assert segments_of_nothing(out) == []


@pytest.mark.parametrize("table", ["tracks", "segments"])
def test_losses_of_tables_are_found(tables, place, tmp_path, table):
    out = copied(place, tables, tmp_path / "out")
    path = next((out / table).iterdir())
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    assert found_by(check_whole, out, tables)["losses"] >= 1
    path.unlink()
    assert found_by(check_all, out, tables)["losses"] >= 2
    if table == "segments":
        assert found_by(check_whole, out, tables)["losses"] >= 2
    else:  # what was never written is no fault of what was
        assert found_by(check_whole, out, tables) == {}
        assert len(segments_of_nothing(out)) == 1


def test_rows_that_are_there_twice_are_found(tables, place, tmp_path):
    out = copied(place, tables, tmp_path / "out")
    path = next((out / "tracks").iterdir())
    shutil.copy(path, path.with_name("part-00009-abcdef.parquet"))
    assert found_by(check_all, out, tables) == {"losses": 2}
    (out / "notes.txt").touch()
    assert found_by(check_all, out, tables) == {"losses": 2, "scraps": 1}


def test_what_computed_a_result_may_be_told_otherwise(collection, out):
    path = next(path for path in out.rglob("*.json") if path.name != "summary.json")
    result = json.loads(path.read_text())
    path.write_text(json.dumps({**result, "provenance": {}}))
    assert found_by(check_all, out, collection) == {}
    path.write_text(json.dumps({**result, "duration": 1}))
    assert found_by(check_all, out, collection) == {"losses": 1}


def test_scraps_are_found(tmp_path):
    names = [".maest-0123456789abcdef.part", "maest-abc", "deep/.maest-x.tmp"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "song.maest-x.json").touch()
    found = scraps_of(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in found) == sorted(names)
    let_age(found)
    assert all(path.stat().st_mtime < (tmp_path / "deep").stat().st_mtime - 3600 for path in found)


SUMMARY = {
    "stopped": None,
    "failures": [],
    "counts": {"found": 2, "analyzed": 2, "resumed": 0, "not_reached": 0, "failed": 0},
}


@pytest.mark.parametrize(
    ("changes", "code", "fault"),
    [
        ({}, 0, False),
        ({"stopped": "full"}, 3, False),
        ({"stopped": "full"}, 0, True),
        ({"stopped": "interrupted"}, 130, False),
        ({}, 143, True),
        ({"failures": [{"stage": "decode"}]}, 1, True),
        ({"counts": {**SUMMARY["counts"], "analyzed": 1}}, 0, True),
        ({"counts": {**SUMMARY["counts"], "found": 3, "not_reached": 1}}, 0, True),
    ],
)
def test_summaries_that_hide_something(tmp_path, changes, code, fault):
    (tmp_path / "summary.json").write_text(json.dumps({**SUMMARY, **changes}))
    found = found_by(check_summary, tmp_path, Ended(code, "", (), 1.0))
    assert ("untold" in found) == fault


def test_no_summary(tmp_path):
    assert found_by(check_summary, tmp_path, ENDED) == {"untold": 1}


@pytest.mark.parametrize(
    ("ended", "kinds"),
    [
        (ENDED, set()),
        (Ended(None, "", (), 9.0), {"hangs"}),
        (Ended(-11, "", (), 1.0), {"crashes"}),
        (Ended(-9, "", (), 1.0), set()),
        (Ended(2, "", (), 1.0), {"untold"}),
        (Ended(0, "Traceback (most recent call last)", (), 1.0), {"crashes"}),
        (Ended(0, "==1==ERROR: AddressSanitizer: heap", (), 1.0), {"crashes"}),
        (Ended(0, "", (7,), 1.0), {"hangs"}),
    ],
)
def test_ends_that_may_not_be(ended, kinds):
    assert set(found_by(check_end, ended, [0, -9])) == kinds


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('File "<frozen site>", line 73, in <module>\nKeyboardInterrupt', True),
        (
            'File "/x/essentia_maest/__init__.py", line 14\n    from . import starting\n'
            "KeyboardInterrupt",
            True,
        ),
        ('File "/x/essentia_maest/head.py", line 3\nKeyboardInterrupt', False),
        (
            'File "/x/essentia_maest/__init__.py", line 30\n    import model\nKeyboardInterrupt',
            False,
        ),
        ('File "<frozen site>", line 73, in <module>\nImportError', False),
    ],
)
def test_what_python_says_in_its_own_start_is_no_fault_of_ours(words, told):
    assert (
        Ended(1, f"Traceback (most recent call last)\n{words}", (), 1.0).before_the_product == told
    )
