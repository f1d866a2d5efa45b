"""Hugging Face folders (config.json beside the weights), to checkpoints."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.ast_naming import EPSILON, AstSettings, weights_from_ast
from essentia_maest.making.checkpoints.checkpoint import Checkpoint, listing
from essentia_maest.making.checkpoints.pytorch_files import read_pytorch_file
from essentia_maest.making.checkpoints.safetensors_files import read_safetensors_file
from essentia_maest.making.weights import PATCH_SIZE, PATCH_STRIDE
from essentia_maest.reading.foreign import read_start, refuse_lfs_pointer
from essentia_maest.reading.plain_text import is_plain
from essentia_maest.reading.text_files import read_json_object

CONFIG = "config.json"
WEIGHT_FILES = {
    "model.safetensors": read_safetensors_file,
    "pytorch_model.bin": read_pytorch_file,
}
_LARGEST_NUMBER = 1 << 20
"""No setting is larger; beyond it, or NaN, the file is damaged."""
_LICENSE_LINES, _LICENSE_CHARACTERS = 1000, 1 << 20
"""How far into a model card its licence is looked for."""

_WANTED = {
    "model_type": "audio-spectrogram-transformer",
    "num_mel_bins": 96,
    "patch_size": PATCH_SIZE,
    "frequency_stride": PATCH_STRIDE,
    "time_stride": PATCH_STRIDE,
    "hidden_act": "gelu",
}
# transformers leaves settings out of config.json where they have the default of the class.
_DEFAULTS: dict[str, Any] = {
    "num_mel_bins": 128,
    "patch_size": 16,
    "frequency_stride": 10,
    "time_stride": 10,
    "hidden_act": "gelu",
    "num_attention_heads": 12,
    "max_length": 1024,
}


@dataclass(frozen=True)
class AstConfig:
    """The settings of a config.json that matter here."""

    settings: AstSettings
    labels: tuple[str, ...] | None


def read_config(path: Path) -> AstConfig:
    """Read a config.json.

    Raises
    ------
    ModelError
        If it is damaged, or describes another model than MAEST.
    """
    config = _DEFAULTS | read_json_object(path)
    for name, wanted in _WANTED.items():
        if config.get(name) != wanted:
            raise ModelError(f"{path}: {name} is {config.get(name)!r}, wanted {wanted!r}")
    epsilon = _number(config, "layer_norm_eps", path, default=EPSILON)
    settings = AstSettings(
        heads=_whole_number(config, "num_attention_heads", path),
        columns=(_whole_number(config, "max_length", path) - PATCH_SIZE) // PATCH_STRIDE + 1,
        norm_epsilon=epsilon,
        head_norm_epsilon=epsilon,
    )
    return AstConfig(settings, _labels(config.get("id2label"), path))


def _number(config: dict[str, Any], name: str, path: Path, default: float | None = None) -> float:
    value = config.get(name, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value <= _LARGEST_NUMBER
    ):
        raise ModelError(f"{path}: {name} is {value!r}, wanted a positive number")
    return value


def _whole_number(config: dict[str, Any], name: str, path: Path) -> int:
    value = _number(config, name, path)
    if value < 1 or value != math.floor(value):
        raise ModelError(f"{path}: {name} is {value!r}, wanted a whole number from 1")
    return int(value)


def _labels(names: Any, path: Path) -> tuple[str, ...] | None:
    if names is None:
        return None
    try:
        by_number = {int(number): label for number, label in names.items()}
    except (AttributeError, ValueError) as error:
        raise ModelError(f"{path}: id2label is not a mapping of numbers to names") from error
    if sorted(by_number) != list(range(len(by_number))):
        raise ModelError(f"{path}: id2label does not number its names 0, 1, 2 ... without gaps")
    labels = tuple(by_number[number] for number in range(len(by_number)))
    # The placeholders that transformers writes where nobody gave names.
    if labels == tuple(f"LABEL_{number}" for number in range(len(labels))):
        return None
    return labels


def read_huggingface_folder(folder: Path, heads: int | None) -> Checkpoint:
    """Read a Hugging Face folder.

    Parameters
    ----------
    folder : Path
        Holds config.json and model.safetensors or pytorch_model.bin.
    heads : int, optional
        Attention heads, instead of what config.json says.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the model is not MAEST.
    """
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder}: found a folder without {CONFIG}, wanted a Hugging Face folder")
    config = read_config(folder / CONFIG)
    name = next((name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if name is None:
        found = listing(entry.name for entry in folder.iterdir())
        raise ModelError(f"{folder}: found {found}; wanted {' or '.join(WEIGHT_FILES)}")
    path = folder / name
    refuse_lfs_pointer(path, read_start(path))
    settings = config.settings
    if heads is not None:
        settings = AstSettings(
            heads, settings.columns, settings.norm_epsilon, settings.head_norm_epsilon
        )
    title = folder.resolve().name
    return Checkpoint(
        weights=weights_from_ast(WEIGHT_FILES[name](path), str(path), settings),
        name=title,
        source=f"{title}/{name} (Hugging Face)",
        path=path,
        labels=config.labels,
        license=_license(folder / "README.md"),
    )


def _license(readme: Path) -> str | None:
    """Give the licence that the front matter of a model card names."""
    if not readme.is_file():
        return None
    with readme.open(encoding="utf-8-sig", errors="replace") as file:
        beginning = file.read(_LICENSE_CHARACTERS)  # a line may be endless
    lines = iter([line.strip() for line in beginning.split("\n", _LICENSE_LINES)[:_LICENSE_LINES]])
    if next(lines, "") != "---":
        return None
    for line in itertools.takewhile(lambda line: line != "---", lines):
        key, separator, value = line.partition(":")
        words = value.strip().strip("\"'")
        if separator and key == "license" and words and is_plain(words):
            return words
    return None
