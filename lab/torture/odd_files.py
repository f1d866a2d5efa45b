"""Files of every kind: of packages, made by ffmpeg and libsndfile, broken, and none at all."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import soundfile

from lab.torture.damage import damaged
from lab.torture.odd_names import LONGEST, odd_folders, odd_names
from lab.torture.sound import music

ROOT = Path(__file__).resolve().parents[2]
_MUTAGEN = "mutagen==1.47.0"

_RF64 = ("-f", "wav", "-rf64", "always")
# ending, ffmpeg's encoder, what else it needs
_ENCODINGS = (
    ("m4a", "aac", ()), ("aac", "aac", ()), ("m4a", "alac", ()), ("caf", "alac", ()),
    ("opus", "libopus", ()), ("webm", "libopus", ()), ("mka", "libvorbis", ()),
    ("oga", "flac", ()), ("ac3", "ac3", ()), ("mp2", "mp2", ()), ("mp3", "libmp3lame", ()),
    ("wma", "wmav2", ()), ("wma", "wmav1", ()), ("tta", "tta", ()), ("wv", "wavpack", ()),
    ("spx", "libspeex", ()), ("w64", "pcm_s16le", ()), ("rf64", "pcm_s24le", _RF64),
    ("aiff", "pcm_s16be", ()), ("aifc", "pcm_f32be", ("-f", "aiff")), ("au", "pcm_mulaw", ()),
    ("caf", "pcm_f32le", ()), ("wav", "adpcm_ms", ()), ("wav", "adpcm_ima_wav", ()),
    ("wav", "pcm_f64le", ()), ("wav", "pcm_u8", ()), ("mka", "pcm_s16le", ()),
    ("wav", "libgsm_ms", ()),
    ("mp4", "aac", ()), ("mka", "dca", ("-strict", "-2")), ("mka", "truehd", ("-strict", "-2")),
)  # fmt: skip
_RATES = (8000, 11025, 22050, 44100, 48000, 96000, 192000)
_LAYOUTS = ("mono", "stereo", "2.1", "5.1", "7.1")
_SECONDS = (0.0001, 0.004, 0.3, 1.7)


def from_packages(folder: Path, packages: Path) -> str | None:
    """Copy the odd files of mutagen's and SciPy's tests.

    Parameters
    ----------
    folder : Path
        Where they go.
    packages : Path
        Where packages are kept.

    Returns
    -------
    str or None
        Why some are missing, if they are.
    """
    import scipy.io

    folder.mkdir(parents=True)
    for path in Path(scipy.io.__file__).parent.glob("tests/data/*.wav"):
        shutil.copy(path, folder)
    archive = packages / f"{_MUTAGEN.replace('==', '-')}.tar.gz"
    if not archive.exists():
        packages.mkdir(parents=True, exist_ok=True)
        fetch = [sys.executable, str(ROOT / "cmake/fetch_source.py"), _MUTAGEN, str(packages)]
        done = subprocess.run(fetch, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{_MUTAGEN} cannot be had: {done.stderr.strip()}"
    unpacked = folder / "unpacked"
    shutil.unpack_archive(archive, unpacked, filter="data")
    for path in unpacked.glob("*/tests/data/*"):
        if path.is_file():
            path.rename(folder / path.name)
    shutil.rmtree(unpacked)
    return None


def encoded(folder: Path, chance: random.Random, count: int) -> str | None:
    """Have ffmpeg encode music in every codec, rate, layout and length, as many as it can.

    Parameters
    ----------
    folder : Path
        Where they go.
    chance : random.Random
        Which ones.
    count : int
        How many are tried.

    Returns
    -------
    str or None
        Why there are none.
    """
    folder.mkdir(parents=True)
    if shutil.which("ffmpeg") is None:
        return "ffmpeg is not here"
    source = folder / "source.wav"
    soundfile.write(source, music(2.0, 48000, 8, 1), 48000)
    every = list(itertools.product(_ENCODINGS, _RATES, _LAYOUTS, _SECONDS))
    for number, one in enumerate(chance.sample(every, min(count, len(every)))):
        (ending, codec, more), rate, layout, seconds = one
        target = folder / f"{number:03}-{codec}-{rate}-{layout}-{seconds}.{ending}"
        command = [
            "ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), "-t", str(seconds),
            "-af", f"aformat=channel_layouts={layout},aresample={rate}",
            "-c:a", codec, *more, str(target),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
        if done.returncode:  # not every codec takes every rate and layout
            target.unlink(missing_ok=True)
    source.unlink()
    return None


def sound_ones(folder: Path, chance: random.Random, count: int) -> list[str]:
    """Write good files under odd names.

    Parameters
    ----------
    folder : Path
        Where they go.
    chance : random.Random
        Which names.
    count : int
        How many.

    Returns
    -------
    list of str
        Their paths: each of them is to have results.
    """
    folder.mkdir(parents=True)
    paths = []
    for number, name in enumerate(odd_names(chance, count, LONGEST - len(b".flac"))):
        ending = ("wav", "flac", "mp3", "ogg")[number % 4]
        file = os.path.join(os.fsencode(folder), name + b"." + ending.encode())
        seconds = (1.0, 0.05, 5.5, 2.0)[number // 4 % 4]
        sound = music(seconds, 44100, 1 + number % 2, number)
        with open(file, "wb") as opened:
            soundfile.write(opened, sound, 44100, format=ending.upper())
        # What macOS leaves beside a file, and what is all dots but for its ending, is no track.
        base = os.path.basename(file)
        if not base.startswith(b"._") and os.path.splitext(base)[1]:
            paths.append(os.fsdecode(file))
    return paths


def broken(folder: Path, sources: list[Path], chance: random.Random, count: int) -> None:
    """Damage files, cut them, join them, and give them other endings.

    Parameters
    ----------
    folder : Path
        Where they go.
    sources : list of Path
        What is damaged.
    chance : random.Random
        How.
    count : int
        How many.
    """
    folder.mkdir(parents=True)
    endings = [ending for ending, _, _ in _ENCODINGS] + ["flac", "ogg", "ape", "mpc", "tak"]
    for number in range(count):
        source = chance.choice(sources)
        content = source.read_bytes()
        ending = source.suffix[1:]
        kind = number % 4
        if kind == 0:
            ending = chance.choice(endings)
        elif kind == 1:
            content += chance.choice(sources).read_bytes()
        else:
            content = damaged(content, chance)
        (folder / f"{number:03}-{source.stem[:40]}.{ending}").write_bytes(content)


def no_sound(folder: Path) -> list[str]:
    """Make what has the name of an audio file and is none, or is no file.

    Parameters
    ----------
    folder : Path
        Where it goes.

    Returns
    -------
    list of str
        What is left out of a folder and may be named on the line all the same.
    """
    folder.mkdir(parents=True)
    for ending in ("mp3", "wav", "flac", "m4a", "ogg", "opus", "wma"):
        (folder / f"empty.{ending}").touch()
        (folder / f"text.{ending}").write_text("these are words\n" * 500)
        (folder / f"zeros.{ending}").write_bytes(bytes(100_000))
        (folder / f"page.{ending}").write_text("<html><body>404 Not Found</body></html>")
        (folder / f"one.{ending}").write_bytes(b"\xff")
    with open(folder / "holes.wav", "wb") as file:
        file.truncate(1 << 28)
    unreadable = folder / "unreadable.wav"
    unreadable.write_bytes(b"RIFF")
    unreadable.chmod(0)
    (folder / "gone.mp3").symlink_to("nowhere")
    (folder / "myself.mp3").symlink_to("myself.mp3")
    (folder / "folder.mp3").symlink_to(".")
    (folder / "memory.wav").symlink_to("/proc/self/mem")
    special = [*_special(folder)]
    special += [str(folder / "zero.wav"), str(folder / "full.wav")]
    (folder / "zero.wav").symlink_to("/dev/zero")
    (folder / "full.wav").symlink_to("/dev/full")
    return special


def _special(folder: Path) -> Iterator[str]:
    pipe = folder / "pipe.mp3"
    os.mkfifo(pipe)
    yield str(pipe)
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX) as opened,
    ):  # a path may be too long for it
        opened.bind(str(folder / "socket.mp3"))
        yield str(folder / "socket.mp3")


def fill(
    folder: Path, packages: Path, chance: random.Random, short: bool
) -> tuple[list[str], list[str], list[str]]:
    """Make the whole odd folder.

    Parameters
    ----------
    folder : Path
        An empty one.
    packages : Path
        Where packages are kept.
    chance : random.Random
        What differs from seed to seed.
    short : bool
        Fewer of each kind.

    Returns
    -------
    good, special, missing : list of str
        Files that are to have results; what is no file; which kinds could not be made, and why.
    """
    missing = [from_packages(folder / "packages", packages)]
    missing += [encoded(folder / "encoded", chance, 30 if short else 420)]
    good = sound_ones(folder / "names", chance, 72 if short else 150)
    special = no_sound(folder / "no sound")
    sources = [
        path
        for room in ("packages", "encoded")
        for path in sorted((folder / room).iterdir())
        if path.suffix
    ]
    sources += [Path(path) for path in good[:16]]
    broken(folder / "broken", sources, chance, 40 if short else 250)
    for place in odd_folders(folder):
        name = os.path.join(place, b"in an odd folder.wav")
        with open(name, "wb") as opened:
            soundfile.write(opened, music(0.5, 16000, 1, 3), 16000, format="WAV")
        good.append(os.fsdecode(name))
    return good, special, [one for one in missing if one]
