"""What a page holds: from tables of results to columns that fit in it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from ..results.opened import Results
from ..results.parquet import column_values
from ..results.path_text import path_of_text
from .directions import in_main_directions
from .label_facts import STANDING_OUT, label_facts, labels_of_folders
from .near import neighbours_of_each
from .options import PageOptions
from .over_time import tags_over_time
from .packed import Packed, in_steps, packed_array, packed_json
from .places import NEIGHBOURS, places_on_map

FLAGS = ("truncated", "damage", "silent", "short")
"""What is remarkable about tracks: the bits of `flags`, the first is 1."""

LISTED_NEIGHBOURS = 10
MOST_FAILURES = 5000


def contents_of(results: Results, options: PageOptions, page: str) -> dict[str, Any]:
    """Gather what a page shows.

    Parameters
    ----------
    results : Results
        Of `maest analyze`.
    options : PageOptions
    page : str
        Path of the page, from which files are referred to.

    Returns
    -------
    dict
        What `page/data.js` reads: plain values, and columns as `packed` packs them.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        A table is damaged, or an option is none.
    ImportError
        See `places_on_map`.
    """
    table = results.tracks
    every = len(results.ids)
    kept = np.arange(every)[:: max(1, -(-every // options.limit))]

    def column(name: str) -> list[Any]:
        values = column_values(table, name)
        return [values[row] for row in kept.tolist()]

    roots, paths = column("root"), column("path")
    folders, folder_of = _folders(roots, paths)
    told: dict[str, Any] = {
        "tracks": len(kept),
        "allTracks": every,
        "model": _text(results.info.get("model"), "name"),
        "flagNames": FLAGS,
        "neighbours": 0,
        "columns": {
            "paths": packed_json(paths),
            "seconds": packed_array(np.array(column("seconds"), np.float32)),
            "folderOf": packed_array(folder_of.astype(np.uint32)),
            "folders": packed_json(folders),
            **_coded("rootOf", "roots", roots, lambda root: _places_of_root(root, page)),
            **_coded(
                "codecOf",
                "codecs",
                list(zip(column("container"), column("codec"), strict=True)),
                " / ".join,
            ),
            **_flags({name: column(name) for name in (*FLAGS, "seconds_promised")}),
            "failures": packed_json(_failures(results)),
        },
    }
    if "model_seconds" in table.column_names:
        took = np.add(column("decode_seconds"), column("model_seconds"))
        told["columns"]["took"] = packed_array(took.astype(np.float32))
    told["failureCount"] = results.failures.num_rows
    if "embedding" in table.column_names and len(kept):
        vectors = results.embeddings()[0]
        _add_map(told, vectors if len(kept) == every else vectors[kept], column, options.map)
    if "predictions" in table.column_names and len(kept):
        _add_labels(told, results, kept, folder_of)
        _add_over_time(told, results, results.ids[kept][: options.over_time].tolist())
    return told


def _add_map(
    told: dict[str, Any], vectors: npt.NDArray[np.float32], column: Any, kind: str
) -> None:
    directions = in_main_directions(vectors)
    rows, cosines = neighbours_of_each(
        vectors, directions, column("audio_hash"), max(LISTED_NEIGHBOURS, NEIGHBOURS)
    )
    places = places_on_map(directions, rows, cosines, kind)
    listed = min(LISTED_NEIGHBOURS, rows.shape[1])
    told["neighbours"] = listed
    told["map"] = kind
    told["columns"] |= {
        # Fractions of 65534: the last step is for tracks that have no place.
        "places": packed_array(
            np.where(np.isnan(places), 0xFFFF, np.round(places * 0xFFFE)).astype(np.uint16)
        ),
        "near": packed_array(rows[:, :listed].astype(np.int32)),
        "cosines": packed_array(in_steps(cosines[:, :listed], np.uint16)),
    }


def _add_labels(
    told: dict[str, Any],
    results: Results,
    kept: npt.NDArray[np.int64],
    folder_of: npt.NDArray[np.int64],
) -> None:
    """Add labels: they are ranked against all tracks, on the page or not."""
    every = results.predictions()[0]
    facts = label_facts(every, results.labels, results.info.get("label_families", ()), kept)
    told["labels"] = list(results.labels)
    told["families"] = facts.families
    told["familyOf"] = facts.family_of
    told["standingOut"] = STANDING_OUT
    told["columns"] |= {
        "means": packed_array(facts.means),
        "leadCounts": packed_array(facts.lead_counts.astype(np.uint32)),
        "leading": packed_array(facts.leading),
        "leadingStrengths": packed_array(in_steps(facts.leading_strengths, np.uint8)),
        "standing": packed_array(facts.standing),
        "ranks": packed_array(in_steps(facts.ranks / 100, np.uint16)),
        "strengths": packed_array(in_steps(facts.strengths, np.uint8)),
        "folderLabels": packed_json(labels_of_folders(facts, every[kept], folder_of)),
    }


def _add_over_time(told: dict[str, Any], results: Results, ids: list[int]) -> None:
    found = tags_over_time(ids, results.segment_predictions())
    there = [found[one] for one in ids if one in found]
    told["overTime"] = len(ids)

    def joined(arrays: Sequence[npt.NDArray[Any]], kind: Any) -> Packed:
        return packed_array(np.concatenate([np.zeros(0, kind), *(a.reshape(-1) for a in arrays)]))

    told["columns"] |= {
        "timeColumns": packed_array(
            np.array([len(found[one].starts) if one in found else 0 for one in ids], np.uint8)
        ),
        "timeLabelCounts": packed_array(
            np.array([len(found[one].labels) if one in found else 0 for one in ids], np.uint8)
        ),
        "timeStarts": joined([one.starts for one in there], np.float32),
        "timeLabels": joined([one.labels for one in there], np.uint16),
        "timeValues": joined([one.values for one in there], np.uint8),
    }


def _coded(name: str, names: str, values: list[Any], tell: Any) -> dict[str, Packed]:
    """Pack values of which there are few: each once, and its number for each track."""
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return {
        name: packed_array(np.array(codes, np.uint32)),
        names: packed_json([tell(value) for value in numbers]),
    }


def _places_of_root(root: str, page: str) -> dict[str, str]:
    """Tell how a browser finds a root: beside the page, and on this machine."""
    path = path_of_text(root)
    relative = os.path.relpath(path, os.path.dirname(os.path.abspath(page)))
    return {
        "name": root,
        "beside": quote(os.fsencode(relative)),
        "here": "file://" + quote(os.fsencode(os.path.abspath(path))),
    }


def _folders(roots: list[str], paths: list[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Sort tracks into folders: the first ones, from the top, of which there is more than one."""
    parts = [
        os.path.join(root, path).split("/")[:-1] for root, path in zip(roots, paths, strict=True)
    ]
    # What the first and the last in order have in common, all have.
    shared = zip(min(parts, default=[]), max(parts, default=[]), strict=False)
    depth = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], shared))
    numbers: dict[str, int] = {}
    codes = [
        numbers.setdefault(one[depth] if len(one) > depth else ".", len(numbers)) for one in parts
    ]
    return list(numbers), np.array(codes, np.int64)


def _flags(columns: dict[str, list[Any]]) -> dict[str, Packed]:
    bits = sum(
        np.array([bool(value) for value in columns[name]], np.uint8) << number
        for number, name in enumerate(FLAGS)
    )
    words = {
        str(row): [columns["seconds_promised"][row], columns["damage"][row]]
        for row in np.flatnonzero(np.asarray(bits) & 3).tolist()
    }
    return {"flags": packed_array(np.asarray(bits, np.uint8)), "flagWords": packed_json(words)}


def _failures(results: Results) -> list[list[Any]]:
    names = ("root", "path", "stage", "reason")
    columns = [column_values(results.failures, name)[:MOST_FAILURES] for name in names]
    return [list(row) for row in zip(*columns, strict=True)]


def _text(told: Any, name: str) -> str:
    return str(told.get(name, "")) if isinstance(told, dict) else ""
