"""Decoders one by one: a file in, its samples out, none of them helped by another.

Each runs in a process of its own (`worker.py`): what crashes it costs one file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from essentia_maest.essentia_algorithms import quiet_essentia

_SECONDS = 20


class Sound(NamedTuple):
    """What a decoder gives."""

    samples: NDArray[np.float32]
    """float32 [frames, channels]."""

    rate: int
    """In Hz."""

    told: str = ""
    """What the decoder says beside it."""


class RefusedError(Exception):
    """The decoder says that it cannot read the file."""


def maest_file(path: str) -> Sound:
    """Decode with this project, whichever decoder it chooses."""
    from essentia_maest import AudioFile
    from essentia_maest.errors import MaestError

    pieces = []
    try:
        with AudioFile(path) as file:
            while len(piece := file.read(1 << 15)):
                pieces.append(piece)
            told = f"{file.decoder}; {file.ending}; {file.seconds} s promised; {file.damage}"
    except MaestError as error:
        raise RefusedError(str(error)) from error
    return _mono(np.concatenate(pieces) if pieces else np.zeros(0, np.float32), told)


def maest_before(path: str) -> Sound:
    """Decode with `load_audio`."""
    from essentia_maest import load_audio
    from essentia_maest.errors import MaestError

    try:
        return _mono(load_audio(path))
    except MaestError as error:
        raise RefusedError(str(error)) from error


def monoloader(path: str) -> Sound:
    """Decode with the installed Essentia, its linear resampling included."""
    with quiet_essentia() as essentia, tempfile.TemporaryDirectory(prefix="formats-") as folder:
        # Its destructor crashes if the first file that it ever opens is refused.
        silence = os.path.join(folder, "silence.wav")
        with wave.open(silence, "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
            file.writeframes(bytes(16))
        loader = essentia.Algorithm("MonoLoader")
        try:
            loader.__configure__(filename=silence)
            loader.__configure__(filename=path, sampleRate=16000.0, resampleQuality=4)
            return _mono(np.asarray(loader.__compute__(), dtype=np.float32))
        except RuntimeError as error:
            raise RefusedError(str(error)) from error


def libsndfile(path: str) -> Sound:
    """Decode with libsndfile."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            blocks = [np.zeros((0, file.channels), np.float32)]
            while len(block := file.read(1 << 14, dtype="float32", always_2d=True)):
                blocks.append(block)
            return Sound(np.concatenate(blocks), file.samplerate)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise RefusedError(str(error)) from error


def pyav(path: str) -> Sound:
    """Decode with PyAV, its FFmpeg newer than the program."""
    import av

    blocks: list[NDArray[np.float32]] = []
    rate = 0
    # Its frames of eight planes cannot be read as they are (av 18.1 follows a ninth).
    interleave = av.AudioResampler(format="flt")
    try:
        with av.open(path) as container:
            if not container.streams.audio:
                raise RefusedError("no audio stream")
            # Loud MPEG audio goes beyond full scale; the decoders that we use clip it.
            mpeg = container.streams.audio[0].codec_context.name.startswith(("mp1", "mp2", "mp3"))
            most = 1.0 if mpeg else np.inf
            with contextlib.suppress(av.error.EOFError):
                for frame in container.decode(container.streams.audio[0]):
                    if rate not in (0, frame.sample_rate):
                        raise RefusedError("its rate changes")
                    rate = frame.sample_rate
                    for packed in interleave.resample(frame):
                        channels = packed.layout.nb_channels
                        block = packed.to_ndarray().astype(np.float32).reshape(-1, channels)
                        blocks.append(block.clip(-most, most))
    except (av.error.FFmpegError, ValueError) as error:
        raise RefusedError(str(error)) from error
    if not blocks:
        raise RefusedError("no samples")
    return Sound(np.concatenate(blocks), rate)


def ffmpeg(path: str) -> Sound:
    """Decode with the program ffmpeg, at the file's own rate and channels."""
    with tempfile.TemporaryDirectory(prefix="formats-") as folder:
        out = os.path.join(folder, "out.wav")
        _run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-c:a", "pcm_f32le", out])
        return libsndfile(out)


# What the formats' own decoders are called with, by the ending of the file.
_PROGRAMS: dict[str, tuple[str, ...]] = {
    ".flac": ("flac", "-s", "-d", "-f", "-o", "{out}", "{in}"),
    ".oga": ("flac", "-s", "-d", "-f", "--ogg", "-o", "{out}", "{in}"),
    ".ogg": ("oggdec", "-Q", "-o", "{out}", "{in}"),
    ".opus": ("opusdec", "--quiet", "--float", "{in}", "{out}"),
    ".mp3": ("mpg123", "-q", "-e", "f32", "-w", "{out}", "{in}"),
    ".mp2": ("mpg123", "-q", "-e", "f32", "-w", "{out}", "{in}"),
    ".mp1": ("mpg123", "-q", "-e", "f32", "-w", "{out}", "{in}"),
    ".wv": ("wvunpack", "-q", "-y", "{in}", "-o", "{out}"),
    ".aac": ("faad", "-q", "-b", "4", "-o", "{out}", "{in}"),
    ".m4a": ("faad", "-q", "-b", "4", "-o", "{out}", "{in}"),
    ".mpc": ("mpcdec", "{in}", "{out}"),
    ".spx": ("speexdec", "{in}", "{out}"),
}


def program(path: str) -> Sound:
    """Decode with the format's own program, or with SoX."""
    command = _PROGRAMS.get(Path(path).suffix, ("sox", "{in}", "-e", "floating-point", "{out}"))
    if shutil.which(command[0]) is None:
        raise RefusedError(f"there is no {command[0]}")
    with tempfile.TemporaryDirectory(prefix="formats-") as folder:
        out = os.path.join(folder, "out.wav")
        _run([word.format(out=out, **{"in": path}) for word in command])
        if not os.path.exists(out):
            raise RefusedError(f"{command[0]} wrote nothing")
        return libsndfile(out)._replace(told=command[0])


DECODERS: dict[str, Callable[[str], Sound]] = {
    "AudioFile": maest_file,
    "load_audio": maest_before,
    "MonoLoader": monoloader,
    "libsndfile": libsndfile,
    "PyAV": pyav,
    "ffmpeg": ffmpeg,
    "program": program,
}
"""By the name in the table."""


OWN = ("AudioFile", "load_audio")
"""Those of this project: what they give changes with it."""


def mixed(sound: Sound) -> NDArray[np.float32]:
    """Mix to mono, and resample to 16 kHz as MonoLoader does.

    Parameters
    ----------
    sound : Sound

    Returns
    -------
    float32 [samples]
    """
    samples = sound.samples
    if samples.shape[1] == 1:
        mono = samples[:, 0]
    elif samples.shape[1] == 2:
        mono = (samples[:, 0] + samples[:, 1]) * np.float32(0.5)
    else:
        mono = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    mono = np.ascontiguousarray(mono)
    if sound.rate == 16000 or not len(mono):
        return mono
    with quiet_essentia() as essentia:
        resampler = essentia.Algorithm("Resample")
        resampler.__configure__(
            inputSampleRate=float(sound.rate), outputSampleRate=16000.0, quality=4
        )
        return np.asarray(resampler.__compute__(mono), dtype=np.float32)


def _mono(samples: NDArray[np.float32], told: str = "") -> Sound:
    return Sound(samples[:, None], 16000, told)


def _run(command: list[str]) -> bytes:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"{command[0]} does not end") from error
    if done.returncode < 0:
        raise RefusedError(f"{command[0]} died of signal {-done.returncode}")
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise RefusedError(f"{command[0]}: {words[-1] if words else done.returncode}")
    return done.stdout
