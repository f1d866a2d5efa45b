"""What the default corpus is made of: each track's source, and the split that it lies in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from lab.corpus.excerpts import EXCERPT_SECONDS
from lab.corpus.genres import genre_of
from lab.corpus.produced_music import ProducedTrack
from lab.corpus.rendered import Recipe
from lab.corpus.tunes import Tune
from training.recipe.randomness import Purpose, numpy_generator

_SHARE = 0.1
# An artist with more of the music than this is for training only.
_LARGE = 0.07


@dataclass(frozen=True)
class Produced:
    """A produced track to be cut up and heard by the teacher.

    Parameters
    ----------
    identity : str
        Package and path.
    path : str
        The file in the cache.
    excerpts : int
        At most.
    group, split : str
    """

    identity: str
    path: str
    excerpts: int
    group: str
    split: str


def plan_produced(tracks: Sequence[ProducedTrack], *, excerpts: int, seed: int) -> list[Produced]:
    """Deal produced tracks to splits by artist, about a tenth each to validation and test.

    Parameters
    ----------
    tracks : sequence of ProducedTrack
    excerpts : int
        Of a track at most.
    seed : int

    Returns
    -------
    list of Produced
    """
    hours: dict[str, float] = defaultdict(float)
    for track in tracks:
        hours[track.artist] += min(track.seconds, excerpts * EXCERPT_SECONDS) / 3600
    total = sum(hours.values())
    small = sorted(artist for artist in hours if hours[artist] <= _LARGE * total)
    order = numpy_generator(seed, Purpose.SPLIT, 0).permutation(len(small))
    split = dict.fromkeys(hours, "train")
    for held, offset in (("test", 0), ("validation", 1)):
        gathered = 0.0
        for index in order[offset::2]:
            if gathered >= _SHARE * total:
                break
            split[small[index]] = held
            gathered += hours[small[index]]
    return [
        Produced(
            track.identity, str(track.path), excerpts, f"artist/{track.artist}", split[track.artist]
        )
        for track in tracks
    ]


def plan_rendered(
    styles: Iterable[str], tunes: Iterable[Tune], *, style_tracks: int, tunes_of_a_kind: int
) -> list[Recipe]:
    """Deal style files, genre by genre, and works to splits; say what is rendered from each.

    Parameters
    ----------
    styles : iterable of str
        Names of style files.
    tunes : iterable of Tune
    style_tracks : int
        Tracks from each style file.
    tunes_of_a_kind : int

    Returns
    -------
    list of Recipe
    """
    recipes = []
    genres: dict[str | None, list[str]] = defaultdict(list)
    for name in styles:
        genres[genre_of(name)].append(name)
    for genre, names in genres.items():
        # what has no genre tells about instruments and metre, and holds out nothing
        splits = dict.fromkeys(names, "train") if genre is None else deal(names)
        for name in names:
            for number in range(style_tracks):
                recipes.append(Recipe("style", name, number, f"style/{name}", splits[name]))
    by_identity = {tune.identity: tune for tune in tunes}
    works = deal({tune.work for tune in by_identity.values()})
    chosen: dict[str, int] = defaultdict(int)
    for identity in sorted(by_identity, key=_shuffled):
        tune = by_identity[identity]
        if chosen[tune.kind] < tunes_of_a_kind:
            chosen[tune.kind] += 1
            recipes.append(Recipe("tune", identity, 0, f"work/{tune.work}", works[tune.work]))
    return recipes


def deal(names: Iterable[str], turn: int = 0) -> dict[str, str]:
    """Deal names to splits: a sixth, but one at least, to validation and as much to the test.

    Which, depends on the names alone: a name more or less moves few of the others.

    Parameters
    ----------
    names : iterable of str
        Three or more.
    turn : int
        For other splits: with 0 to 2, no name is held out in two of them if there are twelve.
        3 to 5 are 0 to 2 with validation and test changed over: with 0 to 5, none is tested twice.

    Returns
    -------
    dict
        Name -> train, validation or test.
    """
    order = sorted(names, key=_shuffled)
    each = max(1, round(len(order) / 6))
    first = 2 * each * (turn % 3)
    order = order[first:] + order[:first]
    held = ["test"] * each + ["validation"] * each
    if turn >= 3:
        held.reverse()
    return dict(zip(order, held + ["train"] * (len(order) - len(held)), strict=True))


def _shuffled(name: str) -> tuple[int, str]:
    return crc32(name.encode()), name
