"""Rows of earlier runs: which audio they are of, wherever its file is by now."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .. import _core
from ..errors import InvalidArgumentError
from ..remote.urls import is_url, joined
from ..results.columns import Vectors, columns_of
from ..results.parquet import read_table, rows_of, vectors_of
from ..results.parts import Part, PartsFolder
from ..results.path_text import path_of_text, path_text
from .audio_status import size_and_mtime
from .flags import flags_of_columns
from .scan import Track
from .sinks import Earlier, RunFacts
from .track_rows import hash_of, names_of, place_of
from .track_summary import top_labels

_PLACE = ("path", "root", "size", "mtime")
# What is not looked at: of 100,000 rows it would be most of the memory.
_NOT_NEEDED = (
    *("embedding", "predictions", "top"),
    *("segments", "decoder", "container", "codec"),
)


@dataclass
class _Row:
    """A row, and the part that it is in."""

    part: Part
    values: dict[str, Any]
    taken_by: Track | None = None
    moved_to: dict[str, Any] | None = None

    @property
    def file(self) -> str:
        return joined(path_of_text(self.values["root"]), path_of_text(self.values["path"]))

    def is_there_still(self) -> bool:
        """Tell whether the file is where it was: then one with the same audio is a copy."""
        try:
            there = size_and_mtime(self.file)
        except (OSError, InvalidArgumentError):
            return False
        return there == (self.values["size"], self.values["mtime"])


class EarlierRows:
    """What is in the tables.

    Parameters
    ----------
    parts : PartsFolder
        The tables.
    run : RunFacts
        What would go on with them.
    vectors : Vectors
        How it would keep lists.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        A file is damaged.
    """

    def __init__(self, parts: PartsFolder, run: RunFacts, vectors: Vectors) -> None:
        self._parts = parts
        self._run = run
        self._vectors = vectors
        self._part_list: list[Part] = []
        self._kept: list[Vectors] = []
        self._lacking: list[list[str]] = []
        self._rows: list[_Row] = []
        for part, table in parts.tables():
            self._part_list.append(part)
            kept = vectors_of({"tracks": table.schema})
            self._kept.append(kept)
            names = [column.name for column in columns_of("tracks", kept)]
            self._lacking.append([name for name in names if name not in table.column_names])
            values = rows_of(table, "tracks", leaving_out=_NOT_NEEDED).values
            names = list(values)
            values["root"] = [sys.intern(root) for root in values["root"]]
            self._rows += [
                _Row(part, dict(zip(names, row, strict=True)))
                for row in zip(*values.values(), strict=True)
            ]

    @property
    def count(self) -> int:
        """How many tracks there are."""
        return len(self._rows)

    @property
    def ids(self) -> set[int]:
        """Their numbers."""
        return {row.values["id"] for row in self._rows}

    def check(self) -> None:
        """Refuse to go on with results of another model, or of other options.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            They are.
        """
        wanted = self._run.common
        for part, kept, lacking in zip(self._part_list, self._kept, self._lacking, strict=True):
            found = _computed(part.told)
            differing = {
                name: (found.get(name), value)
                for name, value in _computed(wanted).items()
                if found.get(name) != value
            }
            if kept.embeddings_type != self._vectors.embeddings_type and kept.embedding:
                differing["embeddings"] = (kept.embeddings_type, self._vectors.embeddings_type)
            if lacking:
                differing["columns"] = (f"without {', '.join(lacking)}", "with them")
            if differing:
                listed = ", ".join(
                    f"{name} {there} there, {here} here"
                    for name, (there, here) in differing.items()
                )
                raise InvalidArgumentError(
                    f"{path_text(self._parts.path)}: has results that were computed otherwise "
                    f"({listed}); wanted: the same, or another folder"
                )

    def find(self, tracks: Sequence[Track]) -> list[Earlier | None]:
        """Tell which tracks have a row: by where they are, then by what they are.

        Parameters
        ----------
        tracks : sequence of Track
            All that were found.

        Returns
        -------
        list of Earlier or None
            One for each.
        """
        places: list[dict[str, Any] | None] = [_place(track) for track in tracks]
        found = self._by_place(tracks, places)
        self._by_audio(tracks, places, found)
        return [
            None
            if row is None
            else Earlier(flags_of_columns(row.values), row.part.told.get("provenance"))
            for row in found
        ]

    def settle(self, waiting: Sequence[Track]) -> None:
        """Have the tables say what holds, before anything is analysed.

        Rows of tracks that are to be analysed go, as do all failures of files that were found;
        rows of files that moved tell where they are now; all name as many labels as asked.

        Parameters
        ----------
        waiting : sequence of Track
            What is to be analysed.

        Raises
        ------
        OSError
            They cannot be written.
        """
        again = set(waiting)
        places = {(place["root"], place["path"]) for place in map(names_of, waiting)}
        dropped = {
            row.values["id"]
            for row in self._rows
            if (
                row.taken_by in again
                if row.taken_by is not None
                else (row.values["root"], row.values["path"]) in places
            )
        }
        moved = {row.values["id"]: row.moved_to for row in self._rows if row.moved_to}
        top_k = self._run.common["options"].get("top_k")
        of_part: dict[str, list[int]] = {}
        for row in self._rows:
            of_part.setdefault(row.part.tracks.name, []).append(row.values["id"])
        self._part_list = [
            self._renewed(part, dropped, moved, top_k)
            if (
                not dropped.union(moved).isdisjoint(of_part.get(part.tracks.name, ()))
                or part.told.get("options", {}).get("top_k") != top_k
            )
            else part
            for part in self._part_list
        ]
        taken = (row.moved_to or row.values for row in self._rows if row.taken_by)
        self._forget_failures({name for _, name in places} | {place["path"] for place in taken})
        self._parts.remove_scraps([part for part in self._part_list if part.tracks.exists()])
        # A run goes on for days, and asks for no more than `top_of` a single track.
        self._rows = [row for row in self._rows if row.taken_by][:1]

    def top_of(self, track: Track) -> list[dict[str, Any]]:
        """Give the strongest labels that a row has."""
        for row in self._rows:
            if row.taken_by == track and row.part.tracks.exists():
                found = rows_of(read_table(row.part.tracks), "tracks").values
                place = found["id"].index(row.values["id"])
                return list(found["top"][place]) if "top" in found else []
        return []

    def _by_place(
        self, tracks: Sequence[Track], places: Sequence[dict[str, Any] | None]
    ) -> list[_Row | None]:
        """Find rows of the same relative path, size and time; of the same root first."""
        at: dict[tuple[Any, ...], list[_Row]] = {}
        for row in self._rows:
            at.setdefault(_key(row.values), []).append(row)
        found: list[_Row | None] = [None] * len(tracks)
        for same_root in (True, False):
            for number, (track, place) in enumerate(zip(tracks, places, strict=True)):
                if place is None or found[number] is not None:
                    continue
                for row in at.get(_key(place), ()):
                    at_root = row.values["root"] == place["root"]
                    if row.taken_by is None and (at_root or not same_root):
                        found[number] = self._take(row, track, place)
                        break
        return found

    def _by_audio(
        self,
        tracks: Sequence[Track],
        places: Sequence[dict[str, Any] | None],
        found: list[_Row | None],
    ) -> None:
        """Find rows of the same audio, whose files moved or whose tags were changed."""
        free: dict[str, list[_Row]] = {}
        for row in self._rows:
            if row.taken_by is None and not row.is_there_still():
                free.setdefault(row.values["audio_hash"], []).append(row)
        left = [number for number, row in enumerate(found) if row is None and places[number]]
        # Files behind URLs would have to be brought here: only those of the same size are.
        sizes = {row.values["size"] for rows in free.values() for row in rows}
        left = [
            number
            for number in left
            if not is_url(tracks[number].path) or _size(places[number]) in sizes
        ]
        if not free or not left:
            return
        for number, digest in zip(left, self._hashed([tracks[n] for n in left]), strict=True):
            place, rows = places[number], free.get(digest or "")
            if rows and place is not None:
                # Of several, the one that had this name: its tags were changed.
                rows.sort(key=lambda row: row.values["path"] == place["path"])
                found[number] = self._take(rows.pop(), tracks[number], place)

    def _hashed(self, tracks: Sequence[Track]) -> Iterator[str | None]:
        with ThreadPoolExecutor(_core.available_cpus()) as threads:
            yield from threads.map(_hash_of, tracks)

    def _take(self, row: _Row, track: Track, place: dict[str, Any]) -> _Row:
        row.taken_by = track
        if any(row.values[name] != place[name] for name in _PLACE):
            row.moved_to = place
        return row

    def _renewed(
        self,
        part: Part,
        dropped: set[int],
        moved: dict[int, dict[str, Any]],
        top_k: int | None,
    ) -> Part:
        """Write a part anew, in the place of what it was."""
        rows = rows_of(read_table(part.tracks), "tracks")
        ids = rows.values["id"]
        kept = [number not in dropped for number in ids]
        if not any(kept):
            self._parts.remove(part)
            return part
        for place, number in enumerate(ids):
            for name, value in moved.get(number, {}).items():
                rows.values[name][place] = value
        if rows.told.get("options", {}).get("top_k") != top_k:
            rows.values["top"] = [
                top_labels(row, self._run.model, self._run.options)
                for row in rows.vectors["predictions"]
            ]
            rows.told = {**rows.told, "options": {**rows.told["options"], "top_k": top_k}}
        if all(kept):
            return self._parts.write_tracks(part.tracks, rows, self._vectors, part.segments.name)
        segments = rows_of(read_table(part.segments), "segments")
        stay = [number not in dropped for number in segments.values["track"]]
        return self._parts.write(rows.only(kept), segments.only(stay), self._vectors, part)

    def _forget_failures(self, met: set[str]) -> None:
        """Remove failures of files that this run meets: it tells anew what becomes of them."""
        for path, rows in self._parts.failures():
            names = zip(rows.values["path"], rows.values["stage"], strict=True)
            kept = [name not in met and stage != "scan" for name, stage in names]
            if not any(kept):
                path.unlink()
            elif not all(kept):
                self._parts.write_failures(rows.only(kept), path)


def _computed(told: dict[str, Any]) -> dict[str, Any]:
    """Give what must be the same: the model, and the options but those that only name labels."""
    model = told.get("model")
    model = model if isinstance(model, dict) else {}
    options = told.get("options")
    options = dict(options) if isinstance(options, dict) else {}
    options.pop("top_k", None)
    return {"model": model.get("name"), "sha256": model.get("sha256"), **options}


def _key(values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in ("path", "size", "mtime"))


def _size(place: dict[str, Any] | None) -> int:
    return int(place["size"]) if place else -1


def _place(track: Track) -> dict[str, Any] | None:
    try:
        return place_of(track)
    except (OSError, InvalidArgumentError):
        return None  # to be reported as a track that cannot be read


def _hash_of(track: Track) -> str | None:
    try:
        return hash_of(track.path)
    except OSError:
        return None
