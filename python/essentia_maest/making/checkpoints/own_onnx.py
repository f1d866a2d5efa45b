"""Model files of this project, to checkpoints: what `making.graph` wrote, read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.checkpoint import Checkpoint, Tensors
from essentia_maest.making.checkpoints.onnx_files import initializers_of
from essentia_maest.making.metadata import FORMAT_VERSION, PREFIX
from essentia_maest.making.weights import (
    EMBEDDING_PARTS,
    PATCH_VALUES,
    BlockWeights,
    FloatArray,
    ModelWeights,
)
from essentia_maest.reading.families import METADATA_KEY, checked_families
from essentia_maest.reading.text_files import parse_json

if TYPE_CHECKING:
    from onnx import ModelProto

# What the graph computes with besides weights: numbers of blocks, shapes, places of rows.
_INTEGERS = np.dtype(np.int64)
_BLOCK_NORM = "block_1/norm1"


def is_own_file(model: ModelProto) -> bool:
    """Tell whether `maest convert` has written this ONNX file."""
    return any(entry.key.startswith(PREFIX) for entry in model.metadata_props)


def read_own_onnx(
    model: ModelProto, path: Path, heads: int | None, *, rounded: bool = False
) -> Checkpoint:
    """Give the model in a file of ours.

    Parameters
    ----------
    model : onnx.ModelProto
        What the file holds.
    path : Path
        The file, for messages.
    heads : int, optional
        Attention heads; wanted as the file says.
    rounded : bool
        Take 8-bit weights too, for what they stand for.

    Raises
    ------
    ModelError
        If the file is damaged, of another version, or not in fp32 where that is wanted.
    """
    properties = _Properties(model, path)
    precision = properties.text("precision")
    if precision != "fp32" and not rounded:
        raise ModelError(
            f"{path}: found a model file in {precision}, whose rounding cannot be undone; wanted "
            f"one in fp32, or what it was made from ({properties.text('source')})"
        )
    found_heads = properties.number("heads")
    if heads not in (None, found_heads):
        raise ModelError(f"{path}: the model has {found_heads} attention heads, not {heads}")
    metadata = _metadata(properties.text("essentia_metadata"), path)
    labels = tuple(properties.text("labels").split("\n"))
    return Checkpoint(
        weights=_weights(model, path, properties, found_heads),
        name=properties.text("name"),
        source=properties.text("source"),
        path=path,
        labels=labels,
        license=properties.text("license"),
        upstream=metadata,
        normalisation=(
            properties.decimal("normalization_mean"),
            properties.decimal("normalization_divisor") / 2,
        ),
        families=checked_families(metadata.get(METADATA_KEY), labels, str(path)),
        trained=properties.text("trained") == "true",
        source_sha256=properties.text("source_sha256"),
        description=str(metadata.get("description", "")),
        rounded=precision != "fp32",
    )


class _Properties:
    """The entries of ``metadata_props``; a missing or unreadable one is a ModelError naming it."""

    def __init__(self, model: ModelProto, path: Path) -> None:
        self._entries: dict[str, str] = {entry.key: entry.value for entry in model.metadata_props}
        self._path = path
        version = self.text("format_version")
        if version != FORMAT_VERSION:
            raise ModelError(
                f"{path}: found a model file of version {version!r}, wanted {FORMAT_VERSION!r}"
            )

    def text(self, name: str) -> str:
        try:
            return self._entries[PREFIX + name]
        except KeyError as error:
            raise ModelError(
                f"{self._path}: lacks the metadata entry {PREFIX + name!r}: the file is damaged"
            ) from error

    def number(self, name: str) -> int:
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) < 8):
            raise ModelError(f"{self._path}: {PREFIX}{name} is {text!r}, wanted a whole number")
        return int(text)

    def decimal(self, name: str) -> float:
        try:
            return float(self.text(name))
        except ValueError as error:
            raise ModelError(
                f"{self._path}: {PREFIX}{name} is {self.text(name)!r}, wanted a number"
            ) from error


def _metadata(text: str, path: Path) -> Mapping[str, Any]:
    content = parse_json(text, f"the metadata of {path}")
    if not isinstance(content, dict):
        raise ModelError(f"{path}: found metadata that are no JSON object; the file is damaged")
    return content


def _weights(model: ModelProto, path: Path, properties: _Properties, heads: int) -> ModelWeights:
    arrays = _unpacked(initializers_of(model, path), path)
    tensors = Tensors(
        {name: array for name, array in arrays.items() if array.dtype != _INTEGERS}, str(path)
    )
    depth = properties.number("depth")
    dim = properties.number("dim")
    epsilons = _epsilons(model)
    # a head on the embedding has no norm before it
    on_embedding = "norm/scale" not in tensors
    inputs = EMBEDDING_PARTS * dim if on_embedding else dim
    head_weight = tensors.take("head/weight", (inputs, None))
    classes = head_weight.shape[1]
    second = [
        tensors.take(name, shape) if name in tensors else None
        for name, shape in (
            ("second_head/weight", (dim, classes)),
            ("second_head/bias", (classes,)),
        )
    ]
    weights = ModelWeights(
        patch_weight=tensors.take("patch_weight", (PATCH_VALUES, dim)),
        class_tokens=tensors.take("class_token_values", (1, 2, dim))[0],
        positions=tensors.take("positions", (None, dim)),
        blocks=tuple(
            _block(tensors, f"block_{number}/", dim, apart=number == depth and not on_embedding)
            for number in range(1, depth + 1)
        ),
        norm_scale=None if on_embedding else tensors.take("norm/scale", (dim,)),
        norm_bias=None if on_embedding else tensors.take("norm/bias", (dim,)),
        head_norm_scale=tensors.take("head/norm/scale", (inputs,)),
        head_norm_bias=tensors.take("head/norm/bias", (inputs,)),
        head_weight=head_weight,
        head_bias=tensors.take("head/bias", (classes,)),
        heads=heads,
        rows=properties.number("grid_rows"),
        columns=properties.number("grid_columns"),
        second_head_weight=second[0],
        second_head_bias=second[1],
        norm_epsilon=_epsilon(epsilons, _BLOCK_NORM if on_embedding else "norm", path),
        **({} if on_embedding else {"head_norm_epsilon": _epsilon(epsilons, "head/norm", path)}),
    )
    tensors.finish("a model file of ours")
    return weights


def _unpacked(arrays: Mapping[str, NDArray[Any]], path: Path) -> dict[str, NDArray[Any]]:
    """Give 8-bit matrices as the floats that they stand for, and tables row by row.

    Both of the files of 0.1, where scale, zero point and bias lie apart, and of those whose rows
    have each a range of its own (`essentia_maest.making.graph_layers`).
    """
    found = dict(arrays)
    for name, values in arrays.items():
        if values.dtype == np.int8 and name.endswith("/weight"):
            layer = name.removesuffix("weight")
            try:
                if f"{layer}columns" in arrays:
                    scale, _, found[f"{layer}bias"], *gain = found.pop(f"{layer}columns")
                    found[name] = values * scale
                    if gain:
                        found[f"{layer}gain"] = gain[0]
                else:
                    scale, zero = found.pop(layer + "scale"), found.pop(layer + "zero_point")
                    found[name] = (values.astype(np.float32) - zero) * scale
            except (KeyError, TypeError, ValueError) as error:
                raise ModelError(f"{path}: {name!r} has no scale that fits ({error})") from error
        elif name.endswith("/scale_bias"):
            norm = name.removesuffix("scale_bias")
            try:
                found[f"{norm}scale"], found[f"{norm}bias"] = found.pop(name)
            except (TypeError, ValueError) as error:
                raise ModelError(f"{path}: {name!r}: found {values.shape} ({error})") from error
    return found


def _block(tensors: Tensors, prefix: str, dim: int, *, apart: bool) -> BlockWeights:
    def take(name: str, *shape: int | None) -> FloatArray:
        return tensors.take(prefix + name, shape)

    if apart:  # of the last block only the queries that are asked for are computed
        qkv_weight = _joined(take("query/weight", dim, dim), take("key_value/weight", dim, 2 * dim))
        qkv_bias = _joined(take("query/bias", dim), take("key_value/bias", 2 * dim))
    else:
        qkv_weight, qkv_bias = take("qkv/weight", dim, 3 * dim), take("qkv/bias", 3 * dim)
    hidden = take("fc1/bias", None).shape[0]
    fc2_weight = take("fc2/weight", hidden, dim)
    for gain in ("fc1/gain", "gelu/gain"):  # what fc2 is fed was multiplied with
        if prefix + gain in tensors:
            fc2_weight = fc2_weight * take(gain, hidden)[:, np.newaxis]
    return BlockWeights(
        norm1_scale=take("norm1/scale", dim),
        norm1_bias=take("norm1/bias", dim),
        qkv_weight=qkv_weight,
        qkv_bias=qkv_bias,
        projection_weight=take("projection/weight", dim, dim),
        projection_bias=take("projection/bias", dim),
        norm2_scale=take("norm2/scale", dim),
        norm2_bias=take("norm2/bias", dim),
        fc1_weight=take("fc1/weight", dim, hidden),
        fc1_bias=take("fc1/bias", hidden),
        fc2_weight=fc2_weight,
        fc2_bias=take("fc2/bias", dim),
    )


def _joined(first: NDArray[np.float32], second: NDArray[np.float32]) -> FloatArray:
    return np.concatenate([first, second], axis=-1)


def _epsilons(model: ModelProto) -> dict[str, float]:
    """Give the epsilon of the norms of the main graph, by the names of their outputs."""
    return {
        node.output[0].removesuffix("/integers"): attribute.f
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.name == "epsilon"
    }


def _epsilon(epsilons: Mapping[str, float], name: str, path: Path) -> float:
    if name not in epsilons:
        raise ModelError(f"{path}: lacks the node {name!r}: the file is damaged")
    return epsilons[name]
