"""Small audio files made by code, sound ones and broken ones, and decoders that misbehave.

The decoders are here, not in a test module, because worker processes import them by name.
"""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path

import numpy as np
import soundfile

from essentia_maest.collection.analysis import TrackAnalysis
from essentia_maest.decoding.audio import load_audio
from essentia_maest.decoding.audio_file import AudioFile

# ending, libsndfile's subtype, sample rate, channels: what Essentia's wheel decodes by itself.
FORMATS = [
    ("wav", "PCM_U8", 8000, 1),
    ("wav", "PCM_16", 11025, 2),
    ("wav", "PCM_16", 16000, 1),
    ("wav", "PCM_24", 48000, 2),
    ("wav", "PCM_32", 96000, 2),
    ("wav", "FLOAT", 44100, 2),
    ("wav", "DOUBLE", 22050, 1),
    ("wav", "ULAW", 8000, 1),
    ("aiff", "PCM_16", 44100, 2),
    ("au", "PCM_24", 32000, 1),
    ("flac", "PCM_16", 44100, 2),
    ("flac", "PCM_24", 88200, 1),
    ("ogg", "VORBIS", 44100, 2),
    ("ogg", "VORBIS", 22050, 1),
    ("mp3", "MPEG_LAYER_III", 44100, 2),
    ("mp3", "MPEG_LAYER_III", 22050, 1),
]


def music(seconds: float, sample_rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """A few decaying notes over soft noise, different in each channel: [frames, channels]."""
    rng = np.random.default_rng(seed)
    time_axis = np.arange(round(seconds * sample_rate)) / sample_rate
    sound = rng.normal(0, 0.01, (len(time_axis), channels))
    for channel in range(channels):
        for pitch in rng.uniform(100, 2000, 5):
            start = rng.uniform(0, seconds / 2)
            envelope = np.exp(-3 * np.abs(time_axis - start))
            sound[:, channel] += 0.12 * envelope * np.sin(2 * np.pi * pitch * time_axis)
    return np.clip(sound, -0.99, 0.99)


def write_audio(
    path: Path,
    seconds: float = 1.0,
    sample_rate: int = 44100,
    channels: int = 2,
    subtype: str | None = None,
    *,
    seed: int = 0,
) -> Path:
    """Write `music` in the format that the name ends with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {"aif": "AIFF", "opus": "OGG"}.get(path.suffix[1:], path.suffix[1:].upper())
    if path.suffix == ".opus":
        subtype = "OPUS"
    sound = music(seconds, sample_rate, channels, seed)
    # By handle: libsndfile's own opening does not know names that are no text. In blocks: its
    # Vorbis encoder overflows the stack on long ones.
    with (
        open(path, "wb") as handle,
        soundfile.SoundFile(handle, "w", sample_rate, channels, subtype, format=form) as file,
    ):
        for begin in range(0, len(sound), 1 << 15):
            file.write(sound[begin : begin + (1 << 15)])
    return path


def promise_more_flac_samples(path: Path) -> None:
    """Let a FLAC header claim 2**36 - 1 samples, 18 days of sound."""
    data = bytearray(path.read_bytes())
    assert data[:4] == b"fLaC"
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    path.write_bytes(data)


def forget_flac_samples(path: Path) -> None:
    """Let a FLAC header say that the length is not known, as encoders do that write to a pipe."""
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)


def wav_header(frames: int, channels: int, sample_rate: int, data_bytes: int) -> bytes:
    """A 16-bit WAV header that promises `data_bytes`, whatever follows."""
    rate = sample_rate * channels * 2
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, rate, channels * 2, 16)
    return (
        b"RIFF" + struct.pack("<I", min(36 + data_bytes, 2**32 - 1)) + b"WAVEfmt "
        + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", data_bytes)
    )  # fmt: skip


# content, and what the error says of it
BROKEN = {
    "empty.mp3": (b"", "empty"),
    "text.mp3": (b"these are words and no music\n" * 500, "it is text"),
    "zeros.wav": (bytes(10000), "nothing but zeros"),
    "no-sound.wav": (wav_header(0, 2, 44100, 0), "no audio samples"),
    "header-only.flac": (b"fLaC\0\0\0\x22" + bytes(34), "cannot open it"),
    "cut-header.wav": (wav_header(0, 2, 44100, 4000)[:30], "PyAV"),
    "zero-rate.wav": (wav_header(0, 3, 0, 600) + bytes(600), "cannot open it"),
    "ogg-magic.ogg": (b"OggS" + bytes(300), "no sound is in it"),
}


def decode_or_misbehave(path: str) -> np.ndarray:
    """Decode, but die, hang or raise for files whose names say so."""
    misbehave(os.path.basename(path))
    return load_audio(path)


def misbehave(name: str) -> None:
    """Do what a name says."""
    if name.startswith("exits"):
        os._exit(3)
    if name.startswith("segfaults"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hangs"):
        time.sleep(600)
    if name.startswith("raises"):
        raise RuntimeError("strange decoder")


def decode_and_leave_a_mark(path: str) -> np.ndarray:
    """Decode, and leave a file that says so."""
    Path(path + ".decoded").touch()
    return load_audio(path)


def short_limit(path: str) -> float:
    """Give a hanging decoder few seconds, for files that can be decoded in a blink."""
    return 4.0 if "hangs" in path else 60.0


class Misbehaving:
    """An audio file whose reader does what its name says, once 40,000 samples were read."""

    def __init__(self, path: str) -> None:
        self._file = AudioFile(path)
        self._name = os.path.basename(path)
        self._left = 40_000

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def read(self, samples: int) -> np.ndarray:
        if self._left == 0:
            misbehave(self._name)
        piece = self._file.read(min(samples, self._left) if self._left else samples)
        self._left = max(0, self._left - len(piece))
        return piece


def open_or_misbehave(path: str):
    """Open a file; die, hang or raise later, or with "at-once" now, if its name says so."""
    if "at-once" in path:
        misbehave(os.path.basename(path))
    return Misbehaving(path)


class SlowlyRead:
    """An audio file, each piece of which takes 0.4 seconds to read."""

    def __init__(self, path: str) -> None:
        self._file = AudioFile(path)

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def read(self, samples: int) -> np.ndarray:
        time.sleep(0.4)
        return self._file.read(min(samples, 30_000))


def open_for_slow_analysis(path: str) -> AudioFile:
    """Open a file; whatever analyses it in this process takes 1.5 seconds for each piece."""
    hear = TrackAnalysis.hear

    def slowly(self, part, turn):
        def slow_turn(computing: bool) -> None:
            turn(computing)
            if computing:
                time.sleep(1.5)

        return hear(self, part, slow_turn)

    TrackAnalysis.hear = slowly  # type: ignore[method-assign]
    return AudioFile(path)


class Endless:
    """Sound for ever that does not tell its length, and leaves how many samples were read."""

    decoder, container, codec = "none", "none", "none"
    seconds = ending = damage = None

    def __init__(self, path: str) -> None:
        self._path = path
        self._samples = 0

    def read(self, samples: int) -> np.ndarray:
        self._samples += samples
        Path(self._path + ".samples").write_text(str(self._samples))
        return np.full(samples, 0.1, np.float32)

    def close(self) -> None:
        """Nothing is open."""


class TellsMemory:
    """An audio file that leaves the most kilobytes that its process held."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = AudioFile(path)

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def close(self) -> None:
        status = Path("/proc/self/status").read_text()
        Path(self._path + ".peak").write_text(status.partition("VmHWM:")[2].split()[0])


class Told:
    """An audio file that says something else of itself, for names that say so."""

    def __init__(self, path: str) -> None:
        self._file = AudioFile(path)
        self.seconds = self._file.seconds
        if "unknown" in path:
            self.seconds = None
        if "promises" in path:
            self.seconds = 3 * (self._file.seconds or 0.0)
        self.damage = "one frame is missing" if "damaged" in path else None

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    @property
    def ending(self) -> str | None:
        ending = self._file.ending
        if ending is None or self.damage is None:
            return "truncated" if ending and self.seconds != self._file.seconds else ending
        return "damaged"


def mono_music(samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    seconds = np.arange(samples) / 16000
    tone = np.sin(2 * np.pi * 220 * seconds * (1 + 0.01 * np.sin(seconds)))
    return (0.3 * tone + 0.05 * rng.standard_normal(samples)).astype(np.float32)
