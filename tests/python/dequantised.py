"""The weights of an int8 file of version 0.1 as float32, rounded as they are there."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from essentia_maest.making.weights import BlockWeights, ModelWeights

_BLOCK = {
    "norm1_scale": "norm1/scale",
    "norm1_bias": "norm1/bias",
    "norm2_scale": "norm2/scale",
    "norm2_bias": "norm2/bias",
    "projection_bias": "projection/bias",
    "fc1_bias": "fc1/bias",
    "fc2_bias": "fc2/bias",
}


def dequantised(path: Path) -> tuple[ModelWeights, tuple[float, float]]:
    """Read weights and normalisation of a file whose head takes the mean of both tokens."""
    model = onnx.load(path)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    told = {entry.key: entry.value for entry in model.metadata_props}

    def matrix(name: str) -> np.ndarray:
        return arrays[f"{name}/weight"].astype(np.float32) * arrays[f"{name}/scale"]

    def block(number: int) -> BlockWeights:
        prefix = f"block_{number}"
        parts = ["qkv"] if f"{prefix}/qkv/weight" in arrays else ["query", "key_value"]
        return BlockWeights(
            qkv_weight=np.concatenate([matrix(f"{prefix}/{part}") for part in parts], axis=1),
            qkv_bias=np.concatenate([arrays[f"{prefix}/{part}/bias"] for part in parts]),
            projection_weight=matrix(f"{prefix}/projection"),
            fc1_weight=matrix(f"{prefix}/fc1"),
            fc2_weight=matrix(f"{prefix}/fc2"),
            **{field: arrays[f"{prefix}/{name}"] for field, name in _BLOCK.items()},
        )

    weights = ModelWeights(
        patch_weight=arrays["patch_weight"],
        class_tokens=arrays["class_token_values"][0],
        positions=arrays["positions"],
        blocks=tuple(block(number + 1) for number in range(int(told["maest.depth"]))),
        norm_scale=arrays["norm/scale"],
        norm_bias=arrays["norm/bias"],
        head_norm_scale=arrays["head/norm/scale"],
        head_norm_bias=arrays["head/norm/bias"],
        head_weight=arrays["head/weight"],
        head_bias=arrays["head/bias"],
        heads=int(told["maest.heads"]),
        rows=int(told["maest.grid_rows"]),
        columns=int(told["maest.grid_columns"]),
    )
    mean, divisor = (float(told[f"maest.normalization_{name}"]) for name in ("mean", "divisor"))
    return weights, (mean, divisor / 2)
