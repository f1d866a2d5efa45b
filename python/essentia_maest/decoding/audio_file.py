"""Audio files as the models hear them, in pieces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from .. import _core
from ..errors import InvalidArgumentError
from ..front_end import SAMPLE_RATE
from .opening import open_reader
from .reader import Reader

_PIECE = 10 * SAMPLE_RATE


class AudioFile:
    """An audio file, read as mono samples at 16 kHz; use as a context, or call `close`.

    The samples are those of Essentia's ``MonoLoader(sampleRate=16000, resampleQuality=4)``. What
    the file is decides who decodes it (see the page on formats); other Python threads run
    meanwhile, and memory does not grow with the file. Iterating gives the rest of the file in
    pieces of ten seconds. An object may be used from several threads, whose calls queue.

    Decoders are native code and some crash on hostile files: read untrusted collections in a
    process of their own, as ``maest analyze`` does.

    Parameters
    ----------
    path : str or os.PathLike
        A regular file.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        The path is missing, not a regular file, empty, unreadable, not decodable, or without a
        single audio sample. The message names the path, the reason and, where there is one, the
        way out.

    Examples
    --------
    >>> import essentia_maest as maest
    >>> with maest.AudioFile(maest.example_audio()) as file:
    ...     beginning = file.read(16000)
    >>> beginning.shape
    (16000,)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._reader: Reader | None = open_reader(path)

    @property
    def container(self) -> str:
        """What the file is: ``"flac"``, ``"mp4"`` ..."""
        return self._opened.container

    @property
    def codec(self) -> str:
        """How its samples are coded, in FFmpeg's words: ``"flac"``, ``"aac"`` ..."""
        return self._opened.codec

    @property
    def decoder(self) -> str:
        """Who decodes it, with the version."""
        return self._opened.decoder

    @property
    def sample_rate(self) -> int:
        """Rate of the file, in Hz, at its beginning."""
        return self._opened.sample_rate

    @property
    def channels(self) -> int:
        """Channels of the file, at its beginning."""
        return self._opened.channels

    @property
    def seconds(self) -> float | None:
        """Length that the file promises; None if it does not say."""
        return self._opened.seconds

    @property
    def position(self) -> float:
        """Where the next sample lies, in seconds."""
        return self._opened.position / SAMPLE_RATE

    @property
    def ending(self) -> str | None:
        """How the file ended; None until its end was reached.

        ``"truncated"``: before what it promises, by its header or by how its container has to end,
        whatever else is wrong with it. ``"damaged"``: as long as it promises, or it promises
        nothing, but parts could not be decoded; they are left out. ``"complete"``: neither. What
        was wrong, also with a truncated file, `damage` tells.

        Codecs may keep up to 0.1 s of what they promise for themselves. ADTS, AC-3 and RealMedia
        promise nothing: where they are cut cannot be told.
        """
        ending = self._opened.ending
        return None if ending == "unknown" else ending

    @property
    def seconds_found(self) -> float | None:
        """Length that could be decoded; None until the end was reached."""
        return None if self.ending is None else self._opened.found / SAMPLE_RATE

    @property
    def seconds_promised(self) -> float | None:
        """The same as `seconds`."""
        return self.seconds

    @property
    def damage(self) -> str | None:
        """What could not be decoded, in words; None if nothing, or until the end was reached."""
        return self._opened.damage or None

    def read(self, samples: int = -1) -> npt.NDArray[np.float32]:
        """Give the next samples.

        Parameters
        ----------
        samples : int, default -1
            How many at the most; a negative number is all that are left.

        Returns
        -------
        numpy.ndarray, shape [samples], float32
            Fewer than asked for only at the end, and then none. Integer formats are scaled to
            -1..1, floating point formats are taken as they are.
        """
        return self._opened.read(samples)

    def seek(self, seconds: float) -> None:
        """Go to a place: what is read there is the same as without going.

        To the bit. Where a format has no exact way there, what lies before is decoded.

        Parameters
        ----------
        seconds : float
            From the beginning, rounded to a sample; past the end is the end.

        Raises
        ------
        InvalidArgumentError
            It is negative, or no number.
        """
        if not 0 <= seconds < 1e9:
            raise InvalidArgumentError(f"seconds is {seconds!r}; wanted is 0 or more, up to 1e9")
        self._opened.seek(round(seconds * SAMPLE_RATE))

    def close(self) -> None:
        """Let go of the file; nothing can be asked afterwards."""
        self._reader = None

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        while (piece := self.read(_PIECE)).size:
            yield piece

    def __repr__(self) -> str:
        if self._reader is None:
            return f"<AudioFile {str(self.path)!r}: closed>"
        length = "length unknown" if self.seconds is None else f"{self.seconds:.2f} s"
        return (
            f"<AudioFile {str(self.path)!r}: {self.codec} in {self.container}, {length}, "
            f"{self.channels} channels, {self.sample_rate} Hz, {self.decoder}>"
        )

    @property
    def _opened(self) -> Reader:
        if self._reader is None:
            raise InvalidArgumentError("the audio file is closed")
        return self._reader


def engine_file(file: AudioFile) -> _core.AudioFile | None:
    """Return the engine's file, for the engine; None where Python decodes."""
    reader = file._opened
    return reader if isinstance(reader, _core.AudioFile) else None
