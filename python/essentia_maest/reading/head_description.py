"""What a head's file says of itself: classes, and the embeddings that it was made for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import _core
from ..errors import ModelError
from .text_files import parse_json, read_text

PREFIX = "maest.head."
FORMAT_VERSION = "1"
LABELS_KEY = _core.HEAD_LABELS_KEY
"""The engine reads it, too."""

MULTI_CLASS, MULTI_LABEL = KINDS = ("multi-class", "multi-label")
"""One label a track, or any number of them."""

LOGITS = "logits"

MEAN_EMBEDDING, MEAN_PREDICTION = POOLINGS = ("mean embedding", "mean prediction")
"""What is said of a track: the prediction of its mean embedding, or the mean of its segments'."""


@dataclass(frozen=True)
class HeadEmbedding:
    """The embeddings that a head was made for.

    Attributes
    ----------
    model : str
        Name of the model that gave them.
    model_sha256 : str
        Of its file.
    block : int
        Transformer block, from 1.
    tokens : tuple of str
        What they are stacked of.
    values : int
        How long they are.
    options : mapping
        The other options they were made with: ``patchout``, ``hop``, ``tail``, perhaps
        ``segments``.
    """

    model: str
    model_sha256: str
    block: int
    tokens: tuple[str, ...]
    values: int
    options: Mapping[str, Any]

    @classmethod
    def of_results(cls, told: Mapping[str, Any], values: int) -> HeadEmbedding:
        """Take it from what the tables of results tell of themselves.

        Parameters
        ----------
        told : mapping
            ``model`` and ``options``, as `essentia_maest.Results.info` has them.
        values : int
            Length of their embeddings.

        Returns
        -------
        HeadEmbedding
        """
        options = dict(told["options"])
        names = ("patchout", "hop", "tail", "segments")
        return cls(
            str(told["model"]["name"]),
            str(told["model"]["sha256"]),
            int(options["block"]),
            tuple(options["tokens"]),
            values,
            {name: options[name] for name in names if name in options},
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "tokens": list(self.tokens), "options": dict(self.options)}

    @property
    def in_words(self) -> str:
        """What a user types to get such embeddings."""
        return (
            f"--model {self.model} --block {self.block} --tokens {','.join(self.tokens)} "
            f"({self.values} values, model sha256 {self.model_sha256[:12]})"
        )


@dataclass(frozen=True)
class HeadDescription:
    """What a head's file says of itself.

    Attributes
    ----------
    info : dict
        Metadata in Essentia's schema, in the file or beside it; empty if there is none.
    labels : tuple of str
        Names of the classes; empty if nobody told them.
    kind : str or None
        One of `KINDS`; None if the file does not tell.
    embedding : HeadEmbedding or None
        None if the file does not tell.
    pooling : str
        One of `POOLINGS`: the mean of predictions if the file does not tell.
    """

    info: dict[str, Any]
    labels: tuple[str, ...]
    kind: str | None
    embedding: HeadEmbedding | None
    pooling: str

    def gives_logits(self, output: str) -> bool:
        """Say whether an output is logits, by the metadata or by its name."""
        outputs = self.info.get("schema", {}).get("outputs", [])
        for told in outputs if isinstance(outputs, list) else []:
            if isinstance(told, dict) and told.get("name") == output and "output_purpose" in told:
                return bool(told["output_purpose"] == LOGITS)
        return LOGITS in output.lower()


def read_head_description(path: Path, head: _core.Head) -> HeadDescription:
    """Read what a head's file says of itself.

    Parameters
    ----------
    path : pathlib.Path
        The file; where it holds no metadata in Essentia's schema, the ``.json`` beside it is read.
    head : _core.Head
        The file, opened.

    Returns
    -------
    HeadDescription

    Raises
    ------
    ModelError
        What it says is damaged, or of another version.
    """
    origin = f"the metadata of head '{path}'"
    version = head.metadata(PREFIX + "format_version")
    if version not in (None, FORMAT_VERSION):
        raise ModelError(
            f"head '{path}' has format version {version}; this essentia-maest reads "
            f"{FORMAT_VERSION}"
        )
    text = head.metadata(PREFIX + "essentia_metadata")
    beside = path.with_suffix(".json")
    if text is None and beside.is_file():
        text = read_text(beside)
    info = parse_json(text, origin) if text else {}
    if not isinstance(info, dict):
        raise ModelError(f"{origin} is a {type(info).__name__}; an object is wanted")
    classes = info.get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ModelError(f"{origin} has classes that are no list of names")
    return HeadDescription(
        info,
        tuple(head.labels) or tuple(classes),
        head.metadata(PREFIX + "kind"),
        _read_embedding(head.metadata(PREFIX + "embedding"), origin),
        head.metadata(PREFIX + "pooling") or MEAN_PREDICTION,
    )


def _read_embedding(text: str | None, origin: str) -> HeadEmbedding | None:
    if text is None:
        return None
    told = parse_json(text, origin)
    try:
        return HeadEmbedding(
            str(told["model"]),
            str(told["model_sha256"]),
            int(told["block"]),
            tuple(map(str, told["tokens"])),
            int(told["values"]),
            dict(told["options"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{origin} tells of embeddings what cannot be read ({error!r})") from error


def head_properties(
    labels: tuple[str, ...], kind: str, embedding: HeadEmbedding, essentia_text: str
) -> dict[str, str]:
    """Give the ``metadata_props`` of a head's file.

    Parameters
    ----------
    labels : tuple of str
    kind : str
        One of `KINDS`.
    embedding : HeadEmbedding
    essentia_text : str
        The JSON text that is also written beside the file.

    Returns
    -------
    dict
    """
    return {
        PREFIX + "format_version": FORMAT_VERSION,
        LABELS_KEY: "\n".join(labels),
        PREFIX + "kind": kind,
        PREFIX + "pooling": MEAN_EMBEDDING,
        PREFIX + "embedding": json.dumps(embedding.as_json(), ensure_ascii=False),
        PREFIX + "essentia_metadata": essentia_text,
    }
