"""`python -m training export`."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Literal

from essentia_maest.errors import MaestError
from essentia_maest.files import move_together
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.model_writing import checked_destination
from training.errors import ExportError
from training.export.agreement import check
from training.export.engine_model import compare_engine_model, write_engine_model
from training.export.listening import Audio, read_segments, validation_audio
from training.export.plain_onnx import compare_plain_onnx, write_plain_onnx
from training.export.provenance import describe
from training.model.baselines import ConvolutionalNetwork
from training.model.maest import MAEST
from training.model.sizes import segment_frames
from training.run.inference import Trained, load_trained

_log = logging.getLogger("training")


def export(
    run_checkpoint: Path,
    destination: Path,
    *,
    audio: list[Path] | Path | None = None,
    precision: Literal["fp32", "int8"] = "fp32",
    averaged: bool = True,
    name: str | None = None,
    license: str = "not stated",
    families: bool = False,
) -> Path:
    """Write a model file, if it does on real audio what the trained network does.

    A MAEST becomes a model of the engine, for `maest analyze`; a baseline a plain ONNX file.
    Before anything is written, the float32 model is run on audio, by the engine, and must give
    the trained network's activations and last embeddings within 1e-4 of their largest value.

    Parameters
    ----------
    run_checkpoint : path
        Of a run, for instance RUN/final.ckpt.
    destination : path
        The ``.onnx`` file; Essentia's metadata goes beside it as ``.json``.
    audio : path or list of path, optional
        Music to compare on; by default some validation tracks of the run's data set.
    precision : {"fp32", "int8"}
        int8 is faster and a quarter of the size, only for MAEST. How far it is from the trained
        network is told, not judged.
    averaged : bool
        The mean weights rather than the last.
    name : str, optional
        Title of the model; by default the architecture, the length of a segment and the run.
    license : str
        Licence of the weights.
    families : bool
        The classes answer several questions (genre, metre ...), named before ``---``: `maest
        analyze` is to name the strongest of each.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    ExportError
        If there is no audio to compare on, or the model is not the trained network's; then
        nothing was written.
    CheckpointError
        If the checkpoint cannot be used.
    essentia_maest.errors.InvalidArgumentError
        If the destination cannot be written.
    """
    target = checked_destination(destination)
    trained = load_trained(run_checkpoint, averaged=averaged)
    if precision != "fp32" and not isinstance(trained.network, MAEST):
        raise ExportError(
            f"precision {precision!r}: only MAEST has it; wanted fp32 for "
            f"{trained.experiment.model.architecture}"
        )
    frames = segment_frames(trained.experiment.model.seconds)
    given = [audio] if isinstance(audio, Path) else audio
    paths = given or validation_audio(Path(trained.checkpoint.dataset))
    segments = read_segments(paths, frames)
    try:
        description = describe(
            trained,
            run_checkpoint,
            averaged=averaged,
            name=name,
            license_name=license,
            families=families,
        )
        # On the destination's own file system, so that what is good only needs a new name.
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
            written = _write(trained, description, precision, segments, Path(folder))
            # The model comes last: a JSON file alone is not taken for a model.
            move_together(
                {
                    target.with_suffix(suffix): written.with_suffix(suffix)
                    for suffix in (".json", ".onnx")
                }
            )
    except (MaestError, OSError) as error:
        raise ExportError(f"{run_checkpoint}: cannot be exported: {error}") from error
    _log.info("%s: written", target)
    return target


def _write(
    trained: Trained,
    description: ModelDescription,
    precision: Literal["fp32", "int8"],
    segments: list[Audio],
    folder: Path,
) -> Path:
    """Write the files into a folder and check them; give the model's."""
    network, path = trained.network, folder / "fp32.onnx"
    if isinstance(network, ConvolutionalNetwork):
        write_plain_onnx(
            network, description, segment_frames(trained.experiment.model.seconds), path
        )
        agreement = compare_plain_onnx(path, network, description, segments)
    elif isinstance(network, MAEST):
        write_engine_model(network, description, "fp32", path)
        agreement = compare_engine_model(path, network, description, segments)
    else:
        raise ExportError(f"a {type(network).__name__}: wanted MAEST or a baseline")
    _log.info("fp32 against torch: %s", agreement)
    check(agreement)
    if precision == "int8" and isinstance(network, MAEST):
        path = folder / "int8.onnx"
        write_engine_model(network, description, "int8", path)
        agreement = compare_engine_model(path, network, description, segments)
        _log.info("int8 against torch: %s", agreement)
    return path
