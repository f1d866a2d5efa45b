"""A small collection of real music with labels, for experiments that take minutes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from essentia_maest.progress import tracked
from lab.corpus.collection import Row, write_collection
from lab.corpus.excerpts import write_sounding_excerpts
from lab.corpus.packages import default_cache
from lab.corpus.produced_music import PRODUCED_MUSIC, ProducedTrack, tracks_of
from training.recipe.randomness import Purpose, numpy_generator

EXCERPTS = 5
"""Excerpts of a piece at most, 30 s each."""

SOUNDTRACKS: dict[str, tuple[str, ...]] = {
    "Colobot": ("colobot-common-sounds",),
    "Endgame Singularity": ("singularity-music",),
    "Pushover": ("pushover-data",),
    "HyperRogue": ("hyperrogue-music",),
    "Frets on Fire": ("fretsonfire-songs-sectoid", "fretsonfire-songs-muldjord"),
    "ABA Games": (
        "noiz2sa-data",
        "parsec47-data",
        "gunroar-data",
        "torus-trooper-data",
        "titanion-data",
        "tumiki-fighters-data",
        "mu-cade-data",
        "a7xpg-data",
    ),
}
"""Class -> its packages, about 310 MB to download; one author's eight small games are one class."""

_SEED = 0


@dataclass(frozen=True)
class _Piece:
    soundtrack: str
    track: ProducedTrack
    split: str


def make_smoke_corpus(folder: Path, *, cache: Path | None = None) -> None:
    """Make a small collection of real music whose labels are the soundtracks it comes from.

    Fetches some Debian packages, writes up to five excerpts of 30 s of each of their pieces as
    FLAC, and ``FOLDER/collection.csv`` for ``python -m training table``. Of each soundtrack a
    sixth of the pieces is kept for validation and a sixth for testing; excerpts of one piece are
    in one split. The same machine always gets the same collection; a killed run can be repeated.

    Parameters
    ----------
    folder : path
        Where the collection goes; made if need be.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.

    Raises
    ------
    DataError
        A package cannot be had, has no music where it ought to, or a track cannot be decoded.
    """
    folder = Path(folder)
    cache = Path(cache) if cache is not None else default_cache()
    packages = {package.name: package for package in PRODUCED_MUSIC}
    pieces: list[_Piece] = []
    rows: list[Row] = []
    wanted = [(number, name) for number, names in enumerate(SOUNDTRACKS.values()) for name in names]
    found: list[list[ProducedTrack]] = [[] for _ in SOUNDTRACKS]
    for number, name in tracked(wanted, "packages"):
        found[number] += tracks_of(packages[name], cache)
    for number, soundtrack in enumerate(SOUNDTRACKS):
        pieces += _deal(soundtrack, whole_songs(found[number]), number)
    for piece in tracked(pieces, "excerpts"):
        rows += _write(piece, folder)
    write_collection(rows, folder)


def whole_songs(tracks: list[ProducedTrack]) -> list[ProducedTrack]:
    """Keep one track per piece: of stems the one named ``song``; the others are a single guitar."""
    chosen: dict[str, ProducedTrack] = {}
    for track in tracks:
        if track.piece not in chosen or track.path.stem == "song":
            chosen[track.piece] = track
    return list(chosen.values())


def held_out(count: int) -> int:
    """Pieces of a soundtrack that go to validation, and as many again to the test, of `count`."""
    return max(1, round(count / 6))


def _deal(soundtrack: str, tracks: list[ProducedTrack], number: int) -> list[_Piece]:
    order = numpy_generator(_SEED, Purpose.SPLIT, number).permutation(len(tracks))
    each = held_out(len(tracks))
    splits = ["test"] * each + ["validation"] * each
    splits += ["train"] * (len(tracks) - len(splits))
    by_track = dict(zip(order.tolist(), splits, strict=True))
    return [_Piece(soundtrack, track, by_track[index]) for index, track in enumerate(tracks)]


def _write(piece: _Piece, folder: Path) -> list[Row]:
    name = piece.track.piece
    paths = [Path("audio", f"{name}-{number}.flac") for number in range(EXCERPTS)]
    written = write_sounding_excerpts(piece.track.path, [folder / path for path in paths])
    return [
        Row(
            path=path,
            tags=(f"Soundtrack---{piece.soundtrack}",),
            identity=path.relative_to("audio").with_suffix("").as_posix(),
            group=name,
            split=piece.split,
        )
        for path in paths
        if folder / path in written
    ]
