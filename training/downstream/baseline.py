"""The convolutional networks of Figure 3, as `python -m training export` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest import mel_spectrogram
from training.downstream.systems import EMBEDDING, Audio, Features
from training.errors import DataError

_INPUT, _EMBEDDINGS = "melspectrogram", "embeddings"


class BaselineSystem:
    """A plain ONNX file: spectrograms in, embeddings of its penultimate layer out; one thread.

    Parameters
    ----------
    path : Path
        What `export` made of a baseline's checkpoint.
    name : str
        What pictures call it.
    frames : int
        Of a segment.

    Raises
    ------
    DataError
        The file is none of these.
    """

    def __init__(self, path: Path, name: str, frames: int) -> None:
        from essentia_maest.ort_library import refuse_telemetry

        refuse_telemetry()
        import onnxruntime

        self.name = name
        self._frames = frames
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            told = self._session.get_modelmeta().custom_metadata_map["essentia_metadata"]
            self.facts: dict[str, Any] = json.loads(told)
            outputs = [one.name for one in self._session.get_outputs()]
            if _EMBEDDINGS not in outputs:
                raise ValueError(f"outputs {', '.join(outputs)}")
        except Exception as error:
            raise DataError(
                f"{path}: wanted a baseline as `python -m training export` writes it ({error})"
            ) from None
        self.trained = bool(self.facts.get("trained", True))
        self.parameters = path.stat().st_size / 4

    def features(self, audio: Audio) -> Features:
        """Compute the embedding [values], the mean over segments that overlap by half.

        Parameters
        ----------
        audio : float32 [samples]
            Repeated where it is shorter than a segment; what is left at the end is a segment that
            ends there.
        """
        return {EMBEDDING: self._segments(audio, self._frames // 2).mean(0)}

    def analyze(self, audio: Audio) -> NDArray[np.float32]:
        """Compute the embeddings [segments, values] of segments end to end; audio as `features`."""
        return self._segments(audio, self._frames)

    def _segments(self, audio: Audio, hop: int) -> NDArray[np.float32]:
        mel = mel_spectrogram(audio)
        if len(mel) < self._frames:
            mel = np.resize(mel, (self._frames, mel.shape[1]))
        starts = list(range(0, len(mel) - self._frames + 1, hop))
        if starts[-1] + self._frames < len(mel):
            starts.append(len(mel) - self._frames)
        return np.stack([self._embed(mel[start : start + self._frames]) for start in starts])

    def _embed(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        segment = np.ascontiguousarray(mel.T[np.newaxis], np.float32)
        found: NDArray[np.float32] = self._session.run([_EMBEDDINGS], {_INPUT: segment})[0][0]
        return found
