"""A baseline to a plain ONNX file: spectrograms in, activations out, for any ONNX runtime."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import essentia_maest as maest
from essentia_maest.front_end import MEL_BANDS, SAMPLE_RATE
from essentia_maest.making.metadata import ModelDescription
from training.export.agreement import Agreement, Outputs, compare
from training.export.engine_model import normalised_mel
from training.export.listening import Audio
from training.model.baselines import ConvolutionalNetwork

INPUT = "melspectrogram"
OUTPUTS = {"activations": "predictions", "logits": "logits", "embeddings": "embeddings"}
_OPSET = 17


class _Deployed(nn.Module):
    """A network with its normalisation inside."""

    def __init__(self, network: ConvolutionalNetwork, description: ModelDescription) -> None:
        super().__init__()
        self.network = network
        self.mean = description.mean
        self.divisor = 2 * description.standard_deviation

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give activations, logits and embeddings of [batch, 96, frames]."""
        embeddings = self.network.embed((mel - self.mean) / self.divisor)
        logits = self.network.head(embeddings)
        return torch.sigmoid(logits), logits, embeddings


def write_plain_onnx(
    network: ConvolutionalNetwork,
    description: ModelDescription,
    segment_frames: int,
    target: Path,
) -> None:
    """Write a baseline as ONNX, and Essentia's metadata beside it.

    Input ``melspectrogram`` float32 [batch, 96, frames], log10(1 + 10000 x), not normalised;
    outputs ``activations`` and ``logits`` [batch, classes], ``embeddings`` [batch, features].

    Parameters
    ----------
    network : ConvolutionalNetwork
        In evaluation mode, on the CPU.
    description : ModelDescription
    segment_frames : int
        Frames that it was trained on; others are taken too.
    target : Path
        The ``.onnx`` file.
    """
    import onnx

    with warnings.catch_warnings():
        # The older of torch's exporters needs no further package, and warns that it is; and of
        # checks of shapes, which hold for every input that passed them.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Deployed(network, description).eval(),
            (torch.zeros(2, MEL_BANDS, segment_frames),),
            str(target),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={INPUT: {0: "batch", 2: "frames"}, **{n: {0: "batch"} for n in OUTPUTS}},
            opset_version=_OPSET,
            dynamo=False,
        )
    text = json.dumps(_metadata(network, description, segment_frames), indent=4) + "\n"
    model = onnx.load(target)
    onnx.helper.set_model_props(model, {"essentia_metadata": text})
    onnx.save(model, target)
    target.with_suffix(".json").write_text(text, encoding="utf-8")


def _metadata(
    network: ConvolutionalNetwork, description: ModelDescription, segment_frames: int
) -> dict[str, object]:
    features = network.head.in_features
    widths = {"activations": network.classes, "logits": network.classes, "embeddings": features}
    return {
        "name": description.name,
        "type": "auto-tagging",
        "description": description.description,
        "framework": "onnx",
        "framework_version": f"opset {_OPSET}",
        "classes": list(description.labels),
        "model_types": ["onnx"],
        **description.upstream,
        "license": description.license,
        "trained": description.trained,
        "schema": {
            "inputs": [
                {
                    "name": INPUT,
                    "type": "float",
                    "shape": ["batch", MEL_BANDS, "frames"],
                    "description": f"log10(1 + 10000 x); trained on {segment_frames} frames",
                }
            ],
            "outputs": [
                {
                    "name": name,
                    "type": "float",
                    "shape": ["batch", widths[name]],
                    "output_purpose": purpose,
                }
                for name, purpose in OUTPUTS.items()
            ],
        },
        "inference": {"sample_rate": SAMPLE_RATE, "algorithm": "onnxruntime"},
    }


def compare_plain_onnx(
    path: Path,
    network: ConvolutionalNetwork,
    description: ModelDescription,
    segments: Sequence[Audio],
) -> Agreement:
    """Compare a file of `write_plain_onnx`, run by ONNX Runtime, with the network in torch.

    Parameters
    ----------
    path : Path
    network : ConvolutionalNetwork
        In evaluation mode, on the CPU.
    description : ModelDescription
    segments : sequence of ndarray of float32 [samples]
    """
    from essentia_maest.ort_library import refuse_telemetry

    refuse_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def exported(audio: Audio) -> Outputs:
        mel = np.ascontiguousarray(maest.mel_spectrogram(audio).T)[np.newaxis]
        values = session.run(list(OUTPUTS), {INPUT: mel})
        return {name: value[0] for name, value in zip(OUTPUTS, values, strict=True)}

    @torch.inference_mode()
    def trained(audio: Audio) -> Outputs:
        mel = normalised_mel(audio, description)
        logits = network(mel).logits[0]
        values = (logits.sigmoid(), logits, network.embed(mel)[0])
        return {name: value.numpy() for name, value in zip(OUTPUTS, values, strict=True)}

    return compare((exported(audio), trained(audio)) for audio in segments)
