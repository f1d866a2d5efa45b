"""Groups of works that must stay in one split because they share artists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.data.discogs_styles import Works

# Discogs' stand-ins for "nobody in particular": Various, Unknown Artist, No Artist. They stand on
# hundreds of thousands of compilations and would connect most of the collection.
PLACEHOLDERS = (194, 355, 118760)


def group_works(works: Works, chosen: NDArray[np.int64]) -> list[str]:
    """Group works that share an artist, directly or through other works.

    Artists who appear on one work are connected, and with them all their works; placeholders
    connect nothing. A work with placeholders only, a compilation, is a group of its own: the dump
    does not say which artist a track on it is by.

    Parameters
    ----------
    works : Works
    chosen : int64 [chosen]
        Works to group; the others connect nothing.

    Returns
    -------
    list of str [chosen]
        ``artist N`` by the smallest artist id of the group, or the work's own name.
    """
    artists = works.artists.take(chosen)
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
