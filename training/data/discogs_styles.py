"""From Discogs' entries to the labels of master releases.

Discogs' dump lists an entry's genres and its styles, and not which style belongs to which genre;
the published label lists name both, and some styles under two genres (``Electronic---Experimental``
and ``Rock---Experimental``). So the taxonomy is read off the entries: see `Taxonomy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.discogs_dump import Entries
from training.data.ragged import Ragged, product, ragged_from_pairs

HOME_SHARE = 0.2
_BLOCK = 500_000


@dataclass(frozen=True)
class Works:
    """Master releases that tracks belong to; a release without a master is its own.

    Parameters
    ----------
    keys : int64 [works]
        Rising; the master's id, or minus the release's.
    styles, genres, artists : Ragged [works]
        Union over the master and all of its releases (paper, section 3.1).
    """

    keys: NDArray[np.int64]
    styles: Ragged
    genres: Ragged
    artists: Ragged

    def __len__(self) -> int:
        return len(self.keys)

    def name(self, index: int) -> str:
        """Name a work in reports: ``master 5427`` or ``release 1``."""
        key = int(self.keys[index])
        return f"master {key}" if key > 0 else f"release {-key}"


def work_keys(releases: Entries) -> NDArray[np.int64]:
    """Key of the work of each release, int64 [releases]; see `Works`."""
    return np.where(releases.masters > 0, releases.masters, -releases.ids)


def gather_works(keys: NDArray[np.int64], masters: Entries, releases: Entries) -> Works:
    """Unite what the dumps say of these works.

    Parameters
    ----------
    keys : int64 [works]
        Rising, unique.
    masters, releases : Entries
    """
    rows: list[NDArray[np.int64]] = []
    chosen: list[NDArray[np.int64]] = []
    for entry_keys in (masters.ids, work_keys(releases)):
        place = np.searchsorted(keys, entry_keys)
        place[place == len(keys)] = 0
        entries = np.flatnonzero(keys[place] == entry_keys)
        chosen.append(entries)
        rows.append(place[entries])

    def unite(of_masters: Ragged, of_releases: Ragged) -> Ragged:
        parts = [of_masters.take(chosen[0]), of_releases.take(chosen[1])]
        pairs = [row[part.parents] for row, part in zip(rows, parts, strict=True)]
        values = [part.values for part in parts]
        return ragged_from_pairs(np.concatenate(pairs), np.concatenate(values), len(keys))

    return Works(
        keys,
        unite(masters.styles, releases.styles),
        unite(masters.genres, releases.genres),
        unite(masters.artists, releases.artists),
    )


class Taxonomy:
    """Which genres a style belongs to.

    An entry with a single genre says where its styles belong. A style is at home in every genre
    that makes up a fifth or more of such entries with that style, which leaves out slips (techno
    filed under rock alone) and keeps styles that two genres share. A style that never stands
    beside a single genre is at home in the genre that it stands beside most often.

    Parameters
    ----------
    dumps : sequence of Entries
        Every entry counts once.
    genres, styles : list of str
        Names; of equally frequent genres the first in the alphabet is taken.
    """

    def __init__(self, dumps: Sequence[Entries], genres: list[str], styles: list[str]) -> None:
        self.genres, self.styles = genres, styles
        alone = np.zeros((len(styles), len(genres)), np.int64)
        together = np.zeros_like(alone)
        for entries in dumps:
            for start in range(0, len(entries), _BLOCK):
                stop = min(start + _BLOCK, len(entries))
                _count(
                    entries.styles.slice(start, stop),
                    entries.genres.slice(start, stop),
                    alone,
                    together,
                )
        total = alone.sum(axis=1, keepdims=True)
        evidence = np.where(total > 0, alone, together)
        alphabetical = np.argsort(np.array(genres, object)) if genres else np.zeros(0, np.int64)
        if genres:
            first = evidence[:, alphabetical].argmax(axis=1)
            self.main_genre = alphabetical[first].astype(np.int64)
        else:
            self.main_genre = np.zeros(len(styles), np.int64)
        self.has_genre = evidence.sum(axis=1) > 0
        self.home = (total > 0) & (alone >= HOME_SHARE * total)

    def labels(self, works: Works) -> Ragged:
        """Labels of works: their styles under those of the works' genres where these are at home.

        A style none of whose homes is a genre of the work stands under its main genre.

        Returns
        -------
        Ragged [works]
            Numbers that `name` knows.
        """
        count = len(self.genres)
        places, genres = product(works.styles, works.genres)
        styles, parents = works.styles.values, works.styles.parents
        at_home = self.home[styles[places], genres]
        places, genres = places[at_home], genres[at_home]
        lonely = np.ones(len(styles), bool)
        lonely[places] = False
        lonely &= self.has_genre[styles]
        rows = np.concatenate([parents[places], parents[lonely]])
        labels = np.concatenate(
            [
                styles[places] * count + genres,
                styles[lonely] * count + self.main_genre[styles[lonely]],
            ]
        )
        return ragged_from_pairs(rows, labels, len(works))

    def name(self, label: int) -> str:
        """Name a label as the published lists do, for instance ``Electronic---Techno``."""
        style, genre = divmod(int(label), len(self.genres))
        return f"{self.genres[genre]}---{self.styles[style]}"


def _count(
    styles: Ragged, genres: Ragged, alone: NDArray[np.int64], together: NDArray[np.int64]
) -> None:
    places, of_genre = product(styles, genres)
    cells = styles.values[places] * alone.shape[1] + of_genre
    together += np.bincount(cells, minlength=together.size).reshape(together.shape)
    single = (genres.lengths == 1)[styles.parents[places]]
    alone += np.bincount(cells[single], minlength=alone.size).reshape(alone.shape)
