"""Essentia's official ONNX files, exported from transformers' AST, to checkpoints.

In those graphs biases, norms and embeddings keep their names, but the matrix of a linear layer is
an anonymous, transposed initialiser. It is found through the node that adds the named bias.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.ast_naming import (
    ANCHOR,
    EPSILON,
    AstSettings,
    current_name,
    weights_from_ast,
)
from essentia_maest.making.checkpoints.checkpoint import Checkpoint, listing
from essentia_maest.making.checkpoints.onnx_files import initializers_of
from essentia_maest.reading.text_files import read_json_object

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_LINEAR_BIASES = ("_proj.bias", ".mlp.fc1.bias", ".mlp.fc2.bias", "classifier.dense.bias")
_LARGEST_EPSILON = 1e-3


def read_official_onnx(model: ModelProto, path: Path, heads: int | None) -> Checkpoint:
    """Read an official ONNX file, and Essentia's JSON beside it if there is one.

    Parameters
    ----------
    model : onnx.ModelProto
        What the file holds.
    path : Path
    heads : int, optional
        Attention heads; by default one per 64 of width.

    Raises
    ------
    ModelError
        If the file is damaged, or is not such an export.
    """
    graph = _Graph(model, path)
    if not any(name.endswith(ANCHOR) for name in graph.initializers):
        raise ModelError(
            f"{path}: found an ONNX file with the initialisers {listing(graph.initializers)}; "
            f"wanted one exported from transformers' AST, with '...{ANCHOR}'"
        )
    arrays = graph.named_arrays()
    epsilons = graph.epsilons() or [EPSILON]
    settings = AstSettings(heads=heads, norm_epsilon=epsilons[0], head_norm_epsilon=epsilons[-1])
    upstream = _metadata_beside(path)
    classes = upstream.get("classes")
    return Checkpoint(
        weights=weights_from_ast(arrays, str(path), settings),
        name=str(upstream.get("name") or path.stem),
        source=f"{path.name} (ONNX)",
        path=path,
        labels=tuple(classes) if isinstance(classes, list) else None,
        upstream=upstream,
    )


def _metadata_beside(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return {}
    return read_json_object(beside)


class _Graph:
    """An exported graph: which arrays it has, and which node makes what."""

    def __init__(self, model: ModelProto, path: Path) -> None:
        self._path = path
        self._nodes = list(model.graph.node)
        self._producers = {output: node for node in self._nodes for output in node.output}
        self.initializers = initializers_of(model, path)
        try:
            self._add_constants()
        except (ValueError, TypeError) as error:
            raise ModelError(f"{path}: found a damaged initialiser ({error})") from error

    def _add_constants(self) -> None:
        """Resolve the nodes that only name an array again, as exporters write for equal ones."""
        from onnx import numpy_helper

        for node in self._nodes:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self.initializers[node.output[0]] = numpy_helper.to_array(attribute.t)
            elif node.op_type in ("Identity", "Cast") and node.input[0] in self.initializers:
                self.initializers[node.output[0]] = self.initializers[node.input[0]]

    def named_arrays(self) -> dict[str, NDArray[Any]]:
        """Give the model's arrays under AST's names, matrices stored [outputs, inputs]."""
        arrays = {
            current_name(name): array
            for name, array in self.initializers.items()
            if name.startswith(("audio_spectrogram_transformer.", "classifier."))
        }
        for node in self._nodes:
            for name in node.input:
                bias = current_name(name)
                if bias.endswith(_LINEAR_BIASES) and bias in arrays:
                    arrays[bias.removesuffix("bias") + "weight"] = self._matrix(node, name)
        return arrays

    def _matrix(self, node: NodeProto, bias: str) -> NDArray[Any]:
        """Find the matrix of the linear layer whose bias this node adds."""
        if node.op_type == "Gemm":
            matrix = self._array(node.input[1])
            transposed = any(entry.name == "transB" and entry.i for entry in node.attribute)
            if matrix is not None:
                return matrix if transposed else matrix.T
        if node.op_type == "Add":
            for name in node.input:
                product = self._producers.get(name)
                # A half precision export can cast between product and sum.
                while product is not None and product.op_type in ("Cast", "Identity"):
                    product = self._producers.get(product.input[0])
                if product is not None and product.op_type == "MatMul":
                    matrix = self._array(product.input[1])
                    if matrix is not None:
                        return matrix.T
        raise ModelError(
            f"{self._path}: found {bias!r} in a node {node.op_type}; wanted it added to the "
            "product with a constant matrix (MatMul and Add, or Gemm)"
        )

    def _array(self, name: str) -> NDArray[Any] | None:
        producer = self._producers.get(name)
        if producer is not None and producer.op_type == "Transpose":
            matrix = self.initializers.get(producer.input[0])
            return None if matrix is None else matrix.T
        return self.initializers.get(name)

    def epsilons(self) -> list[float]:
        """Give the epsilon of every LayerNorm, in the order of the graph; the head's is last."""
        found = []
        squared = {node.input[0] for node in self._nodes if node.op_type == "Sqrt"}
        for node in self._nodes:
            if node.op_type == "LayerNormalization":
                values = [entry.f for entry in node.attribute if entry.name == "epsilon"]
                found.append(_readable(values[0] if values else 1e-5))
            elif node.op_type == "Add" and node.output[0] in squared:
                for name in node.input:
                    array = self.initializers.get(name)
                    if array is not None and array.size == 1 and array < _LARGEST_EPSILON:
                        found.append(_readable(float(array.reshape(-1)[0])))
        return found


def _readable(value: float) -> float:
    """Undo the rounding of a setting such as 1e-6 to single or half precision."""
    return float(f"{np.float32(value):.2g}")
