"""A whole model on aarch64, emulated, beside the same on this machine.

`python -m lab.aarch64 FOLDER` builds the engine and the example in C++ for aarch64, takes ONNX
Runtime out of its wheel for it, and runs models under QEMU, as CPUs with and without products of
8-bit integers. What it prints are differences of results: an emulator tells nothing of speed.

Wanted are Debian's packages g++-aarch64-linux-gnu and qemu-user, this one in version 10, which
Debian 12 has in its backports: its own, 7.2, crashes while it loads ONNX Runtime 1.32.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import essentia_maest as maest
from essentia_maest import _core
from essentia_maest.front_end import SAMPLE_RATE
from essentia_maest.machine import machine, versions
from essentia_maest.making.conversion import convert_random
from essentia_maest.reading.store import resolve

Results = dict[str, NDArray[np.float32]]
"""Activations and embeddings: [segments, values]."""

CPUS = {
    "cortex-a72": ("baseline", "neon"),
    "neoverse-n1": ("dotprod",),
    "neoverse-v1": ("i8mm",),
}
"""What QEMU is to be, each with the instruction sets that are tried on it."""
_BLOCK = 7  # the example's
_SWITCH = "ESSENTIA_MAEST_ISA"
_ROOT = Path(__file__).resolve().parents[1]
_TARGET = "aarch64-linux-gnu"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: measured; 2: bad usage, or something that is wanted is missing or failed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.aarch64", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="where it is built; what is there is used again")
    parser.add_argument("--compiler", default=f"{_TARGET}-g++", help="(%(default)s)")
    parser.add_argument("--emulator", default="qemu-aarch64", help="(%(default)s)")
    parser.add_argument(
        "--libraries", default=f"/usr/{_TARGET}", help="folder of the C library (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=10, help="of the clip (%(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        for program in (chosen.compiler, chosen.emulator):
            if shutil.which(program) is None:
                raise maest.MaestError(f"{program} is not there: see python -m lab.aarch64 --help")
        folder = chosen.folder.resolve()
        example = _built(folder, chosen.compiler)
        runtime = _runtime(folder)
        emulator = [chosen.emulator, "-L", chosen.libraries]
        audio = maest.load_audio(maest.example_audio())[: round(chosen.seconds * SAMPLE_RATE)]
        audio.tofile(folder / "audio.f32")
        models = {
            f"random, {precision}": convert_random(
                "tiny", folder / f"random-{precision}.onnx", precision=precision
            )
            for precision in ("fp32", "int8")
        }
        models["default, int8"] = resolve("default")
        print(
            f"Machine: {machine()}; {versions()}; {_first_line(chosen.compiler, '--version')}; "
            f"{_first_line(chosen.emulator, '--version')}. {chosen.seconds:g} s of the clip.\n"
        )
        header = ["model", "CPU", "instruction set", "activations, largest difference"]
        header += ["embeddings, largest difference by the largest", "1 - smallest cosine"]
        print("| " + " | ".join(header) + " |\n" + "|-" * len(header) + "|")
        for name, path in models.items():
            wanted = _here(path, audio, "baseline")
            for isa in _core.instruction_sets():
                _print_row(name, "this machine", isa, _here(path, audio, isa), wanted)
            for cpu, isas in CPUS.items():
                for isa in isas:
                    command = [*emulator, "-cpu", cpu, str(example), str(path), str(runtime)]
                    found = _emulated([*command, str(folder / "audio.f32")], isa)
                    _print_row(name, cpu, isa, found, wanted)
    except (maest.MaestError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _done(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Run a command and give what it prints; its failure is an error."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no word"]
        raise maest.MaestError(
            f"{Path(command[0]).name} ended with {done.returncode}: {' '.join(lines[-3:])}"
        )
    return done.stdout


def _first_line(*command: str) -> str:
    return _done(command).splitlines()[0]


def _built(folder: Path, compiler: str) -> Path:
    """Build and install the engine, and the example on what was installed."""
    cross = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]
    cross.append(f"-DCMAKE_CXX_COMPILER={compiler}")
    engine, installed, examples = (folder / name for name in ("engine", "installed", "examples"))
    _done(["cmake", "-S", str(_ROOT), "-B", str(engine), *cross])
    _done(["cmake", "--build", str(engine), "--target", "maest_core", "--parallel"])
    _done(["cmake", "--install", str(engine), "--prefix", str(installed), "--component", "cpp"])
    package = installed / "lib" / "cmake" / "essentia_maest"
    sources = ["-S", str(_ROOT / "cpp" / "examples"), "-B", str(examples)]
    _done(["cmake", *sources, f"-Dessentia_maest_DIR={package}", *cross])
    _done(["cmake", "--build", str(examples), "--target", "core_example"])
    return examples / "core_example"


def _runtime(folder: Path) -> Path:
    """Give ONNX Runtime's library for aarch64, in the version that is installed here."""
    wanted = version("onnxruntime")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    for baseline in ("manylinux_2_27", "manylinux_2_28"):
        pip += ["--platform", f"{baseline}_aarch64"]
    _done([*pip, "--dest", str(folder), f"onnxruntime=={wanted}"])
    (wheel,) = folder.glob(f"onnxruntime-{wanted}-*_aarch64.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (
            name for name in archive.namelist() if name.endswith(f"libonnxruntime.so.{wanted}")
        )
        return Path(archive.extract(member, folder / "onnxruntime"))


def _emulated(command: Sequence[str], isa: str) -> Results:
    """Run the example and read what it prints: a name, a segment's number and its values a line."""
    found: dict[str, list[list[float]]] = {}
    for line in _done(command, {_SWITCH: isa}).splitlines():
        name, _, *values = line.split()
        found.setdefault(name, []).append([float(value) for value in values])
    return {name: np.array(rows, np.float32) for name, rows in found.items()}


def _here(path: Path, audio: NDArray[np.float32], isa: str) -> Results:
    """Compute the same on this machine."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = isa
    try:
        model = maest.Model(path, num_threads=1)
    finally:
        os.environ.pop(_SWITCH)
        if before is not None:
            os.environ[_SWITCH] = before
    return {
        "activations": model.predict(audio, tail="repeat"),
        "embeddings": model.embed(audio, block=_BLOCK, tail="repeat"),
    }


def _print_row(name: str, cpu: str, isa: str, found: Results, wanted: Results) -> None:
    activations = np.abs(found["activations"] - wanted["activations"]).max()
    one, other = (values["embeddings"].astype(np.float64) for values in (found, wanted))
    share = np.abs(one - other).max() / np.abs(other).max()
    cosines = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1)
    cosine = (cosines / np.linalg.norm(other, axis=1)).min()
    cells = [name, cpu, isa, f"{activations:.1e}", f"{share:.1e}", f"{1 - cosine:.1e}"]
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
