"""Read an audio file as 16 kHz mono float32, exactly as Essentia's ``MonoLoader`` does."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import AudioFileError, DecodeError
from ..essentia_algorithms import quiet_essentia
from ..front_end import SAMPLE_RATE
from .libsndfile import libsndfile_blocks, libsndfile_errors
from .resampling import RESAMPLE_QUALITY, resample_whole

# How the containers begin that libsndfile may be asked for. Not MPEG: Essentia decodes that, and
# libsndfile's MPEG decoder, given something else, writes complaints to the process's stderr.
# fmt: off
_LIBSNDFILE_MAGIC = (
    b"OggS", b"fLaC", b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"caff", b"riff",
)
# fmt: on

_Decoded = TypeVar("_Decoded")

_log = logging.getLogger(__name__)


def load_audio(path: str | os.PathLike[str]) -> npt.NDArray[np.float32]:
    """Decode an audio file to mono at 16 kHz.

    Python's other threads stand still meanwhile: Essentia decodes without giving them a turn.

    The samples are those of Essentia's ``MonoLoader(sampleRate=16000, resampleQuality=4)``, bit
    for bit, for every file that Essentia decodes. What it refuses (Opus in the published wheels,
    more than two channels) is decoded by libsndfile, if that can, then mixed and resampled with
    Essentia's own ``Resample``. Two channels are averaged as by ``MonoMixer``, and so are more.

    A damaged or truncated file gives the samples that can still be decoded, as in Essentia.
    Decoders are native code and some crash on hostile files: read untrusted collections in a
    process of their own, as ``maest analyze`` does.

    Parameters
    ----------
    path : str or os.PathLike
        A regular file in any format that FFmpeg (as built into Essentia) or libsndfile reads.

    Returns
    -------
    numpy.ndarray
        float32, shape [samples], at least one sample; integer formats are scaled to -1..1,
        floating point formats are taken as they are.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        The path is missing, not a regular file, empty, unreadable, not decodable, or without a
        single audio sample. The message names the path and the reason.

    See Also
    --------
    Essentia's ``AudioLoader``, ``MonoMixer`` and ``Resample``.
    """
    return first_that_decodes(path, _decode_with_essentia, _decode_with_libsndfile, len)


def first_that_decodes(
    path: str | os.PathLike[str],
    with_essentia: Callable[[str], _Decoded],
    with_libsndfile: Callable[[str], _Decoded],
    samples: Callable[[_Decoded], int],
) -> _Decoded:
    """Decode with Essentia, or else with libsndfile.

    Parameters
    ----------
    path : str or os.PathLike
        See `load_audio`.
    with_essentia, with_libsndfile : callable
        Absolute path of the file -> what `samples` takes; they raise `DecodeError`.
    samples : callable
        How many samples came of it.

    Returns
    -------
    object
        What the first decoder gave that found a sample.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        See `load_audio`.
    """
    shown = printable_path(path)
    file, magic = checked_file(path)
    reasons = []
    for decode in (with_essentia, with_libsndfile):
        if decode is with_libsndfile and magic not in _LIBSNDFILE_MAGIC:
            continue
        try:
            decoded = decode(file)
        except DecodeError as error:
            reasons.append(str(error))
        else:
            if count := samples(decoded):
                name = "Essentia" if decode is with_essentia else "libsndfile"
                _log.debug("%s: decoded by %s, %d samples", shown, name, count)
                return decoded
            reasons.append("no audio samples could be decoded")
    raise AudioFileError(f"{shown}: " + "; ".join(dict.fromkeys(reasons)))


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


def checked_file(path: str | os.PathLike[str]) -> tuple[str, bytes]:
    """Return the absolute path of a readable regular file, and its first four bytes.

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
        with open(file, "rb") as opened:
            return file, opened.read(4)
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


def _decode_with_essentia(file: str) -> npt.NDArray[np.float32]:
    with quiet_essentia() as essentia, tempfile.TemporaryDirectory(prefix="maest-") as folder:
        try:
            loader = essentia.Algorithm("MonoLoader")
            configure_loader(loader.__configure__, file, folder)
            return np.asarray(loader.__compute__(), dtype=np.float32)
        except RuntimeError as error:
            raise DecodeError(essentia_reason(error)) from error


def configure_loader(configure: Callable[..., None], file: str, folder: str) -> None:
    """Make one of Essentia's ``MonoLoader`` open a file.

    Parameters
    ----------
    configure : callable
        Its method, of the standard or the streaming one.
    file : str
        Absolute path.
    folder : str
        Where a small file and a link may be left that are needed as long as the loader is.

    Raises
    ------
    RuntimeError
        Essentia refuses it.
    """
    # MonoLoader's destructor follows an uninitialised pointer if the first file that it is given
    # has an unknown codec (seen in 2.1b6.dev1389): let it open a good one before.
    configure(filename=_write_silence(folder))
    configure(
        filename=essentia_name(file, folder),
        sampleRate=float(SAMPLE_RATE),
        resampleQuality=RESAMPLE_QUALITY,
    )


def essentia_reason(error: RuntimeError) -> str:
    """Say in our words why Essentia cannot decode a file."""
    text = str(error).rstrip(".!")
    if "Could not open file" in text or "Could not find stream information" in text:
        return f"not recognised as audio ({text.rpartition('error = ')[2]})"
    if "found 0 streams" in text:
        return "no audio stream in it"
    return "Essentia cannot decode it: " + text.rpartition("AudioLoader: ")[2]


def _write_silence(folder: str) -> str:
    name = os.path.join(folder, "silence.wav")
    with wave.open(name, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        file.writeframes(bytes(16))
    return name


def essentia_name(file: str, folder: str) -> str:
    """Return a name of the file that Essentia's Python can take, which is valid UTF-8 only."""
    try:
        file.encode("utf-8")
        return file
    except UnicodeEncodeError:
        suffix = Path(file).suffix
        link = os.path.join(folder, "track" + (suffix if suffix.isascii() else ""))
        os.symlink(file, link)
        return link


def _decode_with_libsndfile(file: str) -> npt.NDArray[np.float32]:
    with libsndfile_errors():
        rate, blocks = libsndfile_blocks(file)
        # Headers may promise any length: only what arrives is kept.
        signal = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
        return resample_whole(signal, rate)
