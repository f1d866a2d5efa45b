"""The mel front end that every public MAEST model was trained on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import _core
from .samples import as_samples


def mel_spectrogram(audio: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Compute the log mel frames of a whole signal.

    Parameters
    ----------
    audio : array_like, shape [samples]
        Mono samples at 16 kHz.

    Returns
    -------
    numpy.ndarray, shape [frames, 96], float32
        ``log10(1 + 10000 x)`` of the power x in each mel band, before the model's normalisation.
        Frame i is centred on sample 256 i; there are ``ceil(samples / 256) + 1`` frames, none for
        an empty signal.

    Raises
    ------
    InvalidArgumentError
        For another shape or type, or a sample that is NaN or infinite.

    Notes
    -----
    Equal within 1e-4 to Essentia's streaming ``FrameCutter(frameSize=512, hopSize=256)`` followed
    by ``TensorflowInputMusiCNN``, without the noise that FrameCutter adds to silent frames.
    """
    return _core.mel_spectrogram(as_samples(audio))


class MelFrontend:
    """The same frames from a signal that comes in pieces; any division gives the same bits."""

    def __init__(self) -> None:
        self._engine = _core.MelFrontend()

    def push(self, samples: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Take the next samples.

        Parameters
        ----------
        samples : array_like, shape [samples]
            Mono samples at 16 kHz.

        Returns
        -------
        numpy.ndarray, shape [frames, 96], float32
            The frames that these samples complete, possibly none.

        Raises
        ------
        InvalidArgumentError
            As `mel_spectrogram`, with nothing consumed; and after `finish`.
        """
        return self._engine.push(as_samples(samples))

    def finish(self) -> npt.NDArray[np.float32]:
        """End the signal and return the frames, shape [frames, 96], that reach past its end."""
        return self._engine.finish()

    def reset(self) -> None:
        """Make ready for a new signal."""
        self._engine.reset()
