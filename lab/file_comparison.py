"""Whether two model files are the same model: their arrays, their graphs, and what they give.

`python -m lab.file_comparison ONE OTHER AUDIO...`: for a file whose graph was made anew. Outputs
are compared under every instruction set that this CPU has.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

import essentia_maest as maest
from essentia_maest.files import sha256_of
from essentia_maest.machine import machine, versions
from essentia_maest.making.precision_check import compare, run_model
from lab.attention_precision import PATCHOUTS
from lab.outliers import time_ratio

_SWITCH = "ESSENTIA_MAEST_ISA"
_INSTRUCTION_SETS = ("baseline", "avx2", "avxvnni", "avx512", "avx512vnni")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: the same arrays; 1: other ones; 2: bad usage.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.file_comparison", description=__doc__.splitlines()[0]
    )
    parser.add_argument("one", type=Path, help="model file")
    parser.add_argument("other", type=Path, help="model file")
    parser.add_argument("audio", type=Path, nargs="*", help="music (default: the clip that ships)")
    parser.add_argument(
        "--rounds", type=int, default=0, help="of timing, both in turns (default: not timed)"
    )
    parser.add_argument("--outputs-only", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    audio = chosen.audio or [maest.example_audio()]
    try:
        if chosen.outputs_only:
            print(*_rows(chosen.one, chosen.other, audio), sep="\n")
            return 0
        for path in (chosen.one, chosen.other):
            maest.Model(path)  # says what is wrong with a file that is none
        graphs = [onnx.load(path) for path in (chosen.one, chosen.other)]
        music = ", ".join(path.name for path in audio)
        print(f"Machine: {machine()}; {versions()}. Music: {music}.\n")
        for path in (chosen.one, chosen.other):
            print(f"- {path.name}: sha256 {sha256_of(path)}")
        same = _print_differences(*graphs)
        header = ["instruction set", "patchout", "activations, largest difference"]
        header += ["embeddings, block 7, smallest cosine", "all blocks", "equal to the bit"]
        print("\n| " + " | ".join(header) + " |\n" + "|-" * len(header) + "|")
        for isa in _INSTRUCTION_SETS:
            _print_outputs(isa, [chosen.one, chosen.other, *audio])
        if chosen.rounds:
            _print_times(chosen.one, chosen.other, audio[0], chosen.rounds)
    except (maest.MaestError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if same else 1


def arrays_of(graph: onnx.GraphProto) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Give the arrays of a graph and of those within, with their names."""
    for tensor in graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            yield from arrays_of(attribute.g)


def operators_of(graph: onnx.GraphProto) -> Counter[str]:
    """Count the operators of a graph and of those within."""
    found: Counter[str] = Counter()
    for node in graph.node:
        found[".".join(filter(None, (node.domain, node.op_type)))] += 1
        for attribute in node.attribute:
            found += operators_of(attribute.g)
    return found


def _print_differences(one: onnx.ModelProto, other: onnx.ModelProto) -> bool:
    first, second = dict(arrays_of(one.graph)), dict(arrays_of(other.graph))
    differing = [
        name
        for name in {*first, *second}
        if name not in first
        or name not in second
        or first[name].dtype != second[name].dtype
        or not np.array_equal(first[name], second[name])
    ]
    values = sum(array.size for array in second.values())
    print(f"- arrays: {len(second)} with {values:,} values, {len(differing)} of them differ")
    entries = [{entry.key: entry.value for entry in model.metadata_props} for model in (one, other)]
    keys = sorted(
        key for key in {*entries[0], *entries[1]} if entries[0].get(key) != entries[1].get(key)
    )
    print(f"- metadata: {', '.join(keys) + ' differ' if keys else 'the same'}")
    before, after = operators_of(one.graph), operators_of(other.graph)
    for place, counts in (("first", before - after), ("second", after - before)):
        told = ", ".join(f"{count} {operator}" for operator, count in sorted(counts.items()))
        print(f"- operators of the {place} alone: {told or 'none'}")
    return not differing


def _print_outputs(isa: str, files: Sequence[Path]) -> None:
    """Print the rows of one instruction set, computed by a process that has no other."""
    command = [sys.executable, "-m", "lab.file_comparison", "--outputs-only", *map(str, files)]
    environment = {**os.environ, _SWITCH: isa}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        if "cannot run" not in reason:
            raise maest.ModelError(reason)
        print(f"\n{isa}: this CPU has it not.", file=sys.stderr)
        return
    for line in done.stdout.splitlines():
        print(f"| {isa} {line}")


def _print_times(one: Path, other: Path, audio: Path, rounds: int) -> None:
    print("\n| patchout | CPU time of the second as a share of the first's |\n|-|-|")
    first, second = (maest.Model(path, num_threads=1) for path in (one, other))
    music = maest.load_audio(audio)
    for patchout in PATCHOUTS:
        print(f"| {patchout} | {time_ratio(second, first, music, patchout, rounds):.3f} |")


def _rows(one: Path, other: Path, audio: Sequence[Path]) -> Iterator[str]:
    pair = [maest.Model(path) for path in (one, other)]
    music = [maest.load_audio(path) for path in audio]
    middle = min(7, pair[0].depth) - 1
    for patchout in PATCHOUTS:
        found = [[run_model(model, sound, patchout) for sound in music] for model in pair]
        report = compare(*found)
        equal = all(
            np.array_equal(first.activations, second.activations)
            and np.array_equal(first.embeddings, second.embeddings)
            for first, second in zip(*found, strict=True)
        )
        cosines = (min(cosine, 1) for cosine in (report.blocks[middle].lowest, report.lowest))
        yield (
            f"| {patchout} | {report.activations:.4f} | "
            + " | ".join(f"{cosine:.5f}" for cosine in cosines)
            + f" | {'yes' if equal else 'no'} |"
        )


if __name__ == "__main__":
    raise SystemExit(main())
