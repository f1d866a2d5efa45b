"""What `maest analyze` takes, beside the same with files decoded by Essentia's `MonoLoader`.

`python -m lab.analyze_speed AUDIO` has ffmpeg write mp3 files out of a piece of music, and runs
over them in turns, with F3T5: with our decoding, with ``--mp3-error 1lsb``, and with `MonoLoader`
in the same worker processes. With the default model, and with one of the shape of MAEST base in
8-bit integers, whose weights are random: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import essentia_maest as maest
from essentia_maest.collection.messages import OpenAudio
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import Scan, scan
from essentia_maest.collection.sinks import make_sink
from essentia_maest.hearing import Mp3Error
from essentia_maest.machine import machine, versions
from essentia_maest.making.conversion import convert_random
from lab.decoding_places import cost_of
from lab.monoloader_file import MonoLoaderFile

MARKS = {"maest-open-10s": 1.6, "base int8, random weights": 1.2}
"""Model -> minutes of audio a second and core, as times those with `MonoLoader`."""

_PATCHOUT = "F3T5"
_WAYS: tuple[tuple[str, OpenAudio, Mp3Error], ...] = (
    ("MonoLoader", MonoLoaderFile, "none"),
    ("maest analyze", maest.AudioFile, "none"),
    ("maest analyze --mp3-error 1lsb", maest.AudioFile, "1lsb"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: measured; 2: bad usage, or a file could not be made or read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.analyze_speed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("audio", type=Path, help="a piece of music")
    parser.add_argument("--files", type=int, default=6, help="of four minutes (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _measure(chosen.audio, Path(folder), chosen.files, chosen.rounds)
    except (maest.MaestError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(audio: Path, folder: Path, files: int, rounds: int) -> None:
    music = folder / "music"
    music.mkdir()
    for number in range(files):
        _write_mp3(audio, music / f"{number}.mp3", number)
    found = scan([str(music)])
    minutes = 4.0 * files
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", maest.UntrainedModelWarning)
        base = convert_random("base", folder / "base.onnx", precision="int8")
        models = [maest.Model("default", num_threads=1), maest.Model(base, num_threads=1)]
    print("# What `maest analyze` takes, beside decoding with MonoLoader\n")
    print(f"Machine: {machine()}; {versions()}.\n")
    print(
        f"`python -m lab.analyze_speed AUDIO`: {files} mp3 files of four minutes, 192 kbit/s, "
        f"{_PATCHOUT},\none worker, one thread, CPU time of all processes from their start to the "
        f"tables, medians of\n{rounds} rounds after one that does not count; ratios within "
        "rounds.\n"
    )
    print("| model | decoding | CPU ms a minute of audio | times MonoLoader | mark |")
    print("|-|-|-|-|-|")
    for (name, mark), model in zip(MARKS.items(), models, strict=True):
        costs: list[list[float]] = [[] for _ in _WAYS]
        for turn in range(rounds + 1):
            for number, (_, open_audio, mp3_error) in enumerate(_WAYS):
                out = folder / f"{model.name}-{turn}-{number}"
                options = AnalysisOptions.of(patchout=_PATCHOUT, mp3_error=mp3_error)
                work = partial(_run, model, options, open_audio, found, out)
                costs[number].append(cost_of(work).cpu)
        for (way, _, _), taken in zip(_WAYS, costs, strict=True):
            counted = list(zip(costs[0][1:], taken[1:], strict=True))
            times = median(theirs / ours for theirs, ours in counted)
            cpu = 1000 * median(taken[1:]) / minutes
            shown = "-" if way == "MonoLoader" else f"{mark:g}"
            print(f"| {name} | {way} | {cpu:.1f} | {times:.2f} | {shown} |", flush=True)


def _run(
    model: maest.Model, options: AnalysisOptions, open_audio: OpenAudio, found: Scan, out: Path
) -> None:
    report = CollectionRun(
        model,
        options,
        make_sink("parquet", out),
        workers=1,
        threads=1,
        reporter=SilentReporter(),
        open_audio=open_audio,
    ).run(found)
    if report.failures:
        raise RuntimeError(f"{report.failures[0].path}: {report.failures[0].reason}")


def _write_mp3(audio: Path, target: Path, number: int) -> None:
    head = ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-ss", str(number), "-i", str(audio)]
    form = ["-map", "0:a:0", "-t", "240", "-ar", "44100", "-ac", "2", "-b:a", "192k"]
    subprocess.run([*head, *form, str(target)], check=True)


if __name__ == "__main__":
    raise SystemExit(main())
