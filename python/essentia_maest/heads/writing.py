"""A head as an ONNX file, and what Essentia wants to know of it beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidArgumentError
from ..files import write_together
from ..front_end import SAMPLE_RATE
from ..reading.head_description import LOGITS, MULTI_CLASS, HeadEmbedding, head_properties
from .fitting import LinearHead

_OPSET, _IR = 13, 8  # the earliest that have all of it: any ONNX Runtime of ours reads them
INPUT, OUTPUT = "embeddings", "activations"


def checked_head_file(path: Path) -> Path:
    """Check that a head can be written to a path.

    Raises
    ------
    InvalidArgumentError
        It does not end in .onnx, is a folder, or its folder does not exist.
    """
    if path.suffix.lower() != ".onnx" or path.is_dir() or not path.parent.is_dir():
        raise InvalidArgumentError(
            f"{path}: wanted a file that ends in .onnx, in a folder that is there"
        )
    return path


def write_head(
    path: Path,
    head: LinearHead,
    labels: tuple[str, ...],
    embedding: HeadEmbedding,
    *,
    metrics: dict[str, Any],
    tracks: int,
) -> None:
    """Write a head, and Essentia's metadata beside it, each whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The ``.onnx`` file; the metadata goes to the same name with ``.json``.
    head : LinearHead
    labels : tuple of str
        Names of the classes.
    embedding : HeadEmbedding
        What it was fitted on.
    metrics : dict
        What it is worth, as JSON has it.
    tracks : int
        That it was fitted on.

    Raises
    ------
    InvalidArgumentError
        They cannot be written.
    ImportError
        If ``essentia-maest[head]`` is not installed.
    """
    dataset = {"size": f"{tracks} tracks", "metrics": metrics}
    text = json.dumps(
        _essentia_metadata(path.stem, head, labels, embedding, dataset),
        indent=4,
        ensure_ascii=False,
    )
    properties = head_properties(labels, head.kind, embedding, text + "\n")
    content = _graph(head, properties)
    try:
        write_together({path.with_suffix(".json"): text + "\n", path: content})
    except OSError as error:
        raise InvalidArgumentError(
            f"{path}: cannot be written ({error.strerror or error})"
        ) from error


def _graph(head: LinearHead, properties: dict[str, str]) -> bytes:
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError as error:
        raise ImportError(
            "a head is written with onnx: pip install 'essentia-maest[head]'"
        ) from error
    values, classes = head.weights.shape
    constants = {
        "mean": head.mean,
        "scale": head.scale,
        "weights": head.weights,
        "bias": head.bias,
    }
    last = (
        helper.make_node("Softmax", [LOGITS], [OUTPUT], axis=1)
        if head.kind == MULTI_CLASS
        else helper.make_node("Sigmoid", [LOGITS], [OUTPUT])
    )
    graph = helper.make_graph(
        [
            helper.make_node("Sub", [INPUT, "mean"], ["centred"]),
            helper.make_node("Mul", ["centred", "scale"], ["standardised"]),
            helper.make_node("Gemm", ["standardised", "weights", "bias"], [LOGITS]),
            last,
        ],
        "head",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", values])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", classes])
            for name in (OUTPUT, LOGITS)
        ],
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="essentia-maest",
    )
    helper.set_model_props(model, properties)
    checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _essentia_metadata(
    name: str,
    head: LinearHead,
    labels: tuple[str, ...],
    embedding: HeadEmbedding,
    dataset: dict[str, Any],
) -> dict[str, Any]:
    values, classes = head.weights.shape
    last = "Softmax" if head.kind == MULTI_CLASS else "Sigmoid"
    outputs = (
        (OUTPUT, last, "class activations", "predictions"),
        (LOGITS, "Linear", "class logits", LOGITS),
    )
    return {
        "name": name,
        "type": head.kind + " classifier",
        "link": "",
        "version": "1",
        "description": "logistic regression on MAEST embeddings, written by `maest head fit`",
        "author": "",
        "email": "",
        "release_date": "",
        "framework": "onnx",
        "framework_version": f"opset {_OPSET}",
        "classes": list(labels),
        "model_types": ["onnx"],
        "dataset": {"name": "", "citation": "", **dataset},
        "schema": {
            "inputs": [{"name": INPUT, "type": "float", "shape": ["batch", values]}],
            "outputs": [
                {
                    "name": output,
                    "type": "float",
                    "shape": ["batch", classes],
                    "op": operator,
                    "description": says,
                    "output_purpose": purpose,
                }
                for output, operator, says, purpose in outputs
            ],
        },
        "citation": "",
        "inference": {
            "sample_rate": SAMPLE_RATE,
            "algorithm": "OnnxPredict2D",
            "embedding_model": {
                "algorithm": "OnnxPredictMAEST",
                "model_name": embedding.model,
                "link": "",
                "sha256": embedding.model_sha256,
                "block": embedding.block,
                "tokens": list(embedding.tokens),
                **embedding.options,
            },
        },
    }
