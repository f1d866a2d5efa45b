"""Small audio files made by code, sound ones and broken ones, and decoders that misbehave.

The decoders are here, not in a test module, because worker processes import them by name.
"""

from __future__ import annotations

import os
import signal
import struct
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from essentia_maest.decoding.audio import load_audio
from essentia_maest.decoding.pieces import Outlet, write_pieces

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
    "text.mp3": (b"these are words and no music\n" * 500, "not recognised as audio"),
    "zeros.wav": (bytes(10000), "not recognised as audio"),
    "no-sound.wav": (wav_header(0, 2, 44100, 0), "no audio samples"),
    "header-only.flac": (b"fLaC\0\0\0\x22" + bytes(34), "not recognised|cannot decode|no audio"),
    "cut-header.wav": (wav_header(0, 2, 44100, 4000)[:30], "not recognised as audio"),
    "zero-rate.wav": (wav_header(0, 3, 0, 600) + bytes(600), "not recognised|cannot decode"),
    "ogg-magic.ogg": (b"OggS" + bytes(300), "not recognised as audio"),
}


def decode_or_misbehave(path: str) -> np.ndarray:
    """Decode, but die, hang or raise for files whose names say so."""
    name = os.path.basename(path)
    if name.startswith("exits"):
        os._exit(3)
    if name.startswith("segfaults"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hangs"):
        time.sleep(600)
    if name.startswith("raises"):
        raise RuntimeError("strange decoder")
    return load_audio(path)


def decode_and_leave_a_mark(path: str) -> np.ndarray:
    """Decode, and leave a file that says so."""
    Path(path + ".decoded").touch()
    return load_audio(path)


def make_scrap_and_die(path: str) -> np.ndarray:
    """Leave a temporary file, and crash."""
    Path(tempfile.mkdtemp(prefix="maest-"), "scrap").touch()
    os.kill(os.getpid(), signal.SIGSEGV)
    return np.zeros(1, np.float32)


def short_limit(path: str) -> float:
    """Give a hanging decoder few seconds, for files that can be decoded in a blink."""
    return 4.0 if "hangs" in path else 60.0


def write_pieces_or_misbehave(path: str, outlet: Outlet) -> None:
    """Write the first 40,000 samples, then do what the name says; for other names all."""
    name = os.path.basename(path)
    if not name.startswith(("exits", "segfaults", "hangs", "raises", "starts-over")):
        write_pieces(path, outlet)
        return
    audio = load_audio(path)
    with open(outlet.essentia_file, "wb") as file:
        # Not a whole number of samples: a process may die anywhere.
        file.write(audio[:40000].tobytes() + b"x")
    if name.startswith("exits"):
        os._exit(3)
    if name.startswith("segfaults"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hangs"):
        time.sleep(600)
    if name.startswith("raises"):
        raise RuntimeError("strange decoder")
    outlet.essentia_done()
    for begin in range(0, len(audio), 12345):
        outlet.send(audio[begin : begin + 12345])


def write_without_end(path: str, outlet: Outlet) -> None:
    """Write samples for ever, and leave how many seconds of them were written."""
    second = np.zeros(16000, np.float32).tobytes()
    with open(outlet.essentia_file, "wb") as file:
        seconds = 0
        while True:
            file.write(second)
            seconds += 1
            Path(path + ".seconds").write_text(str(seconds))


def write_pieces_and_tell_memory(path: str, outlet: Outlet) -> None:
    """Decode, and leave the most kilobytes that this process held."""
    write_pieces(path, outlet)
    status = Path("/proc/self/status").read_text()
    Path(path + ".peak").write_text(status.partition("VmHWM:")[2].split()[0])


def mono_music(samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    seconds = np.arange(samples) / 16000
    tone = np.sin(2 * np.pi * 220 * seconds * (1 + 0.01 * np.sin(seconds)))
    return (0.3 * tone + 0.05 * rng.standard_normal(samples)).astype(np.float32)
