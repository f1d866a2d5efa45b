"""The exceptions of the package: few, and each a subclass of what Python users would catch."""

from __future__ import annotations

import errno


class MaestError(Exception):
    """Base of every exception that essentia-maest raises on purpose."""


class InvalidArgumentError(MaestError, ValueError):
    """An argument, or the audio, is not usable; the message names what was found and wanted."""


class ModelError(MaestError, ValueError):
    """A model file is missing, damaged, foreign, or does not fit what is asked of it."""


class AudioFileError(MaestError, OSError):
    """An audio file cannot be read or decoded."""


class DecodeError(MaestError):
    """One decoder's reason for giving nothing; in the end an `AudioFileError` tells it."""


class StoppedEarlyError(MaestError):
    """The work cannot go on: what is missing would be missing for all that is left, too."""


class StreamStoppedError(MaestError):
    """`Stream.stop` ended the call, or one before it: `Stream.reset` starts a new signal."""


class OnnxRuntimeError(MaestError, ImportError):
    """ONNX Runtime is missing, too old, or failed."""


class FetchError(MaestError, OSError):
    """A public model cannot be brought: no connection, another file than wanted, no room."""


class NotPublishedError(FetchError):
    """A server does not have the file that it was asked for."""


class UntrainedModelWarning(UserWarning):
    """The model's weights are random: its output says nothing about the music."""


# A disk, a quota, or what one file may hold.
FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# No room, or no longer there; no more files, memory or processes.
_OF_THE_MACHINE = FULL_DISK | {
    errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN,
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN,
}  # fmt: skip


def ends_all_work(error: BaseException | None) -> bool:
    """Tell errors that the next file would meet, too, from those of one file.

    Parameters
    ----------
    error : BaseException or None
        What was raised; what caused it is looked at, too.

    Returns
    -------
    bool
        True for a full or lost disk, and where no thread, process, file or memory is to be had.
    """
    while error is not None:
        if isinstance(error, StoppedEarlyError | MemoryError):
            return True
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            return True
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return True
        error = error.__cause__
    return False


def in_words(error: BaseException) -> str:
    """Say in one line what went wrong.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        Our own errors' message; of others also their type.
    """
    if isinstance(error, MaestError):
        return str(error)
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "no thread can be started (see `ulimit -u`, or the limit of the container)"
    if isinstance(error, OSError) and error.errno == errno.EAGAIN:
        return "no process can be started (see `ulimit -u`, or the limit of the container)"
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {words}"
