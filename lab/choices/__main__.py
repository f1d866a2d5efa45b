"""Measures choices of the engine beside what they were chosen over.

`python -m lab.choices MODEL.onnx`, where the model is in fp32, such as
`maest convert --random-weights base MODEL.onnx` writes it.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import essentia_maest as maest
from essentia_maest.example import example_audio
from essentia_maest.files import write_json, write_whole
from essentia_maest.front_end import FRAMES_PER_SECOND, SAMPLE_RATE
from essentia_maest.machine import machine, versions
from essentia_maest.progress import tell
from lab.choices.studies import Material, choice_studies
from lab.choices.variants import VARIANTS, quantize
from lab.peers.definitions import Peer
from lab.peers.process import PeerProcess
from lab.peers.results import study_as_json
from lab.peers.rounds import run_study
from lab.peers.sizes import Size
from lab.peers.tables import study_page

_TIMEOUT = 1200.0
_MUSIC_SECONDS = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: all measured; 1: something could not be; 2: bad usage.
    """
    chosen = _arguments(arguments)
    try:
        model = maest.Model(chosen.model, num_threads=1)
        music = maest.load_audio(chosen.audio)
        if model.precision != "fp32":
            raise maest.MaestError(f"{chosen.model} is in {model.precision}; wanted is fp32")
    except maest.MaestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Whole segments, so that every way of sharing them computes the same ones.
    seconds = int(model.segment_seconds)
    samples = SAMPLE_RATE * seconds * math.ceil(_MUSIC_SECONDS / seconds)
    chosen.output.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "machine": {"description": machine(), "versions": versions()},
        "model": model.name,
        "audio": Path(chosen.audio).name,
        "rounds": chosen.rounds,
        "studies": [],
    }
    with tempfile.TemporaryDirectory(dir=chosen.output) as folder:
        try:
            material = _material(model, chosen.model, np.resize(music, samples), Path(folder))
        except ValueError as error:
            print(
                f"error: {chosen.model}: wanted a file that `maest convert` wrote ({error})",
                file=sys.stderr,
            )
            return 2
        for study in choice_studies(material, chosen.threads):
            measured = run_study(study, _start, rounds=chosen.rounds, tell=tell)
            results["studies"].append(study_as_json(study, measured))
            results["machine"]["load_after"] = os.getloadavg()[0]
            write_json(chosen.output / "choices.json", results)
            write_whole(chosen.output / "choices.md", _page(results))
    print(_page(results))
    return int(any(peer["reason"] for study in results["studies"] for peer in study["peers"]))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lab.choices",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="model file in fp32")
    parser.add_argument(
        "--audio", type=Path, default=example_audio(), help="music (the clip that ships)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("results/choices"),
        help="folder for choices.json and choices.md (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    usable = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--threads", type=int, default=min(usable, 2), choices=[1, 2, 3], metavar="{1,2,3}",
        help="CPUs where several are shared (%(default)s)",
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.threads > usable:
        parser.error(f"wanted 1 round or more, and at most {usable} threads")
    return chosen


def _material(model: maest.Model, path: Path, music: Any, folder: Path) -> Material:
    source = onnx.load(os.fspath(path))
    variants = {}
    for number, variant in enumerate(VARIANTS):
        variants[variant.name] = folder / f"{number}.onnx"
        onnx.save(quantize(source, variant), variants[variant.name])
    np.save(folder / "music.npy", music)
    frames = round(model.segment_seconds * FRAMES_PER_SECOND)
    size = Size(model.name, dim=model.dim, heads=0, depth=model.depth, frames=frames)
    minutes = len(music) / SAMPLE_RATE / 60
    return Material(path.absolute(), variants, folder / "music.npy", minutes, size)


def _start(peer: Peer, cpus: Sequence[int]) -> PeerProcess:
    return PeerProcess(
        Path(sys.executable),
        peer.program,
        {**peer.options, "threads": len(cpus)},
        cpus=cpus,
        timeout=_TIMEOUT,
    )


def _page(results: Any) -> str:
    about = results["machine"]
    lines = [
        "# Choices of the engine",
        "",
        f"Machine: {about['description']}, {about['load_after']:.1f} after; {about['versions']}. "
        f"Model {results['model']}, music {results['audio']}.",
        "",
        f"{results['rounds']} rounds; in each, everything is done once, in turn, and ratios are "
        "taken within rounds. Medians; in brackets, quartiles.",
        "",
    ]
    for study in results["studies"]:
        lines += study_page(study)
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
