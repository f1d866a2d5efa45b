"""What a folder of results keeps, as files or as tables, in a form that can be compared."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from essentia_maest.collection.results import SUMMARY
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.files import UNFINISHED
from essentia_maest.results.columns import TIMES
from essentia_maest.results.parquet import column_values, read_table, told_by

FILES, TABLES = FORMS = ("files", "parquet")
"""How results are kept, as `maest analyze --format` calls it."""

_ROWS = ("tracks", "segments", "failures")


@dataclass
class Kept:
    """What is there.

    Attributes
    ----------
    results : dict of str to bytes
        File -> what is in it, but for the summary and what is unfinished. Of tables: track ->
        its row and those of its segments, as JSON.
    broken : list of str
        What is not whole, in words.
    """

    results: dict[str, bytes] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def kept_in(out: Path, form: str) -> Kept:
    """Read a folder of results.

    Parameters
    ----------
    out : Path
        It need not be there.
    form : str
        One of `FORMS`.

    Returns
    -------
    Kept
    """
    return _files(out) if form == FILES else _rows(out)


def _files(out: Path) -> Kept:
    kept = Kept(
        {
            str(path.relative_to(out)): path.read_bytes()
            for path in sorted(out.rglob("*"))
            if path.is_file() and path != out / SUMMARY and not path.match(UNFINISHED)
        }
    )
    for name, content in kept.results.items():
        if not name.endswith(".json"):
            continue
        try:
            arrays = json.loads(content)["arrays"].values()
        except ValueError:
            continue  # it is no result, or differs: that is found by comparing
        for array in arrays:
            if str(Path(name).parent / array) not in kept.results:
                kept.broken.append(f"{name} without {array}")
    return kept


def _rows(out: Path) -> Kept:
    kept = Kept()
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out)
        if path.is_dir() or path == out / SUMMARY or path.match(UNFINISHED):
            continue
        if len(name.parts) != 2 or name.parts[0] not in _ROWS or path.suffix != ".parquet":
            kept.results[str(name)] = b"no table"
    for part, rows, segments in _parts(out, kept):
        for row in rows:
            row["of its segments"] = [one for one in segments if one["track"] == row["id"]]
            if len(row["of its segments"]) != row["segments"]:
                kept.broken.append(f"{part}: segments of {row['path']} are missing")
            name_of_track = f"{row['path']}.json"
            if name_of_track in kept.results:
                kept.broken.append(f"{part}: {row['path']} is there twice")
            right = {name: value for name, value in row.items() if name not in TIMES}
            kept.results[name_of_track] = json.dumps(right, sort_keys=True).encode()
    for path in sorted((out / "failures").glob("*.parquet")):
        _read(path, kept)
    return kept


def _parts(
    out: Path, kept: Kept
) -> Iterator[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]:
    for path in sorted((out / "tracks").glob("*.parquet")):
        rows, told = _read(path, kept)
        segments, _ = _read(out / "segments" / str(told.get("segments_file")), kept)
        yield path.name, rows, segments


def _read(path: Path, kept: Kept) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read a file of a table; what cannot be read is noted."""
    try:
        table = read_table(path)
    except (InvalidArgumentError, OSError) as error:
        kept.broken.append(f"{path.name} cannot be read: {error}")
        return [], {}
    columns = {name: column_values(table, name) for name in table.column_names}
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return rows, told_by(table.schema)


def segments_of_nothing(out: Path) -> list[Path]:
    """List files of segments that no file of tracks names.

    Parameters
    ----------
    out : Path
        A folder of tables.
    """
    named = {
        told_by(read_table(path).schema).get("segments_file")
        for path in (out / "tracks").glob("*.parquet")
    }
    return [path for path in (out / "segments").glob("*") if path.name not in named]


def same(name: str, content: bytes, right: bytes) -> bool:
    """Compare results; what computed them is told by the machine, which may be hidden.

    Parameters
    ----------
    name : str
        Of the result.
    content, right : bytes
        What is found, and what is right.
    """
    if content == right or not name.endswith(".json"):
        return content == right
    try:
        one, other = json.loads(content), json.loads(right)
    except ValueError:
        return False
    for value in (one, other):
        value.pop("provenance", None)
    return bool(one == other)


def difference(name: str, content: bytes, right: bytes) -> str:
    """Say in words how a result differs from what is right.

    Parameters
    ----------
    name, content, right
        See `same`.
    """
    words = f"differs: {len(content)} bytes, right are {len(right)}"
    if name.endswith(".npy"):
        try:
            found, wanted = (np.load(io.BytesIO(one)) for one in (content, right))
            if found.shape == wanted.shape:
                words += f", by {np.abs(found - wanted).max():.2g} at most"
        except ValueError:
            words += ", cut"
    return f"{words} ({hashlib.sha256(content).hexdigest()[:8]})"
