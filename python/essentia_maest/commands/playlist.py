"""`maest playlist`: from one track to another, or what goes with one, as a list for players."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError
from .opened_results import Library, add_results
from .saying import ALL_DONE, complain
from .surroundings import show

if TYPE_CHECKING:
    from ..library.route import GroupsOf

FOLDER, ARTIST = APART = ("folder", "artist")
_MOST_NAMED = 5


def add(commands: Any) -> None:
    """Add the sub-command `playlist` to the parsers of `maest`."""
    parser = commands.add_parser(
        "playlist",
        help="make a playlist from one track to another",
        usage="maest playlist [options] OUT --from A --to B\n"
        "       maest playlist [options] OUT --like TRACK",
        description="Make a playlist (M3U8): from one track of a collection to another in small "
        "steps, or of what is nearest to one. No track comes twice, nor a copy of its audio. The "
        "same arguments give the same list.",
        allow_abbrev=False,
    )
    add_results(parser)
    add = parser.add_argument
    add("--from", dest="begin", metavar="A", help="first track: its path, or a part of it")
    add("--to", dest="end", metavar="B", help="last track")
    add("--like", metavar="TRACK", help="first track of a list of what is nearest to it")
    add("-n", type=int, default=20, metavar="N", help="how many tracks (default: %(default)s)")
    add(
        "--apart",
        choices=APART,
        help="tracks of the same folder, or of the same artist by their tags (needs mutagen), do "
        "not follow each other where that can be avoided",
    )
    add("-o", dest="list", metavar="LIST", help="the file to write (default: print it)")
    add(
        "--absolute",
        action="store_true",
        help="absolute paths, not those relative to the list; a printed list has them always",
    )
    parser.set_defaults(command="playlist", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write a playlist, and give the exit code."""
    _check(arguments)
    library = Library.of(arguments)
    groups_of = _groups(library, arguments.apart)
    if arguments.like is not None:
        rows = _like(library, library.find(arguments.like), arguments.n, groups_of)
    else:
        from ..library.route import route

        begin, end = library.find(arguments.begin), library.find(arguments.end)
        rows = route(library.vectors, library.search, begin, end, arguments.n, groups_of=groups_of)
    if len(rows) < arguments.n:
        complain(f"{len(rows)} tracks are all that there are ({arguments.n} asked for)")
    _write(library, rows, arguments)
    return ALL_DONE


def _check(arguments: argparse.Namespace) -> None:
    ends = (arguments.begin, arguments.end)
    if (arguments.like is None) == (ends == (None, None)) or (None in ends and any(ends)):
        raise InvalidArgumentError("playlist: wanted: --from A and --to B, or --like TRACK")
    if arguments.n < 1:
        raise InvalidArgumentError(f"n is {arguments.n}; 1 or more wanted")


def _like(library: Library, row: int, count: int, groups_of: GroupsOf | None) -> list[int]:
    from ..library.route import walk

    # With groups, what is to come between others is further away.
    wanted = count if groups_of is None else 4 * count
    near, _ = library.search.near(row, wanted)
    return walk([row, *near.tolist()], count, groups_of=groups_of)


def _groups(library: Library, apart: str | None) -> GroupsOf | None:
    if apart is None:
        return None
    if apart == FOLDER:
        return lambda rows: [os.path.dirname(library.files[row]) for row in rows]
    from ..tagging.tags import artist_of

    return lambda rows: [artist_of(library.files[row]) for row in rows]


def _write(library: Library, rows: Sequence[int], arguments: argparse.Namespace) -> None:
    from ..files import write_whole
    from ..library.playlist_file import Entry, m3u8

    lengths = library.column("seconds")
    entries = [
        Entry(library.files[row], lengths[row], Path(library.files[row]).stem) for row in rows
    ]
    target = None if arguments.list is None else Path(os.path.abspath(arguments.list))
    relative = target is not None and not arguments.absolute
    text, spelled = m3u8(entries, os.fspath(target.parent) if target and relative else None)
    if target is None:
        show(text.removesuffix("\n"))
    else:
        write_whole(target, text)
        minutes = sum(entry.seconds for entry in entries) / 60
        complain(f"{len(rows)} tracks, {minutes:.0f} min, in {printable_path(target)}")
    _warn("is no line of text, and written as an address that not every player takes", spelled)
    _warn(
        "is not where it was analysed; wanted: --root with the folder as it is now",
        library.not_there(list(rows)),
    )


def _warn(what: str, files: Sequence[str]) -> None:
    for file in files[:_MOST_NAMED]:
        complain(f"warning: {printable_path(file)} {what}")
    if len(files) > _MOST_NAMED:
        complain(f"warning: and {len(files) - _MOST_NAMED} others")
