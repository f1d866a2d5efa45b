"""ONNX files: opened, with what they load from other files checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.errors import ModelError

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto


def load_onnx(path: Path) -> ModelProto:
    """Read an ONNX file, and what it keeps in other files of its folder.

    Raises
    ------
    ModelError
        If the file is damaged or something else, or names a file outside its folder.
    ImportError
        If onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            f"reading {path.name} needs the package onnx: pip install 'essentia-maest[convert]'"
        ) from error
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf and onnx have several classes for damage
        raise ModelError(f"{path}: wanted an ONNX file, found damage ({error})") from error
    if not model.graph.node:
        raise ModelError(f"{path}: found no ONNX graph; the file is damaged or something else")
    tensors = [tensor for tensor in _tensors(model) if tensor.external_data]
    for tensor in tensors:
        _refuse_outside(path, tensor)
    if tensors:
        try:
            onnx.load_external_data_for_model(model, str(path.parent))
        except Exception as error:
            raise ModelError(
                f"{path}: found damage in what it keeps in other files ({error})"
            ) from error
    return model


def initializers_of(model: ModelProto, path: Path) -> dict[str, NDArray[Any]]:
    """Give the arrays of a graph, by name.

    Raises
    ------
    ModelError
        If one is damaged.
    """
    from onnx import numpy_helper

    try:
        return {
            tensor.name: np.asarray(numpy_helper.to_array(tensor))
            for tensor in model.graph.initializer
        }
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path}: found a damaged initialiser ({error})") from error


def _refuse_outside(path: Path, tensor: TensorProto) -> None:
    folder = path.parent.resolve()
    for entry in tensor.external_data:
        if entry.key != "location":
            continue
        file = (folder / entry.value).resolve()  # follows links that lead out of the folder
        if not (file.is_relative_to(folder) and file.is_file()):
            raise ModelError(
                f"{path}: {tensor.name!r} is to be read from {entry.value!r}; wanted a file in the "
                "model's own folder"
            )


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Any) -> Iterator[TensorProto]:
    node: NodeProto
    for node in nodes:
        attribute: AttributeProto
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            yield from _graph_tensors(attribute.g)
            for graph in attribute.graphs:
                yield from _graph_tensors(graph)
