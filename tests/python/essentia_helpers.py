"""What the tests of the Essentia algorithms share: signals, networks, heads, processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from untrained import UNTRAINED

RATE = 16000
SEGMENT = 626  # frames of the shipped model, 10 s
HOP = 625
CLASSES = 400
DIM = 64
TOKENS = 2 + 9 * 62


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def stream(algorithm, audio: np.ndarray) -> list[np.ndarray]:
    """Run VectorInput >> algorithm >> Pool; return the tensors that left."""
    import essentia
    import essentia.streaming

    source = essentia.streaming.VectorInput(audio)
    pool = essentia.Pool()
    source.data >> algorithm.signal
    algorithm.predictions >> (pool, "predictions")
    essentia.run(source)
    return pool["predictions"] if pool.containsKey("predictions") else []


def write_head(
    path: Path,
    shape: Sequence[int | str],
    width: int,
    *,
    outputs: Sequence[str] = ("logits", "activations"),
    seed: int = 0,
) -> np.ndarray:
    """Write a linear classifier of 5 classes, over the mean of the rows if the input has rows.

    Returns its weights [width, 5]. The outputs called activations or Sigmoid are sigmoids.
    """
    weights = np.random.default_rng(seed).standard_normal((width, 5)).astype(np.float32)
    nodes, values, constants = [], "embeddings", [numpy_helper.from_array(weights, "weights")]
    if len(shape) > 2:
        axes = np.arange(1, len(shape) - 1, dtype=np.int64)
        constants.append(numpy_helper.from_array(axes, "axes"))
        nodes.append(helper.make_node("ReduceMean", [values, "axes"], ["mean"], keepdims=0))
        values = "mean"
    nodes.append(helper.make_node("MatMul", [values, "weights"], ["product"]))
    for name in outputs:
        sigmoid = name in ("activations", "Sigmoid")
        nodes.append(helper.make_node("Sigmoid" if sigmoid else "Identity", ["product"], [name]))
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 5]) for name in outputs],
        constants,
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path
    )
    return weights


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def regression_signal() -> np.ndarray:
    seconds = np.arange(12 * RATE) / RATE
    return (0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)


def make_regression(model: Path) -> np.ndarray:
    """Compute what tests/data/essentia_regression.npy holds, with none of our code.

    Essentia's front end, and the graph run by onnxruntime's Python: mean activations of the
    segments of `regression_signal`.
    """
    import onnxruntime

    from oracles import essentia_mel

    mel = (essentia_mel(regression_signal()) - 2.06755686098554) / (2 * 1.268292820667291)
    segment = mel[:SEGMENT]
    patches = [
        segment[10 * column : 10 * column + 16, 10 * row : 10 * row + 16].ravel()
        for row in range(9)
        for column in range(62)
    ]
    session = onnxruntime.InferenceSession(str(model))
    feed = {
        "patches": np.array([patches], np.float32),
        "kept": np.arange(9 * 62),
        "depth": np.array(12),
        "tap": np.array(0),
    }
    return session.run(["activations"], feed)[0][0]


def run_python(code: str, *arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


# What the programs that tests run begin with.
SET_UP = f"file = {str(UNTRAINED)!r}"
SET_UP += """
import gc, os, subprocess, sys, threading, time
import numpy as np
import essentia_maest as maest
import essentia
essentia.log.infoActive = essentia.log.warningActive = False
import essentia.standard as es, essentia.streaming as ess
audio = (0.1 * np.random.default_rng(0).standard_normal(16000 * 11)).astype(np.float32)

def megabytes():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

def handles():
    return len(os.listdir("/proc/self/fd"))

def run_network(predict):
    source, pool = ess.VectorInput(audio), essentia.Pool()
    source.data >> predict.signal
    predict.predictions >> (pool, "predictions")
    essentia.run(source)
    return np.concatenate(pool["predictions"])
"""
