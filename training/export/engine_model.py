"""A trained MAEST to a model file of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import essentia_maest as maest
from essentia_maest.making.checkpoints.checkpoint import Tensors
from essentia_maest.making.checkpoints.maest_naming import weights_from_maest
from essentia_maest.making.graph import Precision
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.model_writing import write_model
from training.export.agreement import Agreement, Outputs, compare
from training.export.listening import Audio
from training.model.maest import MAEST


def write_engine_model(
    network: MAEST, description: ModelDescription, precision: Precision, target: Path
) -> None:
    """Write a MAEST as a model file.

    Parameters
    ----------
    network : MAEST
        On the CPU.
    description : ModelDescription
    precision : {"fp32", "int8"}
    target : Path
        The ``.onnx`` file; the metadata goes beside it as ``.json``.

    Raises
    ------
    essentia_maest.errors.ModelError
        If the weights are not finite, or too many for one file.
    """
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    weights = weights_from_maest(
        Tensors(arrays, description.source),
        network.heads,
        head=network.head_type,
    )
    write_model(weights, description, precision, target)


def compare_engine_model(
    path: Path, network: MAEST, description: ModelDescription, segments: Sequence[Audio]
) -> Agreement:
    """Compare a model file, run by the engine, with the network in torch.

    Both are given audio; the front end is the engine's own in both, as it was in training.

    Parameters
    ----------
    path : Path
        The model file.
    network : MAEST
        In evaluation mode, on the CPU.
    description : ModelDescription
        Whose normalisation the network was trained with.
    segments : sequence of ndarray of float32 [samples]
        Each at most one segment long.
    """
    model = maest.Model(path)
    return compare(
        (_engine_outputs(model, audio), _network_outputs(network, description, audio))
        for audio in segments
    )


def _engine_outputs(model: maest.Model, audio: Audio) -> Outputs:
    embedding = model.embed(audio, block=model.depth, tail="pad")[0]
    return {
        "activations": model.predict(audio, tail="pad")[0],
        **dict(zip(("cls", "dist", "average"), np.split(embedding, 3), strict=True)),
    }


@torch.inference_mode()
def _network_outputs(network: MAEST, description: ModelDescription, audio: Audio) -> Outputs:
    mel = normalised_mel(audio, description)
    tokens = network.tokens(mel, network.depth)[0]
    pooled = (tokens[0], tokens[1], tokens[2:].mean(dim=0))
    return {
        "activations": network(mel).logits[0].sigmoid().numpy(),
        **{
            name: token.numpy()
            for name, token in zip(("cls", "dist", "average"), pooled, strict=True)
        },
    }


def normalised_mel(audio: Audio, description: ModelDescription) -> torch.Tensor:
    """Give a network's input [1, 96, frames] for some audio."""
    mel: NDArray[np.float32] = maest.mel_spectrogram(audio)
    values = (mel - description.mean) / (2 * description.standard_deviation)
    return torch.from_numpy(np.ascontiguousarray(values.T, np.float32))[None]
