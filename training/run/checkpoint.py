"""Checkpoints: one file of plain values with all that a run needs to go on as if never stopped."""

from __future__ import annotations

import os
import pickle
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from essentia_maest.files import written_whole
from training.errors import CheckpointError

FORMAT = "essentia-maest training 1"
# As in the reference's checkpoints, so that its readers, and `maest convert`, find the weights.
_NETWORK, _AVERAGED = "net.", "net_swa."


def _versions() -> dict[str, str]:
    return {
        "essentia-maest": version("essentia-maest"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        # str: torch's own is a subclass, which a loader of plain types refuses.
        "torch": str(torch.__version__),
    }


@dataclass
class Checkpoint:
    """A moment of a run.

    Attributes
    ----------
    config : dict
        The experiment, as `config_file.plain` gives it.
    classes : list of str
    mean, std : float
        What inputs are normalised by.
    dataset : str
        Path of the data set.
    network : dict of str to Tensor
        Weights of the last step.
    averaged : dict of str to Tensor, optional
        Mean weights, once there are any.
    averaged_models : int
        How many sets of weights the mean is of.
    optimizer : dict
    progress : dict
        epoch: epochs that are done; position: steps of the present one that are done; step: steps
        of all epochs; then sums of losses not yet logged, and the best score.
    random_state : dict
        The seed: every draw has a generator of its own, made from it.
    precision : dict
        State of the loss scaling of 16-mixed; else empty.
    versions : dict
    dataset_normalisation : list of float, optional
        Mean and standard deviation of the training set's spectrograms; None in earlier files,
        where they are those above.
    start : Tensor, optional
        Logits of the first weights for the validation split, [tracks, classes], where those compete
        with what comes after.
    masked : dict of str to Tensor, optional
        Weights of the task beside the labels (`MaskedPatches`), which is no part of the model.
    """

    config: dict[str, Any]
    classes: list[str]
    mean: float
    std: float
    dataset: str
    network: dict[str, Tensor]
    averaged: dict[str, Tensor] | None
    averaged_models: int
    optimizer: dict[str, Any]
    progress: dict[str, Any]
    random_state: dict[str, Any]
    precision: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=_versions)
    dataset_normalisation: list[float] | None = None
    masked: dict[str, Tensor] | None = None
    start: Tensor | None = None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    checkpoint : Checkpoint
        Tensors may be on any device, and are not copied in memory.

    Raises
    ------
    OSError
        It could not be written, for want of space for instance; an earlier one is as it was.
    """
    values = {name: value for name, value in vars(checkpoint).items() if name not in _WEIGHTS}
    weights = _prefixed(checkpoint.network, _NETWORK)
    if checkpoint.averaged is not None:
        weights |= _prefixed(checkpoint.averaged, _AVERAGED)
    with written_whole(path) as place, place.open("wb") as file:
        _save({"format": FORMAT, "state_dict": weights, **values}, file)


def _save(values: dict[str, Any], file: IO[bytes]) -> None:
    """Write what `torch.save` writes; an error is the operating system's, with its number."""
    try:
        torch.save(values, file)
    except RuntimeError as error:
        # torch closes its archive all the same, fails again, and tells of the second failure only.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__
        if cause is None:
            raise
        raise OSError(cause.errno, cause.strerror) from None


_WEIGHTS = ("network", "averaged")


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint that `save_checkpoint` wrote, onto the CPU.

    Raises
    ------
    CheckpointError
        It is missing, damaged, or not a checkpoint of this training.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except pickle.UnpicklingError:
        # torch's own words are advice to run what the file contains.
        raise CheckpointError(f"{path}: damaged, or not a checkpoint") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: damaged, or not a checkpoint: {reason}") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise CheckpointError(f"{path}: format {found!r}, wanted {FORMAT!r}")
    try:
        del values["format"]
        weights = values.pop("state_dict")
        return Checkpoint(
            network=_without(weights, _NETWORK),
            averaged=_without(weights, _AVERAGED) or None,
            **values,
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: incomplete checkpoint: {error}") from None


def link_checkpoint(source: Path, destination: Path) -> None:
    """Give a checkpoint a second name; it is copied only where links are not possible.

    Checkpoints are replaced, never written into, so that the second name keeps what it has.
    """
    with written_whole(destination) as place:
        try:
            os.link(source, place)
        except OSError:
            shutil.copyfile(source, place)


def _prefixed(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in weights.items()}


def _without(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
