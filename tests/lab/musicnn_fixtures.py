"""Checkpoints as musicnn's lie in the cache, and musicnn in plain NumPy as its source has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.corpus.checkpoint_arrays import arrays_path

Weights = dict[str, NDArray[np.float32]]

FRONT = (("conv2d", 7, 38, 204), ("conv2d_1", 7, 67, 204), ("conv2d_2", 128, 1, 51),
         ("conv2d_3", 64, 1, 51), ("conv2d_4", 32, 1, 51))  # fmt: skip
MIDDLE = (("conv2d_5", 7, 561, 64), ("conv2d_6", 7, 64, 64), ("conv2d_7", 7, 64, 64))
NORMALISED = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)

_CONFIGURATION = """# configuration
SR = 16000
MTT_LABELS = ['guitar', 'no vocals', 'new age']
MSD_LABELS = ['rock','Hip-Hop']
"""


def random_weights(tags: int, seed: int = 0) -> Weights:
    """Draw weights of the shapes that musicnn's have."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, length, width, filters in FRONT + MIDDLE:
        scale = (length * width) ** -0.5
        weights[f"{name}/kernel"] = random.normal(0, scale, (length, width, 1, filters))
        weights[f"{name}/bias"] = random.normal(0, 0.1, filters)
    for number, size in enumerate(NORMALISED):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        weights[f"{name}/gamma"] = random.normal(1, 0.5, size)  # some are negative
        weights[f"{name}/beta"] = random.normal(0, 0.3, size)
        weights[f"{name}/moving_mean"] = random.normal(0, 0.3, size)
        weights[f"{name}/moving_variance"] = random.uniform(0.3, 2, size)
    for name, inputs, outputs in (("dense", 1506, 200), ("dense_1", 200, tags)):
        weights[f"{name}/kernel"] = random.normal(0, inputs**-0.5, (inputs, outputs))
        weights[f"{name}/bias"] = random.normal(0, 0.1, outputs)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def run_musicnn(weights: Weights, mel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logits of one window [frames, 96], in the original's layout: [frames, width, channels]."""

    def normal(x: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        gamma, beta, mean, variance = (
            weights[f"{name}/{part}"].astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta

    def convolve(image: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        kernel = weights[f"{name}/kernel"][:, :, 0].astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape[:2])
        out = np.tensordot(windows, kernel, ((2, 3), (0, 1))) + weights[f"{name}/bias"]
        return np.maximum(out, 0)

    image = normal(mel.astype(np.float64)[:, :, None], 0)[:, :, 0]
    fronts = []
    for number, (name, length, _, _) in enumerate(FRONT):
        # 'same': an even kernel gets one frame more behind than before
        padded = np.pad(image, (((length - 1) // 2, length // 2), (0, 0)))
        fronts.append(normal(convolve(padded, name), number + 1).max(1))
    layers = [np.concatenate(fronts, 1)]
    for number, (name, _, _, _) in enumerate(MIDDLE):
        padded = np.pad(layers[-1], ((3, 3), (0, 0)))
        layer = normal(convolve(padded, name), number + 6)[:, 0]
        layers.append(layer + layers[-1] if number else layer)
    features = np.concatenate(layers, 1)
    pooled = np.stack([features.max(0), features.mean(0)], 1).reshape(-1)
    hidden = np.maximum(normal(pooled, 9) @ weights["dense/kernel"] + weights["dense/bias"], 0)
    return normal(hidden, 10) @ weights["dense_1/kernel"] + weights["dense_1/bias"]


def write_checkpoint(folder: Path, cache: Path, weights: Weights) -> None:
    """Put a checkpoint's files there, and into the cache what TensorFlow reads from them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".data-00000-of-00001").open("wb") as file:
        np.savez(file, global_step=np.array(7, np.int64), **weights)
    (folder / ".index").write_text(", ".join(weights))
    path = arrays_path(folder, cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **weights)


def make_musicnn(cache: Path, *, tags: tuple[int, int] = (3, 2)) -> dict[str, Weights]:
    """Put a musicnn with random weights where the package's wheel would be unpacked."""
    package = cache / "python" / "musicnn==0.1.0" / "musicnn"
    made = {}
    for seed, (name, count) in enumerate(zip(("MTT_musicnn", "MSD_musicnn"), tags, strict=True)):
        made[name] = random_weights(count, seed)
        write_checkpoint(package / name, cache, made[name])
    (package / "configuration.py").write_text(_CONFIGURATION)
    return made
