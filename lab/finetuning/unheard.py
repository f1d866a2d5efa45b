"""Real music out of packages that the model that ships has not heard."""

from __future__ import annotations

import csv
from pathlib import Path

from essentia_maest.files import written_whole
from essentia_maest.progress import tracked
from lab.corpus.collection import Row, write_collection
from lab.corpus.excerpts import write_sounding_excerpts
from lab.corpus.packages import default_cache
from lab.corpus.plans import deal
from lab.corpus.produced_music import MusicPackage, ProducedTrack, tracks_of

EXCERPTS = 2
"""Excerpts of a piece at most, 30 s each."""

PIECES = 20
"""Pieces of a soundtrack at most."""

_LICENCE = "free; by track in the package's copyright file"

UNHEARD: tuple[MusicPackage, ...] = (
    MusicPackage(
        "supertux-data",
        "SuperTux",
        ("usr/share/games/supertux2/music/*/*.ogg",),
        _LICENCE,
    ),
    MusicPackage(
        "hedgewars-data", "Hedgewars", ("usr/share/games/hedgewars/Data/Music/*.ogg",), _LICENCE
    ),
    MusicPackage(
        "drascula-music",
        "Drascula",
        ("usr/share/scummvm/drascula/audio/*.ogg",),
        _LICENCE,
    ),
    MusicPackage(
        "fillets-ng-data", "Fish Fillets", ("usr/share/games/fillets-ng/music/*.ogg",), _LICENCE
    ),
    MusicPackage(
        "warmux-data",
        "WarMUX",
        ("usr/share/games/warmux/music/*/*.ogg",),
        _LICENCE,
    ),
    MusicPackage(
        "starfighter-data",
        "Starfighter",
        ("usr/share/starfighter/music/*.ogg",),
        _LICENCE,
    ),
    MusicPackage(
        "trackballs-data",
        "Trackballs",
        ("usr/share/games/trackballs/music/*.ogg",),
        _LICENCE,
    ),
)


def make_unheard_corpus(folder: Path, *, cache: Path | None = None) -> Path:
    """Make a small collection whose labels are the soundtracks that its music comes from.

    Of each soundtrack a sixth of the pieces is kept for validation and a sixth for the test;
    excerpts of one piece are in one split.

    Parameters
    ----------
    folder : path
        Where the collection goes; made if need be.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.

    Returns
    -------
    pathlib.Path
        ``FOLDER/collection.csv``, for ``python -m training finetune``. One that is there is taken.

    Raises
    ------
    DataError
        A package cannot be had, has no music where it ought to, or a track cannot be decoded.
    """
    table = folder / "collection.csv"
    if table.is_file():
        return table
    cache = default_cache() if cache is None else cache
    rows: list[Row] = []
    for package in UNHEARD:
        tracks = {track.piece: track for track in tracks_of(package, cache)}
        pieces = sorted(tracks)[:PIECES]
        splits = deal(pieces)
        for piece in tracked(pieces, package.soundtrack):
            rows += _write(tracks[piece], splits[piece], folder)
    return write_collection(rows, folder)


def dealt_again(table: Path, turn: int) -> Path:
    """Deal the pieces of a collection to other splits; gives the table.

    Parameters
    ----------
    table : path
        What `make_unheard_corpus` gave.
    turn : int
        0 to 5, as `lab.corpus.plans.deal` has them: 0 is the table itself.
    """
    if turn == 0:
        return table
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pieces: dict[str, set[str]] = {}
    for row in rows:
        pieces.setdefault(row["tags"], set()).add(row["group"])
    splits = {
        piece: split for names in pieces.values() for piece, split in deal(names, turn).items()
    }
    path = table.with_name(f"deal-{turn}.csv")
    with written_whole(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "split": splits[row["group"]]} for row in rows)
    return path


def _write(track: ProducedTrack, split: str, folder: Path) -> list[Row]:
    paths = [Path("audio", f"{track.piece}-{number}.flac") for number in range(EXCERPTS)]
    written = write_sounding_excerpts(track.path, [folder / path for path in paths])
    return [
        Row(
            path=path,
            tags=(f"Soundtrack---{track.package.soundtrack}",),
            identity=path.relative_to("audio").with_suffix("").as_posix(),
            group=track.piece,
            split=split,
        )
        for path in paths
        if folder / path in written
    ]
