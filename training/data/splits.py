"""Group-disjoint splits with every class in each of them, as far as the groups allow.

Whole groups (artists) are dealt out, so no artist is in two splits (paper, section 3.1). The
order in which groups come is drawn once from the seed over their sorted names: the same tracks
in another order get the same splits.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.data.ragged import Ragged, offsets_of
from training.data.report import Report
from training.data.tracks import SPLITS
from training.errors import ConfigError
from training.recipe.randomness import Purpose, numpy_generator

_TRAIN, _VALIDATION, _TEST = range(len(SPLITS))
_UNASSIGNED = -1
_LEAST_GROUPS_FOR_COVERAGE = 3
_LARGEST_OVERSHOOT = 2.0
_NAMES_SHOWN = 20


def assign_splits(
    group: pa.ChunkedArray,
    labels: Ragged,
    class_count: int,
    *,
    validation_share: float,
    test_share: float,
    seed: int,
) -> NDArray[np.int8]:
    """Deal groups out to train, validation and test.

    First every class gets a group in train, rarest class first, so none is left without
    training tracks. Then every class that is in three groups or more gets one in validation and
    test, where one is still free and keeps the split below twice its share; a split that is still
    empty gets the smallest free group. The others follow, those of rare classes first: each goes
    where its classes and the number of tracks are furthest below the split's share; validation
    and test never grow past theirs this way. Tracks with none of the classes are dealt out as if
    that were one more.

    Parameters
    ----------
    group : Arrow strings [tracks]
        Not null.
    labels : Ragged [tracks]
        Class indices of each track.
    class_count : int
    validation_share, test_share : float
        Of the tracks; 0 leaves the split empty.
    seed : int

    Returns
    -------
    int8 [tracks]
        Index into `SPLITS`.

    Raises
    ------
    ConfigError
        When the shares are negative or leave nothing to train on.
    """
    check_shares(validation_share, test_share)
    none = class_count
    dealer = _Dealer(
        _sorted_codes(group),
        labels.filled(none),
        class_count + 1,
        (1 - validation_share - test_share, validation_share, test_share),
        seed,
    )
    dealer.cover_training()
    dealer.cover_evaluation()
    dealer.deal_rest()
    return dealer.assigned[dealer.groups]


def check_shares(validation_share: float, test_share: float) -> None:
    """Refuse shares that cannot be (ConfigError)."""
    if not (
        0 <= validation_share < 1 and 0 <= test_share < 1 and validation_share + test_share < 1
    ):
        raise ConfigError(
            f"validation_share {validation_share} and test_share {test_share}: wanted shares of "
            "0 or more, together below 1"
        )


def report_splits(
    split: NDArray[np.int8],
    labels: Ragged,
    group: pa.ChunkedArray,
    classes: tuple[str, ...],
    report: Report,
) -> None:
    """Count the tracks of each split; note what is empty, shared, or without positives.

    Parameters
    ----------
    split : int8 [tracks]
        Index into `SPLITS`.
    labels : Ragged [tracks]
    group : Arrow strings [tracks]
    classes : tuple of str
    report : Report
    """
    groups = _sorted_codes(group)
    sizes = np.bincount(groups)
    used = np.unique(groups * len(SPLITS) + split) // len(SPLITS)
    shared = np.unique(used[1:][used[1:] == used[:-1]])
    report.count("groups", len(sizes))
    if len(shared):
        name = group[int(np.flatnonzero(groups == shared[0])[0])].as_py()
        report.note(
            f"{len(shared)} groups have tracks in more than one split, for instance {name!r}: "
            "validation and test are not independent of training"
        )
    if sizes.max() > len(split) / 2 and len(split) > 1:
        name = group[int(np.flatnonzero(groups == sizes.argmax())[0])].as_py()
        report.note(f"group {name!r} holds {sizes.max()} of {len(split)} tracks")
    for code, name in enumerate(SPLITS):
        chosen = split == code
        report.count(f"tracks in {name}", int(chosen.sum()))
        if not chosen.any():
            report.note(f"no track is in {name}")
            continue
        positives = np.bincount(labels.values[chosen[labels.parents]], minlength=len(classes))
        lacking = [classes[c] for c in np.flatnonzero(positives == 0)]
        report.count(f"classes without a track in {name}", len(lacking))
        if lacking:
            shown = ", ".join(lacking[:_NAMES_SHOWN])
            more = f" and {len(lacking) - _NAMES_SHOWN} more" if len(lacking) > _NAMES_SHOWN else ""
            report.note(f"{len(lacking)} classes have no track in {name}: {shown}{more}")


class _Dealer:
    """Groups still to be dealt, and what each split already has."""

    def __init__(
        self,
        groups: NDArray[np.int64],
        labels: Ragged,
        class_count: int,
        shares: tuple[float, float, float],
        seed: int,
    ) -> None:
        self.groups = groups
        self.sizes = np.bincount(groups)
        self.class_count = class_count
        order = numpy_generator(seed, Purpose.SPLIT).permutation(len(self.sizes))
        self.rank = np.empty_like(order)
        self.rank[order] = np.arange(len(order))

        # tracks of each class in each group, both ways round
        keys, counts = np.unique(
            groups[labels.parents] * class_count + labels.values, return_counts=True
        )
        of_group, of_class = keys // class_count, keys % class_count
        self.counts = counts
        self.by_group = Ragged(
            offsets_of(np.bincount(of_group, minlength=len(self.sizes))), of_class
        )
        by_class = np.lexsort((self.rank[of_group], of_class))
        self.by_class = Ragged(
            offsets_of(np.bincount(of_class, minlength=class_count)), of_group[by_class]
        )
        totals = np.bincount(of_class, weights=counts, minlength=class_count)
        self.rarest_first = np.argsort(self.by_class.lengths, kind="stable")

        self.active = [split for split, share in enumerate(shares) if share > 0]
        # a share made from a number of tracks must allow that number after rounding
        self.target_rows = [share * len(groups) + 1e-6 for share in shares]
        self.target = [share * totals for share in shares]
        self.have_rows = [0] * len(shares)
        self.have = [np.zeros(class_count) for _ in shares]
        self.assigned = np.full(len(self.sizes), _UNASSIGNED, np.int8)

    def cover_training(self) -> None:
        for label in self.rarest_first:
            candidates = self._free(label)
            if len(candidates) and not self.have[_TRAIN][label]:
                self._give(int(candidates[0]), _TRAIN)

    def cover_evaluation(self) -> None:
        for label in self.rarest_first:
            if self.by_class.lengths[label] < _LEAST_GROUPS_FOR_COVERAGE:
                continue
            for split in (_VALIDATION, _TEST):
                if split in self.active and not self.have[split][label]:
                    self._give_if_fits(self._free(label), split)
        for split in (_VALIDATION, _TEST):
            if split in self.active and not self.have_rows[split]:
                free = np.flatnonzero(self.assigned == _UNASSIGNED)
                self._give_if_fits(free[np.argsort(self.rank[free])], split, or_smallest=True)

    def deal_rest(self) -> None:
        class_rank = np.empty(self.class_count, np.int64)
        class_rank[self.rarest_first] = np.arange(self.class_count)
        free = np.flatnonzero(self.assigned == _UNASSIGNED)
        rarest = np.minimum.reduceat(class_rank[self.by_group.values], self.by_group.offsets[:-1])
        # what only train can take comes first, or train would be full before it
        rooms = [self.target_rows[s] - self.have_rows[s] for s in self.active if s != _TRAIN]
        fits = self.sizes[free] <= max(rooms, default=0)
        free = free[np.lexsort((self.rank[free], rarest[free], fits))]

        # plain Python numbers: a million groups of a few classes each in seconds
        classes, counts = self.by_group.values.tolist(), self.counts.tolist()
        offsets, sizes = self.by_group.offsets.tolist(), self.sizes.tolist()
        rows = list(self.have_rows)
        fill = [
            np.divide(have, target, out=np.zeros_like(have), where=target > 0).tolist()
            for have, target in zip(self.have, self.target, strict=True)
        ]
        step = [
            np.divide(1.0, target, out=np.zeros_like(target), where=target > 0).tolist()
            for target in self.target
        ]
        for group in free.tolist():
            size, start, stop = sizes[group], offsets[group], offsets[group + 1]
            own = list(zip(classes[start:stop], counts[start:stop], strict=True))
            total = sum(counts[start:stop])
            best, best_fill = _TRAIN, float("inf")
            for split in self.active:
                if split != _TRAIN and rows[split] + size > self.target_rows[split]:
                    continue
                filled = fill[split]
                value = rows[split] / self.target_rows[split]
                value += sum(n * filled[label] for label, n in own) / total
                if value < best_fill:
                    best, best_fill = split, value
            self.assigned[group] = best
            rows[best] += size
            for label, n in own:
                fill[best][label] += n * step[best][label]
        self.have_rows = rows

    def _free(self, label: int) -> NDArray[np.int64]:
        groups = self.by_class.row(label)
        free: NDArray[np.int64] = groups[self.assigned[groups] == _UNASSIGNED]
        return free

    def _give_if_fits(
        self, candidates: NDArray[np.int64], split: int, *, or_smallest: bool = False
    ) -> None:
        """Give the first that fits the share, else the smallest that is not far too large."""
        if not len(candidates):
            return
        after = self.have_rows[split] + self.sizes[candidates]
        fitting = np.flatnonzero(after <= self.target_rows[split])
        if len(fitting):
            self._give(int(candidates[fitting[0]]), split)
            return
        smallest = int(np.argmin(after))
        allowed = _LARGEST_OVERSHOOT * self.target_rows[split]
        if after[smallest] <= allowed or or_smallest:
            self._give(int(candidates[smallest]), split)

    def _give(self, group: int, split: int) -> None:
        self.assigned[group] = split
        self.have_rows[split] += int(self.sizes[group])
        part = slice(self.by_group.offsets[group], self.by_group.offsets[group + 1])
        self.have[split][self.by_group.values[part]] += self.counts[part]


def _sorted_codes(group: pa.ChunkedArray) -> NDArray[np.int64]:
    """Index of each track's group among the sorted names of groups."""
    encoded = group.combine_chunks().dictionary_encode()
    order = np.asarray(pc.sort_indices(encoded.dictionary), np.int64)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    codes: NDArray[np.int64] = rank[np.asarray(encoded.indices)]
    return codes
