"""What of a file has to be decoded: with patchout in time, a model hears only parts of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from . import _core
from .decoding.audio_file import AudioFile, engine_file
from .errors import InvalidArgumentError

Mp3Error = Literal["none", "1lsb"]
"""What leaving out of mp3 what nobody hears may change of the rest: nothing, or each sample by one
step of 16 bits, for which a little less is decoded."""

_READ_SAMPLES = 1 << 16


class Readable(Protocol):
    """Samples that are read to their end."""

    def read(self, samples: int) -> npt.NDArray[np.float32]:
        """Give the next samples, at most so many; none at the end."""


def checked_mp3_error(mp3_error: str) -> Mp3Error:
    """Return what it is, if it is known.

    Parameters
    ----------
    mp3_error : {"none", "1lsb"}
        See `Mp3Error`.

    Raises
    ------
    InvalidArgumentError
        It is something else.
    """
    for known in get_args(Mp3Error):
        if mp3_error == known:
            return known  # type: ignore[no-any-return]
    raise InvalidArgumentError(
        f"mp3_error is {mp3_error!r}; wanted: {', '.join(get_args(Mp3Error))}"
    )


@dataclass(frozen=True)
class Hearing:
    """What a model hears of files, and what leaving out the rest may change.

    Attributes
    ----------
    engine : _core.Hearing
        Where in its segments.
    mp3_error : {"none", "1lsb"}
        See `Mp3Error`.
    """

    engine: _core.Hearing
    mp3_error: Mp3Error = "none"

    def whole(self, file: object) -> _core.HeardFile | None:
        """Begin a file from its beginning.

        Parameters
        ----------
        file : AudioFile
            Or whatever else gives samples.

        Returns
        -------
        _core.HeardFile or None
            Gives zeros for what is not heard; None where everything has to be decoded.
        """
        opened = _opened(file)
        if opened is None:
            return None
        return _core.hear_whole(opened, self.engine, self._one_step)

    def section(
        self, file: object, first_frame: int, begin: int, end: int
    ) -> _core.HeardFile | None:
        """Go to the samples of one segment.

        Parameters
        ----------
        file : AudioFile
            Or whatever else gives samples.
        first_frame : int
            Of the segment.
        begin, end : int
            Samples at 16 kHz.

        Returns
        -------
        _core.HeardFile or None
            As `whole`.
        """
        opened = _opened(file)
        if opened is None:
            return None
        return _core.hear_section(opened, self.engine, first_frame, begin, end, self._one_step)

    @property
    def _one_step(self) -> bool:
        return self.mp3_error == "1lsb"


def pieces(
    read: Callable[[int], npt.NDArray[np.float32]],
) -> Iterator[npt.NDArray[np.float32]]:
    """Read to the end.

    Parameters
    ----------
    read : callable
        How many samples -> so many at the most; none at the end.

    Yields
    ------
    numpy.ndarray
        float32, shape [samples], none empty.
    """
    while len(piece := read(_READ_SAMPLES)):
        yield piece


def engine_samples(part: object) -> _core.AudioFile | _core.HeardFile | None:
    """Return what the engine reads itself; None where samples come from Python."""
    return part if isinstance(part, _core.HeardFile) else _opened(part)


def _opened(file: object) -> _core.AudioFile | None:
    return engine_file(file) if isinstance(file, AudioFile) else None
