"""Groups of tracks that must stay in one split because they share artists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.data.discogs_styles import Works
from training.data.ragged import Ragged, ragged_from_pairs

# Discogs' stand-ins for "nobody in particular": Various, Unknown Artist, No Artist. They stand on
# hundreds of thousands of compilations and would connect most of the collection.
PLACEHOLDERS = (194, 355, 118760)


def group_works(works: Works, chosen: NDArray[np.int64], own: Ragged | None = None) -> list[str]:
    """Group works, or tracks of them, that share an artist, directly or through others.

    Artists who appear on one work are connected, and with them all their works; placeholders
    connect nothing. A work with placeholders only, a compilation, is a group of its own, but for
    tracks whose own artists are known.

    Parameters
    ----------
    works : Works
    chosen : int64 [chosen]
        Works to group, or the work of each track; the others connect nothing.
    own : Ragged [chosen], optional
        Artists of each track, where they are known: they count, and those of its work do not (a
        compilation's main artist is who put it together).

    Returns
    -------
    list of str [chosen]
        ``artist N`` by the smallest artist id of the group, or the work's own name.
    """
    artists = works.artists.take(chosen)
    if own is not None:
        artists = _either(own, artists)
    artists = artists.keep(~np.isin(artists.values, PLACEHOLDERS))
    ids, codes = np.unique(artists.values, return_inverse=True)
    size = len(chosen) + len(ids)
    links = coo_array(
        (np.ones(len(codes), np.int8), (artists.parents, len(chosen) + codes)), (size, size)
    )
    count, component = connected_components(links, directed=False)
    smallest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(smallest, component[len(chosen) :], ids)
    first = smallest[component[: len(chosen)]].tolist()
    lone = (artists.lengths == 0).tolist()
    return [
        works.name(work) if alone else f"artist {artist}"
        for work, artist, alone in zip(chosen.tolist(), first, lone, strict=True)
    ]


def _either(first: Ragged, second: Ragged) -> Ragged:
    """Give the rows of `first`, and those of `second` where `first` has nothing."""
    empty = (first.lengths == 0)[second.parents]
    return ragged_from_pairs(
        np.concatenate([first.parents, second.parents[empty]]),
        np.concatenate([first.values, second.values[empty]]),
        len(first),
    )
