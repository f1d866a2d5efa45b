"""What decoding costs beside Essentia's `MonoLoader`, and what it saves to decode only a part.

`python -m lab.decoding_speed AUDIO` takes a minute out of a piece of music, has the program ffmpeg
write it in each format, and decodes each file in turns: by `essentia_maest.load_audio` and by
`MonoLoader(sampleRate=16000, resampleQuality=4)`. Then, with the default model, files of which a
patchout hears only a part, whole and in parts, and how far samples differ then; and three segments
of four minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import essentia_maest as maest
from essentia_maest.decoding import monoloader
from essentia_maest.front_end import SAMPLE_RATE
from essentia_maest.hearing import Hearing, pieces
from essentia_maest.machine import machine, versions

FORMATS: dict[str, tuple[str, list[str], float | None]] = {
    "mp3, 192 kbit/s": ("mp3", ["-c:a", "libmp3lame", "-b:a", "192k"], 1.7),
    "mp3, V2": ("mp3", ["-c:a", "libmp3lame", "-q:a", "2"], 1.7),
    "flac": ("flac", [], 1.2),
    "ogg vorbis": ("ogg", ["-c:a", "libvorbis", "-q:a", "5"], 1.5),
    "m4a, aac": ("m4a", ["-c:a", "aac", "-b:a", "160k"], 1.5),
    "m4a, alac": ("m4a", ["-c:a", "alac"], None),
    "wav": ("wav", [], 2.3),
}
"""Name -> ending, options of ffmpeg, and the mark: times MonoLoader."""

SHORT_SECONDS = 5
SHORT_MILLISECONDS = 6.0
LONG_SECONDS = 240
LONG_TIMES = 3.0
PARTS_TIMES = 1.5

STEP = 1 / 32768

Ways = dict[str, Callable[[], Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: measured; 2: bad usage, or a file could not be made or read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.decoding_speed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("audio", type=Path, help="a piece of music")
    parser.add_argument("--rounds", type=int, default=11, help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    print("# Decoding, beside MonoLoader\n")
    print(f"Machine: {machine()}; {versions()}.\n")
    print(
        "`python -m lab.decoding_speed AUDIO`: 44.1 kHz, stereo, one thread, CPU time, medians of"
    )
    print(f"{chosen.rounds} rounds after one that does not count; ratios within rounds.\n")
    try:
        with tempfile.TemporaryDirectory() as folder:
            _formats(chosen.audio, Path(folder), chosen.rounds)
            _parts(chosen.audio, Path(folder), chosen.rounds)
    except (maest.MaestError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _formats(audio: Path, folder: Path, rounds: int) -> None:
    print("| one minute of | MonoLoader, ms | load_audio, ms | times | mark | decoder |")
    print("|-|-|-|-|-|-|")
    for name, (ending, options, mark) in FORMATS.items():
        path = _written(audio, folder / f"minute.{ending}", 60, options)
        ours, essentia = _in_turns(rounds, _both(path))
        ratio = median(b / a for a, b in zip(ours, essentia, strict=True))
        with maest.AudioFile(path) as opened:
            decoder = opened.decoder
        print(
            f"| {name} | {1e3 * median(essentia):.1f} | {1e3 * median(ours):.1f} | {ratio:.2f} "
            f"| {mark or '-'} | {decoder} |"
        )
    path = _written(audio, folder / "short.mp3", SHORT_SECONDS, FORMATS["mp3, 192 kbit/s"][1])
    ours, essentia = _in_turns(rounds, _both(path))
    print(
        f"\nAn mp3 of {SHORT_SECONDS} s: {1e3 * median(ours):.1f} ms (mark {SHORT_MILLISECONDS:g}),"
    )
    print(f"MonoLoader {1e3 * median(essentia):.1f}.\n")


def _parts(audio: Path, folder: Path, rounds: int) -> None:
    model = maest.Model("default", num_threads=1)
    flac = _written(audio, folder / "long.flac", LONG_SECONDS, [])
    mp3 = _written(audio, folder / "long.mp3", LONG_SECONDS, FORMATS["mp3, 192 kbit/s"][1])
    vbr = _written(audio, folder / "v2.mp3", LONG_SECONDS, FORMATS["mp3, V2"][1])
    samples = maest.load_audio(flac)
    minutes = len(samples) / SAMPLE_RATE / 60
    three = int(3 * model.segment_seconds * SAMPLE_RATE)

    def whole(path: Path) -> None:
        model.analyze(maest.load_audio(path), patchout="F3T5")

    print(f"Of {minutes:.1f} minutes, default model, F3T5 (model alone: ", end="")
    (alone,) = _in_turns(rounds, {"": partial(model.analyze, samples, patchout="F3T5")})
    print(f"{1e3 * median(alone):.0f} ms):\n")
    print("| | all decoded, ms | a part decoded, ms | times | of decoding alone | mark |")
    print("|-|-|-|-|-|-|")
    ways: Ways
    for name, path, mark in (
        ("flac", flac, PARTS_TIMES),
        ("mp3, 192 kbit/s", mp3, None),
        ("mp3, V2", vbr, None),
    ):
        heard = partial(model.analyze_file, path, patchout="F3T5")
        ways = {
            "decoding": partial(maest.load_audio, path),
            "all": partial(whole, path),
            "parts": heard,
        }
        _row(f"{name}, only what is heard", mark, [*_in_turns(rounds, ways), alone])
    ways = {
        "decoding": partial(maest.load_audio, mp3),
        "all": partial(whole, mp3),
        "parts": partial(model.analyze_file, mp3, patchout="F3T5", segments=3),
        "alone": partial(model.analyze, samples[:three], patchout="F3T5"),
    }
    _row("mp3, three segments of all", LONG_TIMES, _in_turns(rounds, ways))
    _heard(rounds, model, {"flac": flac, "mp3, 192 kbit/s": mp3, "mp3, V2": vbr})


def _heard(rounds: int, model: maest.Model, paths: dict[str, Path]) -> None:
    """Print what decoding alone takes of what is heard, and how far samples differ."""
    hearing = model.hearing(model.plan(maest.Request(patchout="F3T5")))
    assert hearing is not None
    print(f"\nDecoding alone, of what F3T5 hears of the same (steps of 16 bits: {STEP:.1e}):\n")
    print(
        "| a minute of | all, ms | what is heard, ms | times | most that a sample differs, steps |"
    )
    print("|-|-|-|-|-|")
    for name, path in paths.items():
        ways: Ways = {"all": partial(maest.load_audio, path)}
        ways["heard"] = partial(_heard_samples, path, hearing)
        everything, heard = _in_turns(rounds, ways)
        part, samples = _heard_samples(path, hearing), maest.load_audio(path)
        differs = np.abs(part - samples)[part != 0].max() / STEP
        times = median(a / b for a, b in zip(everything, heard, strict=True))
        per_minute = 1e3 / (len(samples) / SAMPLE_RATE / 60)
        print(
            f"| {name} | {per_minute * median(everything):.1f} | {per_minute * median(heard):.1f} "
            f"| {times:.2f} | {differs:.2g} |"
        )


def _heard_samples(path: Path, hearing: Hearing) -> npt.NDArray[np.float32]:
    with maest.AudioFile(path) as file:
        heard = hearing.whole(file)
        return np.concatenate(list(pieces(file.read if heard is None else heard.read)))


def _row(name: str, mark: float | None, rounds: list[list[float]]) -> None:
    decoded, all_decoded, parts, alone = rounds
    times = median(a / b for a, b in zip(all_decoded, parts, strict=True))
    decoding = median(decoded) / max(median(parts) - median(alone), 1e-9)
    print(
        f"| {name} | {1e3 * median(all_decoded):.0f} | {1e3 * median(parts):.0f} | {times:.2f} "
        f"| {decoding:.2f} | {mark or '-'} |"
    )


def _both(path: Path) -> Ways:
    return {
        "ours": partial(maest.load_audio, path),
        "MonoLoader": partial(monoloader.decode, str(path)),
    }


def _in_turns(rounds: int, ways: Ways) -> list[list[float]]:
    """Give, for each way, its CPU seconds in each round."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds + 1):
        for found, work in zip(times, ways.values(), strict=True):
            started = time.process_time()
            work()
            found.append(time.process_time() - started)
    return [found[1:] for found in times]


def _written(audio: Path, target: Path, seconds: int, options: list[str]) -> Path:
    head = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(audio)]
    form = ["-map", "0:a:0", "-t", str(seconds), "-ar", "44100", "-ac", "2"]
    subprocess.run([*head, *form, *options, str(target)], check=True)
    return target


if __name__ == "__main__":
    raise SystemExit(main())
