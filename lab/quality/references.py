"""What a model's embedding is compared with: its teacher's, and mel bands without any learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from essentia_maest import mel_spectrogram
from lab.corpus.teacher import BANDS, WINDOW_FRAMES, Teacher
from training.downstream.systems import ACTIVATIONS, EMBEDDING, Audio, Features
from training.recipe.threads import one_thread


class TeacherSystem:
    """musicnn, both networks.

    Parameters
    ----------
    cache : Path
        Where packages are kept.

    Raises
    ------
    DataError
        The package cannot be had.
    CheckpointError
        Its files are not what they ought to be.
    """

    name = "teacher"

    def __init__(self, cache: Path) -> None:
        self._teacher = Teacher(cache)

    def features(self, audio: Audio) -> Features:
        """Compute activations [100] and embedding [400], means over windows of 3 s.

        Parameters
        ----------
        audio : float32 [samples]
            Repeated where it is shorter than a window.
        """
        mel = mel_spectrogram(audio)
        if len(mel) < WINDOW_FRAMES:
            mel = np.resize(mel, (WINDOW_FRAMES, BANDS))
        with one_thread():
            activations, embedding = self._teacher.listen(mel)
        return {ACTIVATIONS: activations, EMBEDDING: embedding}


class MelStatistics:
    """Mean and standard deviation of each mel band: what no network is needed for."""

    name = "mel statistics"

    def features(self, audio: Audio) -> Features:
        """Compute embedding [192]: the means over frames of 96 bands, then the deviations.

        Parameters
        ----------
        audio : float32 [samples]
        """
        mel = mel_spectrogram(audio).astype(np.float64)
        return {EMBEDDING: np.concatenate([mel.mean(0), mel.std(0)]).astype(np.float32)}
