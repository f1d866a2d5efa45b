"""Fifty pieces of Debian's packages in two styles, and who made them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from essentia_maest.files import write_whole
from lab.corpus.produced_music import PRODUCED_MUSIC, ProducedTrack, tracks_of

STYLES: dict[str, tuple[tuple[tuple[str, ...], int], ...]] = {
    "orchestra": ((("wesnoth-1.16-music",), 25),),
    "electronic or rock": (
        (("nexuiz-music",), 10),
        (("noiz2sa-data", "parsec47-data", "torus-trooper-data", "titanion-data"), 7),
        (("fretsonfire-songs-sectoid",), 4),
        (("fretsonfire-songs-muldjord",), 4),
    ),
}
"""Style -> packages, and how many pieces are taken of them. Each style has several artists, who are
the groups. What a package holds is of one style by and large; nobody listened to each piece."""

_STEM = "guitar.ogg"  # of a song whose mix is there, too


def labelled_pieces(cache: Path) -> list[tuple[ProducedTrack, str]]:
    """Choose the pieces, evenly among the artists of a package, the same on every machine.

    Parameters
    ----------
    cache : path
        Where packages are kept; what it lacks is fetched (320 MB in all).

    Returns
    -------
    list of (ProducedTrack, str)
        Each piece, and its style.

    Raises
    ------
    training.errors.DataError
        A package cannot be had.
    """
    known = {package.name: package for package in PRODUCED_MUSIC}
    chosen = []
    for style, shares in STYLES.items():
        for names, count in shares:
            tracks = [track for name in names for track in tracks_of(known[name], cache)]
            mixes = [track for track in tracks if track.path.name != _STEM]
            chosen += [(track, style) for track in _in_turn(mixes)[:count]]
    return chosen


def write_sheet(path: Path, pieces: Sequence[tuple[ProducedTrack, str]]) -> None:
    """Write the sheet that a user would: path, label, group.

    Parameters
    ----------
    path : path
    pieces : sequence
        See `labelled_pieces`.
    """
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(("path", "label", "group"))
    for track, style in pieces:
        writer.writerow((os.fspath(track.path), style, track.artist))
    write_whole(path, sheet.getvalue())


def _in_turn(tracks: Sequence[ProducedTrack]) -> list[ProducedTrack]:
    """Take one piece of each artist, then a second one, and so on."""
    of_artist: dict[str, list[ProducedTrack]] = {}
    for track in tracks:
        of_artist.setdefault(track.artist, []).append(track)
    places = [
        (place, artist, track)
        for artist, own in of_artist.items()
        for place, track in enumerate(own)
    ]
    return [track for _, _, track in sorted(places, key=lambda one: one[:2])]
