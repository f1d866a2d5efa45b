"""What is read from a checkpoint, and the tensors it is read from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.weights import HEAD_DIM, FloatArray, ModelWeights

_LISTED = 6
"""How many names an error message lists."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, read and checked.

    Parameters
    ----------
    weights : ModelWeights
    name : str
        Title of the model.
    source : str
        The file's name and which weights of it were taken.
    path : Path
        The file that holds the weights.
    labels : tuple of str, optional
        Names of the classes, where the source has them.
    license : str, optional
        Licence, where the source names one.
    upstream : mapping
        Metadata in Essentia's schema, where the source has it.
    normalisation : tuple of float, optional
        Mean and standard deviation of the training set, where they are not those of the public
        models.
    families : tuple of str
        The labels' families, where they answer several questions.
    trained : bool
        False for random weights.
    source_sha256 : str, optional
        SHA-256 of what `source` names, where that is not `path`.
    description : str, optional
        Where it is not to be made from `source`.
    rounded : bool
        The weights went through 8-bit integers.
    """

    weights: ModelWeights
    name: str
    source: str
    path: Path
    labels: tuple[str, ...] | None = None
    license: str | None = None
    upstream: Mapping[str, Any] = field(default_factory=dict)
    normalisation: tuple[float, float] | None = None
    families: tuple[str, ...] = ()
    trained: bool = True
    source_sha256: str | None = None
    description: str | None = None
    rounded: bool = False


class Tensors:
    """Named arrays of a file; each is taken once, with its shape checked.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    origin : str
        The file, for messages.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], origin: str) -> None:
        self._arrays = dict(arrays)
        self._untaken = set(self._arrays)
        self.origin = origin

    def __contains__(self, name: str) -> bool:
        """Tell whether the file has this array."""
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._arrays)

    def take(self, name: str, shape: tuple[int | None, ...]) -> FloatArray:
        """Give an array as float32.

        Parameters
        ----------
        name : str
        shape : tuple of int or None
            The shape it must have; None for a length that may be any.

        Raises
        ------
        ModelError
            If it is missing, is not floating point, or has another shape.
        """
        if name not in self._arrays:
            raise ModelError(
                f"{self.origin}: wanted {name!r}, which is missing; found {listing(self._arrays)}"
            )
        array = self._arrays[name]
        fits = len(array.shape) == len(shape) and all(
            wanted in (None, found) for found, wanted in zip(array.shape, shape, strict=True)
        )
        if not fits:
            wanted_shape = ["any" if length is None else length for length in shape]
            raise ModelError(
                f"{self.origin}: {name!r} has the shape {list(array.shape)}, "
                f"wanted {wanted_shape}".replace("'any'", "any")
            )
        if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
            raise ModelError(f"{self.origin}: {name!r} is {array.dtype}, wanted floating point")
        self._untaken.discard(name)
        return np.ascontiguousarray(array, dtype=np.float32)

    def ignore(self, prefix: str) -> None:
        """Leave the arrays whose names start so."""
        self._untaken = {name for name in self._untaken if not name.startswith(prefix)}

    def finish(self, wanted: str) -> None:
        """Check that every array was taken.

        Raises
        ------
        ModelError
            If one was not: then the file is not the model it was taken for.
        """
        if self._untaken:
            raise ModelError(
                f"{self.origin}: found {listing(self._untaken)}, which {wanted} does not have"
            )


def listing(names: Iterable[str]) -> str:
    """Give some of the names, for a message."""
    ordered = sorted(names)
    shown = ", ".join(repr(name) for name in ordered[:_LISTED]) or "nothing"
    more = len(ordered) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def attention_heads(dim: int, heads: int | None, origin: str) -> int:
    """Give the number of attention heads: as told, or one per 64 of width.

    Raises
    ------
    ModelError
        If it is not told and cannot be deduced, or does not divide the width.
    """
    if heads is None:
        if dim % HEAD_DIM:
            raise ModelError(
                f"{origin}: a width of {dim} is not a multiple of {HEAD_DIM}, so the number of "
                "attention heads cannot be deduced; wanted the argument heads"
            )
        return dim // HEAD_DIM
    if heads < 1 or dim % heads:
        raise ModelError(f"{origin}: {heads} attention heads do not divide a width of {dim}")
    return heads
