"""What attention in 8-bit integers changes: a model beside itself with attention in fp32.

`python -m lab.attention_precision AUDIO...`, on a CPU that has the operator
(``cpp/core/attention.h``).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import essentia_maest as maest
from essentia_maest.front_end import SAMPLE_RATE
from essentia_maest.machine import machine, versions
from essentia_maest.making.graph_operators import ATTENTION

_SWITCH = "ESSENTIA_MAEST_ISA"
_WITHOUT = {"avx512vnni": "avx512", "dotprod": "neon", "i8mm": "neon"}
"""For kernels in 8-bit integers: the widest instruction set that is the same with attention in
fp32."""
PATCHOUTS = ("F0T0", "F3T0", "F3T2", "F3T3", "F3T5", "F4T10")
SECONDS = 60
"""Of each file, from its middle."""
STRONGEST = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: measured; 1: some files could not be read; 2: bad usage, or this CPU has no operator.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.attention_precision", description=__doc__.splitlines()[0]
    )
    parser.add_argument("audio", type=Path, nargs="+", help="music")
    parser.add_argument("--model", default="default", help="model file in int8 (%(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        pair = _models(chosen.model)
    except maest.MaestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    music, failed = _music(chosen.audio)
    if not music:
        print("error: none of the files could be read", file=sys.stderr)
        return 2
    blocks = sorted({min(7, pair[0].depth), pair[0].depth})
    print(f"Machine: {machine()}; {versions()}. Model {pair[0].name}, {len(music)} files.\n")
    header = ["patchout", "segments"]
    header += [f"cosine, block {block}{what}" for block in blocks for what in ("", ", smallest")]
    header += [f"of the {STRONGEST} strongest labels shared", "largest change of an activation"]
    print("| " + " | ".join(header) + " |\n" + "|-" * len(header) + "|")
    for patchout in PATCHOUTS:
        print("| " + " | ".join([patchout, *_compared(pair, music, patchout, blocks)]) + " |")
    return int(failed)


def _models(name: str) -> tuple[maest.Model, maest.Model]:
    """Open a model as this CPU runs it best, and with attention in fp32."""
    before = os.environ.pop(_SWITCH, None)
    try:
        best = maest.Model(name)
        kernel = best._engine.operators[ATTENTION]
        if kernel not in _WITHOUT:
            raise maest.MaestError("attention is in fp32 here: no VNNI, or no model in int8")
        os.environ[_SWITCH] = _WITHOUT[kernel]
        return best, maest.Model(name)
    finally:
        os.environ.pop(_SWITCH, None)
        if before is not None:
            os.environ[_SWITCH] = before


def _music(paths: Sequence[Path]) -> tuple[list[NDArray[np.float32]], bool]:
    """Give the middle of each file that can be read, and whether some could not be."""
    found, failed = [], False
    for path in paths:
        try:
            samples = maest.load_audio(path)
        except maest.MaestError as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
            continue
        start = max(0, (len(samples) - SECONDS * SAMPLE_RATE) // 2)
        found.append(samples[start : start + SECONDS * SAMPLE_RATE])
    return found, failed


def _compared(
    pair: tuple[maest.Model, maest.Model],
    music: Sequence[NDArray[np.float32]],
    patchout: str,
    blocks: Sequence[int],
) -> list[str]:
    options: dict[str, Any] = {"patchout": patchout, "tail": "repeat"}
    cells: list[str] = []
    for block in blocks:
        one, other = (
            np.concatenate([model.embed(audio, block=block, **options) for audio in music])
            for model in pair
        )
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosines = (one * other).sum(axis=1) / lengths
        cells += [f"{cosines.mean():.5f}", f"{cosines.min():.5f}"]
    one, other = (
        np.concatenate([model.predict(audio, **options) for audio in music]) for model in pair
    )
    strongest = [np.argsort(-values, axis=1)[:, :STRONGEST] for values in (one, other)]
    shared = np.mean([len(set(a) & set(b)) / STRONGEST for a, b in zip(*strongest, strict=True)])
    return [str(len(one)), *cells, f"{shared:.4f}", f"{np.abs(one - other).max():.4f}"]


if __name__ == "__main__":
    raise SystemExit(main())
