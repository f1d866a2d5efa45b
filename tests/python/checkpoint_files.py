"""Checkpoints of one small model in every public format, and what a model file gives."""

import functools

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

from reference_models import (
    ast_from_maest,
    columns_of,
    kept_of,
    make_maest,
    patches_of,
    random_mel,
)

FRAMES, CLASSES, DIM, HEADS, DEPTH = 166, 7, 128, 2, 3
COLUMNS = columns_of(FRAMES)
LABELS = [f"Genre---Style {number}" for number in range(CLASSES)]


@functools.cache
def small_maest():
    return make_maest(FRAMES, CLASSES, dim=DIM, heads=HEADS, depth=DEPTH)


@functools.cache
def small_ast():
    return ast_from_maest(small_maest(), FRAMES, HEADS)


def properties(path) -> dict[str, str]:
    return {
        entry.key.removeprefix("maest."): entry.value for entry in onnx.load(path).metadata_props
    }


def outputs_of(path, tap=DEPTH):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kept = kept_of(COLUMNS)
    feed = {
        "patches": patches_of(random_mel(FRAMES), kept)[np.newaxis],
        "kept": kept,
        "depth": np.array(DEPTH, np.int64),
        "tap": np.array(tap, np.int64),
    }
    return session.run(["tokens", "logits"], feed)


def check_outputs(path, references, tolerance=1e-4):
    tokens, logits = references
    found_tokens, found_logits = outputs_of(path)
    assert np.abs(found_tokens - tokens[-1]).max() < tolerance * tokens[-1].std()
    assert np.abs(found_logits - logits).max() < tolerance * logits.std()


def save_lightning(path, state, **more):
    noise = {f"net.{name}": torch.randn_like(tensor) for name, tensor in state.items()}
    averaged = {f"net_swa.{name}": tensor for name, tensor in state.items()}
    mel = {"mel.window": torch.zeros(3)}
    torch.save({"epoch": 3, "state_dict": noise | averaged | mel, **more}, path)


def save_plain_lightning(path, state):
    torch.save({"state_dict": {f"net.{name}": tensor for name, tensor in state.items()}}, path)


def save_without_dist_head(path, state):
    kept = {name: tensor for name, tensor in state.items() if not name.startswith("head_dist")}
    torch.save(kept, path)


def save_legacy(path, state):
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_folder(folder, ast, state_name="model.safetensors"):
    ast.save_pretrained(folder)
    if state_name != "model.safetensors":
        (folder / "model.safetensors").unlink()
        torch.save(ast.state_dict(), folder / state_name)
    card = "---\nlicense: cc-by-nc-sa-4.0\ntags: [x]\n---\n# A model\n"
    (folder / "README.md").write_text(card)


def export_official(path):
    """Export as optimum does, then rename and add outputs as Essentia's scripts do."""
    torch.onnx.export(
        small_ast(),
        (torch.zeros(1, FRAMES, 96),),
        str(path),
        input_names=["melspectrogram"],
        output_names=["logits"],
        dynamic_axes={"melspectrogram": {0: "batch_size"}, "logits": {0: "batch_size"}},
        opset_version=14,
        dynamo=False,
    )
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Sigmoid", ["logits"], ["activations"]))
    model.graph.output.append(
        helper.make_tensor_value_info("activations", TensorProto.FLOAT, ["batch_size", CLASSES])
    )
    onnx.save(model, path)
    return model
