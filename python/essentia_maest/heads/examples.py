"""Labelled files with their embeddings: what a head is fitted on."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..reading.head_description import MULTI_CLASS, HeadEmbedding
from ..reading.plain_text import printable
from ..results.parquet import column_values
from ..results.path_text import path_of_text, path_text
from .labels import Labelled, Labels

if TYPE_CHECKING:
    from ..results.opened import Results

_NAMED = 10
"""Files that a message names at the most."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Examples:
    """Tracks with labels.

    Attributes
    ----------
    files : list of Labelled
        One for each track.
    embeddings : numpy.ndarray
        float32, shape [tracks, values]: means over the segments.
    truth : numpy.ndarray
        bool, shape [tracks, classes].
    classes : tuple of str
    kind : str
        One of `essentia_maest.reading.head_description.KINDS`.
    audio : list of str
        Hash of each track's audio.
    places : list of str
        Where each file is, absolute.
    """

    files: list[Labelled]
    embeddings: Array
    truth: Array
    classes: tuple[str, ...]
    kind: str
    audio: list[str]
    places: list[str]

    def only(self, kept: Sequence[int]) -> Examples:
        """Give some of the tracks."""
        return replace(
            self,
            files=[self.files[index] for index in kept],
            embeddings=self.embeddings[list(kept)],
            truth=self.truth[list(kept)],
            audio=[self.audio[index] for index in kept],
            places=[self.places[index] for index in kept],
        )


class Places:
    """Which row of the tables a path leads to.

    Parameters
    ----------
    results : Results
        The tables.
    """

    def __init__(self, results: Results) -> None:
        self._absolute: dict[str, int] = {}
        self._below: dict[str, list[int]] = {}
        for row, file in enumerate(results.files):
            self._absolute[_spelling(os.path.normpath(file))] = row
        for row, below in enumerate(column_values(results.tracks, "path")):
            self._below.setdefault(_spelling(os.path.normpath(path_of_text(below))), []).append(row)

    def find(self, path: str, base: str) -> int | None:
        """Find a path's row.

        Parameters
        ----------
        path : str
            Absolute, relative to `base`, or as the tables have it, relative to their roots.
        base : str
            A folder.

        Returns
        -------
        int or None
            None if there is none.

        Raises
        ------
        InvalidArgumentError
            Several fit.
        """
        for spelled in dict.fromkeys((path, path.replace("\\", "/"))):
            there = os.path.abspath(os.path.join(base, spelled))
            for place in (there, os.path.realpath(there)):
                row = self._absolute.get(_spelling(place))
                if row is not None:
                    return row
            rows = self._below.get(_spelling(os.path.normpath(spelled)), [])
            if len(rows) > 1:
                raise InvalidArgumentError(
                    f"{printable(path)}: is the name of {len(rows)} tracks under different "
                    "folders; wanted an absolute path"
                )
            if rows:
                return rows[0]
        return None


def _spelling(path: str) -> str:
    # Accents are one letter or two, depending on who wrote the sheet and the disk.
    return unicodedata.normalize("NFC", path_text(path))


def unmatched(labels: Labels, results: Results | None) -> list[Labelled]:
    """Tell which files no row of the tables is about."""
    if results is None:
        return list(labels.files)
    places = Places(results)
    return [file for file in labels.files if places.find(file.path, str(labels.base)) is None]


def named(paths: Sequence[str]) -> str:
    """Name some files, and say how many more there are."""
    listed = ", ".join(printable(path) for path in paths[:_NAMED])
    more = len(paths) - _NAMED
    return listed + (f" and {more} more" if more > 0 else "")


def examples_of(
    labels: Labels, results: Results, classes: Sequence[str] | None = None
) -> tuple[Examples, list[str]]:
    """Take the embeddings of labelled files from the tables.

    Parameters
    ----------
    labels : Labels
        Files that no row is about are left out: see `unmatched`.
    results : Results
        The tables, with embeddings.
    classes : sequence of str, optional
        Of a head, in its order; None is those of the labels.

    Returns
    -------
    tuple
        The `Examples`, each audio once; warnings: what was left out, and why.

    Raises
    ------
    InvalidArgumentError
        There are no embeddings, or some are not finite; the same audio has other labels under
        another name; no file is in the tables; a label is none of `classes`.
    """
    embeddings, _ = results.embeddings()
    hashes = column_values(results.tracks, "audio_hash")
    places, base = Places(results), str(labels.base)
    taken: dict[str, int] = {}  # audio -> position
    files: list[Labelled] = []
    rows: list[int] = []
    twice: list[str] = []
    for file in labels.files:
        row = places.find(file.path, base)
        if row is None:
            continue
        earlier = taken.get(hashes[row])
        if earlier is None:
            taken[hashes[row]] = len(files)
            files.append(file)
            rows.append(row)
            continue
        if files[earlier].names != file.names:
            raise InvalidArgumentError(
                f"{file.where}: {printable(file.path)} is {'|'.join(file.names)!r}, and its audio "
                f"is that of {printable(files[earlier].path)} ({files[earlier].where}), which is "
                f"{'|'.join(files[earlier].names)!r}; wanted the same labels"
            )
        twice.append(file.path)
    if not files:
        raise InvalidArgumentError(
            f"none of the {len(labels.files)} labelled files is in {path_text(results.folder)}, "
            f"such as {named([file.path for file in labels.files][:1])}"
        )
    warnings = [f"same audio as another file, counted once: {named(twice)}"] if twice else []
    chosen = np.asarray(embeddings[rows], np.float32)
    _require_finite(chosen, files)
    told = (
        tuple(classes)
        if classes is not None
        else tuple(sorted({name for file in files for name in file.names}))
    )
    _require_known(files, told)
    truth = np.array([[name in file.names for name in told] for file in files], bool)
    paths = [os.path.abspath(results.files[row]) for row in rows]
    audio = [hashes[row] for row in rows]
    return Examples(files, chosen, truth, told, labels.kind, audio, paths), warnings


def _require_finite(embeddings: Array, files: list[Labelled]) -> None:
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise InvalidArgumentError(
            f"{len(bad)} embeddings are not finite, such as that of "
            f"{named([files[index].path for index in bad])}; wanted: these tracks analysed anew"
        )


def _require_known(files: list[Labelled], classes: tuple[str, ...]) -> None:
    other = sorted({name for file in files for name in file.names} - set(classes))
    if other:
        raise InvalidArgumentError(
            f"found the labels {', '.join(other)}; the head knows {', '.join(classes)}"
        )


def without_small(
    examples: Examples, groups: Sequence[int], *, leave_out: bool
) -> tuple[Examples, list[str]]:
    """Refuse classes that nothing can be learnt of, or leave them out.

    Parameters
    ----------
    examples : Examples
    groups : sequence of int
        Group of each track.
    leave_out : bool
        Leave them out, rather than refuse.

    Returns
    -------
    tuple
        The `Examples` of the other classes (tracks of one label whose class goes, go too);
        warnings.

    Raises
    ------
    InvalidArgumentError
        There are such classes, or fewer than two are left.
    """
    _require_two(examples)
    numbers = np.asarray(groups)
    lacking: dict[str, str] = {}
    for index, name in enumerate(examples.classes):
        has = examples.truth[:, index]
        for chosen, what in ((has, "with"), (~has, "without")):
            files, parts = int(chosen.sum()), len(set(numbers[chosen].tolist()))
            if min(files, parts) < 2 and name not in lacking:
                one = "1 file" if files == 1 else f"{files} files"
                lacking[name] = f"{name!r} ({one} {what} it" + (
                    ", of one group)" if parts == 1 and files > 1 else ")"
                )
    if not lacking:
        return examples, []
    listed = ", ".join(lacking.values())
    if not leave_out:
        raise InvalidArgumentError(
            f"too few files for {listed}; wanted 2 or more with and without each label, 10 or more "
            "for a head of use, of 2 groups (albums) at the least: else nothing can say how well "
            "it is recognised in music that was not seen. --leave-out-small goes on without these "
            "labels, --group none takes each file for a group of its own"
        )
    kept = [index for index, name in enumerate(examples.classes) if name not in lacking]
    truth = examples.truth[:, kept]
    left = replace(examples, truth=truth, classes=tuple(examples.classes[index] for index in kept))
    if examples.kind == MULTI_CLASS:
        left = left.only(np.flatnonzero(truth.any(axis=1)).tolist())
    _require_two(left)
    return left, [f"left out, as they have too few files: {listed}"]


def _require_two(examples: Examples) -> None:
    wanted = 2 if examples.kind == MULTI_CLASS else 1
    if len(examples.classes) < wanted:
        found = ", ".join(map(repr, examples.classes)) or "none"
        raise InvalidArgumentError(
            f"found the class {found} alone; wanted two or more, such as one for all other music"
        )


def embedding_of(results: Results) -> HeadEmbedding:
    """Tell which embeddings the tables hold.

    Raises
    ------
    InvalidArgumentError
        None.
    """
    embeddings, _ = results.embeddings()
    return HeadEmbedding.of_results(results.info, embeddings.shape[1])


def small_classes(examples: Examples, fewest: int) -> list[str]:
    """Name the classes with fewer files than `fewest`, with their numbers."""
    counts = Counter(
        {name: int(examples.truth[:, index].sum()) for index, name in enumerate(examples.classes)}
    )
    return [f"{name!r} ({count})" for name, count in counts.items() if count < fewest]
