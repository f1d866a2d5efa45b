"""A head: a small model on embeddings, such as a tagger of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import InvalidArgumentError, ModelError
from .ort_library import use_library
from .reading.head_description import HeadEmbedding, read_head_description

Array = npt.NDArray[np.float32]
Activation = Literal["sigmoid", "softmax", "none"]

_ACTIVATIONS = ("sigmoid", "softmax", "none")
_BEYOND = 1e-4  # what rounding may add to a probability


class Head:
    """A head opened once, to be shared between threads.

    It may be what ``maest head fit`` wrote, one of Essentia's heads for MAEST, or any ONNX file
    with one float32 input of embeddings, from scikit-learn through skl2onnx or from PyTorch.

    Parameters
    ----------
    head : str or os.PathLike
        The ``.onnx`` file.
    output : str, optional
        Name of the output; None is the only one in float32, or the one called ``activations``,
        ``predictions`` or ``probabilities``.
    activation : {"sigmoid", "softmax", "none"}, optional
        What is computed from an output that is logits: "sigmoid" where a track may have several
        labels, "softmax" where it has one, "none" leaves the values as they are. None: the output
        is 0 to 1 already.
    num_threads : int, default 1
        Threads that one call uses; 0 is as many as this process may use.

    Raises
    ------
    ModelError
        There is no such file, or it is damaged, or not for the installed ONNX Runtime; its classes
        are not as many as its outputs.
    InvalidArgumentError
        It has no such output, or none in float32, or logits and no `activation`; its input is not
        float32 of rank 2 to 4.
    OnnxRuntimeError
        If ONNX Runtime 1.20 or newer is not installed.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    info : dict
        Its metadata, in Essentia's schema; empty if there is none.
    labels : tuple of str
        Names of the classes, ``class-000`` and so on where nobody named them.
    kind : str or None
        ``"multi-class"`` or ``"multi-label"``, where the file tells.
    embedding : HeadEmbedding or None
        The embeddings that it was made for, where the file tells.
    pooling : {"mean embedding", "mean prediction"}
        How a track's prediction comes about in tables of results: it is that of the mean of its
        segments' embeddings, which is what ``maest head fit`` fits on, or the mean of its
        segments' predictions.
    input_shape : tuple of int
        [batch, values], or [batch, tokens, dim] or [batch, 1, tokens, dim] for heads that take all
        tokens of a block; -1 is any number.

    Examples
    --------
    >>> import essentia_maest as maest
    >>> head = maest.Head("mood.onnx")  # doctest: +SKIP
    >>> embeddings, ids = maest.open_results("results").embeddings()  # doctest: +SKIP
    >>> head.predict(embeddings)  # doctest: +SKIP
    """

    def __init__(
        self,
        head: str | os.PathLike[str],
        *,
        output: str | None = None,
        activation: Activation | None = None,
        num_threads: int = 1,
    ) -> None:
        if activation is not None and activation not in _ACTIVATIONS:
            raise InvalidArgumentError(
                f"activation is {activation!r}; wanted: {', '.join(_ACTIVATIONS)}, or None"
            )
        use_library()
        self.path = Path(os.fsdecode(head))
        self._given = (output, activation, num_threads)
        self._engine = _core.Head(os.fsencode(self.path), num_threads, output or "")
        self._activation = activation
        described = read_head_description(self.path, self._engine)
        if activation is None and described.gives_logits(self._engine.output_name):
            raise InvalidArgumentError(
                f"head '{self.path}': output '{self._engine.output_name}' gives logits; wanted: "
                "activation 'sigmoid' (a track may have several labels), 'softmax' (it has one) or "
                "'none'"
            )
        self.info: dict[str, Any] = described.info
        self.kind = described.kind
        self.embedding = described.embedding
        self.pooling = described.pooling
        self.input_shape = tuple(self._engine.input_shape)
        self.labels = self._named(described.labels)

    def predict(self, embeddings: npt.ArrayLike) -> Array:
        """Compute how much each class is present.

        Parameters
        ----------
        embeddings : array_like
            float32 (float64 is converted), shape [n, values] as `Model.embed` and
            `Results.embeddings` give them; for a head that takes all tokens of a block, as
            `Model.tokens` gives them: [n, tokens, dim], or [n, 1, tokens, dim].

        Returns
        -------
        numpy.ndarray, shape [n, classes], float32
            0 to 1, in the order of `labels`; with ``activation="none"`` what the file gives.

        Raises
        ------
        InvalidArgumentError
            They are of another shape or type, or not finite; or what the file gives is not 0 to 1,
            and no `activation` was asked for.
        ModelError
            ONNX Runtime refuses.
        """
        values = self._checked(embeddings)
        if len(values) == 0:
            return np.zeros((0, len(self.labels)), np.float32)
        found = self._engine.predict(values)
        if self._activation == "sigmoid":
            return _sigmoid(found)
        if self._activation == "softmax":
            return _softmax(found)
        if self._activation is None:
            self._require_probabilities(found)
        return found

    def require_embedding(self, found: HeadEmbedding, where: str) -> None:
        """Refuse embeddings of another model, block or length than this head was made for.

        Parameters
        ----------
        found : HeadEmbedding
            What is to be given to it.
        where : str
            Where they are, for messages.

        Raises
        ------
        InvalidArgumentError
            They are others; or this head takes all tokens, which no table keeps.
        """
        rank = len(self.input_shape)
        if rank != 2:
            raise InvalidArgumentError(
                f"head '{self.path}' takes all tokens of a block, {list(self.input_shape)}, which "
                "tables do not keep; wanted: a head on embeddings, or "
                "Head(...).predict(model.tokens(audio, block=12))"
            )
        width = self.input_shape[1]
        if width not in (-1, found.values):
            raise InvalidArgumentError(
                f"head '{self.path}' takes embeddings of {width} values; {where} has {found.values}"
                + (f". Wanted: {self.embedding.in_words}" if self.embedding else "")
            )
        wanted = self.embedding
        if wanted is None:
            return
        names = {
            "model": (wanted.model_sha256, found.model_sha256),
            "block": (wanted.block, found.block),
            "tokens": (wanted.tokens, found.tokens),
        }
        other = [name for name, (mine, given) in names.items() if mine != given]
        if other:
            raise InvalidArgumentError(
                f"head '{self.path}' was made for other embeddings ({', '.join(other)}): "
                f"{wanted.in_words}; {where} has {found.in_words}"
            )

    def _named(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        classes = self._engine.output_shape[-1] if self._engine.output_shape else -1
        if classes < 0 and all(size > 0 for size in self.input_shape[1:]):
            row = np.zeros((1, *self.input_shape[1:]), np.float32)
            classes = self._engine.predict(row).shape[1]
        if not labels:
            return tuple(f"class-{index:03d}" for index in range(max(classes, 0)))
        if classes not in (-1, len(labels)):
            raise ModelError(
                f"head '{self.path}' has {classes} outputs, but its metadata name {len(labels)} "
                "classes"
            )
        return labels

    def _checked(self, embeddings: npt.ArrayLike) -> Array:
        given = np.asarray(embeddings)
        wanted = [size if size >= 0 else "any" for size in self.input_shape]
        if given.dtype.kind != "f":
            raise InvalidArgumentError(
                f"embeddings are {given.dtype}; wanted: float32 of the shape {wanted}"
            )
        if given.ndim == len(self.input_shape) - 1 and len(self.input_shape) == 4:
            given = given[:, np.newaxis]  # Essentia's channel, which `Model.tokens` does not have
        fits = given.ndim == len(self.input_shape) and all(
            size in (-1, found)
            for size, found in zip(self.input_shape[1:], given.shape[1:], strict=True)
        )
        if not fits:
            raise InvalidArgumentError(
                f"embeddings have the shape {list(given.shape)}; head '{self.path}' wants {wanted}"
            )
        values = np.ascontiguousarray(given, np.float32)
        if not np.isfinite(values).all():
            first = np.argwhere(~np.isfinite(values))[0].tolist()
            raise InvalidArgumentError(
                f"embeddings are not finite: the first such value is {first}"
            )
        return values

    def _require_probabilities(self, found: Array) -> None:
        low, high = float(found.min()), float(found.max())
        if not (low >= -_BEYOND and high <= 1 + _BEYOND):
            raise InvalidArgumentError(
                f"head '{self.path}': output '{self._engine.output_name}' gives {low:.4g} to "
                f"{high:.4g}, which is not 0 to 1; wanted: activation 'sigmoid' (a track may have "
                "several labels), 'softmax' (it has one) or 'none'"
            )

    def __reduce__(self) -> tuple[Any, tuple[str, Mapping[str, Any]]]:
        names = ("output", "activation", "num_threads")
        return _opened, (str(self.path.absolute()), dict(zip(names, self._given, strict=True)))

    def __repr__(self) -> str:
        made_for = f", for {self.embedding.model!r}" if self.embedding else ""
        return f"<Head {self.path.name!r}: {len(self.labels)} classes{made_for}>"


def _opened(path: str, options: Mapping[str, Any]) -> Head:
    return Head(path, **options)


def _sigmoid(logits: Array) -> Array:
    # The exponential of what is not positive cannot overflow.
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares
