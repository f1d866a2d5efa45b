"""Whose tracks are: what a person's table says, else what Discogs' dump says of single tracks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.data.discogs_dump import Asked, Entries, name_key, position_key
from training.data.ragged import Ragged, offsets_of
from training.data.sources import Source

_FIRST_UNKNOWN = 2**31
"""Numbers from here on stand for artists that the dump does not have: its own are below."""


def ask_for(source: Source) -> Asked | None:
    """Say what the dumps have to tell of the tracks; None where the table has no use for it.

    Parameters
    ----------
    source : Source
        With the columns `release`, `artist` (names, or Discogs' numbers) and `position`.
    """
    if not {"artist", "position"} & source.present:
        return None
    table = source.table.filter(pa.array(source.good))
    names = pc.unique(pc.list_flatten(table["artist"])).to_pylist()
    releases: frozenset[int] = frozenset()
    if "position" in source.present:
        wanted = table["release"].filter(pc.is_valid(table["position"]))
        releases = frozenset(int(number) for number in pc.unique(wanted).to_pylist())
    return Asked(releases, {name_key(name): set() for name in names if not _number(name)})


def track_artists(
    source: Source, rows: NDArray[np.int64], asked: Asked, releases: Entries
) -> Ragged:
    """Tell the artists of tracks.

    Parameters
    ----------
    source : Source
    rows : int64 [tracks]
        Good rows.
    asked : Asked
        With the ids that the dumps gave.
    releases : Entries
        With the artists of single tracks.

    Returns
    -------
    Ragged [tracks]
        Artist ids: those of the column `artist`; else those of the track at `position` of its
        release; else none.
    """
    table = source.table.select(["release", "artist", "position"]).take(pa.array(rows))
    unknown: dict[str, int] = {}

    def numbers(artist: str) -> list[int]:
        number = _number(artist)
        if number:
            return [number]
        key = name_key(artist)
        found = sorted(asked.names.get(key, ()))
        return found or [unknown.setdefault(key, _FIRST_UNKNOWN + len(unknown))]

    values: list[int] = []
    lengths = np.zeros(len(rows), np.int64)
    columns = (table[name].to_pylist() for name in ("release", "artist", "position"))
    for place, (release, artists, position) in enumerate(zip(*columns, strict=True)):
        own = {number for artist in artists or () for number in numbers(artist)}
        if not own and position is not None:
            own = set(releases.track_artists.get((int(release), position_key(position)), ()))
        values += sorted(own)
        lengths[place] = len(own)
    return Ragged(offsets_of(lengths), np.array(values, np.int64))


def _number(artist: str) -> int:
    """Read a number of Discogs; 0 for what is a name."""
    number = int(artist) if artist.isdecimal() and len(artist) <= len(str(_FIRST_UNKNOWN)) else 0
    return number if number < _FIRST_UNKNOWN else 0
