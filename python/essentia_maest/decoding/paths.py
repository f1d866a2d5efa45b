"""Files that are to be decoded: what is said of them, and what is demanded."""

from __future__ import annotations

import os
import stat

from ..errors import AudioFileError


def printable_path(path: str | os.PathLike[str]) -> str:
    """Spell a path so that it can be printed: no control characters, no undecodable bytes.

    Parameters
    ----------
    path : str or os.PathLike
        Any path.

    Returns
    -------
    str
        The path, with what cannot be printed written as backslash escapes.
    """
    text = os.fsdecode(path)
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def checked_file(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a readable regular file.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        It is none, or empty; the message names the path and the reason.
    """
    shown = printable_path(path)
    # Absolute, because FFmpeg takes "name:rest" for a protocol.
    file = os.path.abspath(os.fsdecode(path))
    try:
        status = os.stat(file)
        if stat.S_ISDIR(status.st_mode):
            raise AudioFileError(f"{shown}: is a folder; an audio file is wanted")
        if not stat.S_ISREG(status.st_mode):
            raise AudioFileError(f"{shown}: is not a regular file; an audio file is wanted")
        if status.st_size == 0:
            raise AudioFileError(f"{shown}: is empty (0 bytes)")
        with open(file, "rb"):
            return file
    except AudioFileError:
        raise
    except FileNotFoundError as error:
        link = " (broken symbolic link)" if os.path.islink(file) else ""
        refused = AudioFileError(f"{shown}: no such file{link}")
        refused.errno = error.errno
        raise refused from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        refused = AudioFileError(f"{shown}: cannot be read: {reason}")
        refused.errno = error.errno if isinstance(error, OSError) else None
        raise refused from error
