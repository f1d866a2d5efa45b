"""Fuzzers: inputs that are changed again and again where they reach code that none had reached."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile

from essentia_maest.making.conversion import convert_random
from essentia_maest.ort_library import find_library
from lab.torture.damage import damaged
from lab.torture.figures import Figures
from lab.torture.odd_files import encoded, no_sound
from lab.torture.work import Work

ROOT = Path(__file__).resolve().parents[2]
_DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_SECONDS = 60
_ONE_INPUT_SECONDS = 60
_MEGABYTES = 4096
_LARGEST_SEED = 200_000


def fuzzers(work: Work) -> Figures:
    """Build the targets of ``cpp/fuzz``, and run them and that of checkpoints.

    Parameters
    ----------
    work : Work
        What to work with. The time is shared out among the targets, a minute each at the most.

    Returns
    -------
    Figures
        What a fuzzer found is a crash, or a hang; the input stays in the part's folder.
    """
    figures = Figures()
    commands = _checkpoint_target(work) + _core_targets(work)
    for number, (name, command, variables) in enumerate(commands):
        left = (work.deadline - time.monotonic()) / (len(commands) - number)
        seconds = int(min(left, work.amount(10, _SECONDS)))
        if seconds > 0:
            work.tell(f"fuzzers: {name}, {seconds} s")
            _fuzz(figures, work, name, command, variables=variables, seconds=seconds)
    return figures


def _checkpoint_target(work: Work) -> list[tuple[str, list[str], dict[str, str]]]:
    if find_spec("atheris") is None:
        work.tell("fuzzers: atheris is not here")
        return []
    return [("checkpoints", [sys.executable, "-m", "lab.torture.fuzz_checkpoints"], {})]


def _core_targets(work: Work) -> list[tuple[str, list[str], dict[str, str]]]:
    found = (shutil.which(name) for name in ("clang++", "clang++-18", "clang++-16", "clang++-14"))
    compiler = next((path for path in found if path), None)
    if compiler is None:
        work.tell("fuzzers: clang++ is not here")
        return []
    build = work.shared / "fuzzers"
    scripts = Path(sys.executable).parent
    variables = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    configure = [
        "cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja",
        f"-DCMAKE_CXX_COMPILER={compiler}", "-DMAEST_BUILD_FUZZERS=ON",
        "-DMAEST_SANITIZE=address,undefined", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
        "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -gline-tables-only",
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(build)]):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"no fuzzers: {(done.stdout + done.stderr)[-2000:]}")
    used = {
        "MAEST_FUZZ_MODEL": str(hollow_model(work.folder / "hollow.onnx")),
        "ESSENTIA_MAEST_ONNXRUNTIME": str(find_library()),
        # ONNX Runtime keeps what it has until the process ends.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    data = Path(soundfile.__file__).parent / "_soundfile_data"
    for library in data.glob("libsndfile*"):
        used["MAEST_FUZZ_SNDFILE"] = str(library)
    programs = sorted(path for path in build.glob("fuzz_*") if os.access(path, os.X_OK))
    return [(path.name.removeprefix("fuzz_"), [str(path)], used) for path in programs]


def _fuzz(
    figures: Figures,
    work: Work,
    name: str,
    command: Sequence[str],
    *,
    variables: Mapping[str, str],
    seconds: int,
) -> None:
    place = work.folder / name
    corpus, finds = place / "corpus", place / "finds"
    for folder in (corpus, finds):
        folder.mkdir(parents=True)
    _write_seeds(name, corpus, work.chance(name))
    options = [
        f"-max_total_time={seconds}", f"-seed={work.chance(name).randrange(1, 1 << 31)}",
        # What is slower than ten seconds would be kept beside the finds; first imports are.
        f"-report_slow_units={_ONE_INPUT_SECONDS}",
        f"-timeout={_ONE_INPUT_SECONDS}", f"-rss_limit_mb={_MEGABYTES}", "-max_len=65536",
        f"-artifact_prefix={finds}/", "-print_final_stats=1", "-verbosity=0",
    ]  # fmt: skip
    words = place / "words"
    with open(words, "wb") as taken:
        code = subprocess.run(
            [*command, *options, str(corpus)],
            cwd=ROOT, env={**os.environ, **variables}, stdin=subprocess.DEVNULL,
            stdout=taken, stderr=taken, check=False, timeout=seconds + 600,
        ).returncode  # fmt: skip
    told = words.read_text(errors="replace")
    done = _DONE.search(told)
    figures.inputs += int(done.group(1)) if done else 0
    for find in sorted(finds.iterdir()):
        kind = "hangs" if find.name.startswith("timeout") else "crashes"
        figures.fault(kind, f"{name}: {find.name}; {_reason(told)}")
    if code and not any(finds.iterdir()):
        figures.fault("untold", f"{name}: the fuzzer ended with {code}; {_reason(told)}")
    if not done and not code:
        figures.fault("untold", f"{name}: the fuzzer tried nothing; {_reason(told)}")


def _reason(told: str) -> str:
    found = re.search(r"(ERROR: .*|runtime error: .*|Uncaught Python exception[^=]*)", told)
    return " ".join((found.group(1) if found else told[-300:]).split())[:400]


def _write_seeds(name: str, corpus: Path, chance: random.Random) -> None:
    """Give a target small good inputs to begin with."""
    if name == "model":
        for number in range(20):
            content = _small_model()
            (corpus / f"{number}.onnx").write_bytes(damaged(content, chance) if number else content)
    elif name == "metadata":
        model = convert_random("tiny", corpus / "model.onnx", classes=3)
        entries = onnx.load(model).metadata_props
        lines = [f"{one.key}={one.value}".replace("\n", "\\n") for one in entries]
        for path in list(corpus.iterdir()):
            path.unlink()
        (corpus / "good").write_text("\n".join(lines))
    elif name == "checkpoints":
        settings = ROOT / "tests" / "data" / "untrained-tiny.json"
        for number, start in enumerate(
            (b"\x80\x02}q\0.", b"\x02\0\0\0\0\0\0\0{}", b"{}", b"\x08\x08")
        ):
            (corpus / f"{number}").write_bytes(bytes([number]) + start)
        (corpus / "settings").write_bytes(b"\x02" + settings.read_bytes())
        (corpus / "labels").write_bytes(b"\x04" + settings.read_bytes())
    else:
        encoded(corpus / "encoded", chance, 60)
        no_sound(corpus / "none")
        for path in list(corpus.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_SEED:
                path.rename(corpus / f"{path.parent.name}-{path.name}")
        for folder in ("encoded", "none"):
            shutil.rmtree(corpus / folder)


def hollow_model(path: Path) -> Path:
    """Write a model with the inputs, outputs and metadata of a real one, and nothing between them.

    Parameters
    ----------
    path : Path
        The file: a thousandth of a real one, to be opened a thousand times.

    Returns
    -------
    Path
    """
    model = onnx.load(convert_random("tiny", path, classes=3))
    graph = model.graph
    for part in (graph.node, graph.initializer, graph.value_info):
        del part[:]
    make = onnx.helper.make_node
    for name, value in (("one", np.array([1])), ("zero", np.array(0, np.float32))):
        graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    # A number that is known only when it runs: no shape can be told before.
    graph.node.append(make("Reshape", ["depth", "one"], ["size"]))
    for output in graph.output:
        shape, rank = f"{output.name} shape", len(output.type.tensor_type.shape.dim)
        graph.node.append(make("Concat", ["size"] * rank, [shape], axis=0))
        graph.node.append(make("Expand", ["zero", shape], [output.name]))
    onnx.save(model, path)
    return path


def _small_model() -> bytes:
    value: Any = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Add", ["patches", "weight"], ["tokens"])
    weight = onnx.numpy_helper.from_array(np.arange(256, dtype=np.float32), "weight")
    inputs = [value("patches", onnx.TensorProto.FLOAT, [1, "n", 256])]
    outputs = [value("tokens", onnx.TensorProto.FLOAT, [1, "n", 256])]
    graph = onnx.helper.make_graph([node], "g", inputs, outputs, [weight])
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.helper.set_model_props(model, {"maest.format_version": "1", "maest.dim": "256"})
    return bytes(model.SerializeToString())
