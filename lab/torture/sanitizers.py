"""Core and Python module built with ASan and UBSan: hostile models and files, once more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import essentia_maest
from essentia_maest.making.conversion import convert_random
from lab.torture.child import MAEST, run
from lab.torture.collection import check_summary
from lab.torture.figures import Figures
from lab.torture.models import run_models
from lab.torture.odd_files import fill
from lab.torture.work import Work

ROOT = Path(__file__).resolve().parents[2]
_SLOWER = 10.0
_RUN_SECONDS = 3600.0


def sanitizers(work: Work) -> Figures:
    """Build with sanitizers, then open changed models and analyse an odd folder.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
        Every report of a sanitizer is a crash.

    Raises
    ------
    RuntimeError
        It cannot be built.
    """
    package = build(work.shared / "sanitizers")
    reports = work.folder / "reports"
    reports.mkdir()
    variables = variables_of(package, reports)
    _require_watched(package, reports, variables)
    figures = run_models(
        work,
        work.amount(30, 1500),
        arguments=["--unlimited"],
        variables=variables,
        patience=_SLOWER,
    )
    figures.add(_odd_folder(work, variables))
    for report in sorted(reports.iterdir()):
        text = report.read_text(errors="replace")
        at = max(text.find("ERROR: "), text.find("runtime error: "), 0)
        figures.fault("crashes", f"{report.name}: {' '.join(text[at : at + 600].split())}")
    return figures


def build(place: Path) -> Path:
    """Build the module with sanitizers, and put a package round it.

    Parameters
    ----------
    place : Path
        Where builds are kept.

    Returns
    -------
    Path
        The folder for ``PYTHONPATH``.

    Raises
    ------
    RuntimeError
        It cannot be built.
    """
    scripts = Path(sys.executable).parent
    variables = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    folder = place / "build"
    configure = [
        "cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja",
        "-DMAEST_SANITIZE=address,undefined", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
        "-DMAEST_BUILD_PYTHON=ON", "-DMAEST_BUILD_ESSENTIA_PLUGIN=OFF",
        f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={_pybind11()}",
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(folder), "--target", "_core"]):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"no build with sanitizers: {(done.stdout + done.stderr)[-2000:]}")
    package = place / "package"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "python", package, ignore=shutil.ignore_patterns("__pycache__"))
    installed = Path(essentia_maest.__file__).parent
    for name in ("models", "_essentia_plugin.so"):
        target = package / "essentia_maest" / name
        if not target.exists() and (installed / name).exists():
            target.symlink_to(installed / name)
    (module,) = folder.glob("_core*.so")
    shutil.copy(module, package / "essentia_maest")
    return package


def variables_of(package: Path, reports: Path) -> dict[str, str]:
    """Give the variables under which Python uses a package with sanitizers.

    Parameters
    ----------
    package : Path
        As `build` gives it.
    reports : Path
        A folder for what the sanitizers find, also in processes that nobody listens to.

    Returns
    -------
    dict of str to str
    """
    libraries = [_library("libasan.so"), _library("libubsan.so"), _library("libstdc++.so")]
    options = f"abort_on_error=1:halt_on_error=1:log_path={reports}/report"
    return {
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONPATH": str(package),
        "PYTHONMALLOC": "malloc",
        # Python ends without freeing everything; a hostile file may ask for any amount.
        "ASAN_OPTIONS": f"{options}:detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": f"{options}:print_stacktrace=1",
    }


def _require_watched(package: Path, reports: Path, variables: Mapping[str, str]) -> None:
    """See that the module with sanitizers is the one that is used, and that a fault is seen."""
    code = (
        "import ctypes; from essentia_maest import _core; print(_core.__file__, flush=True);"
        "c = ctypes.CDLL(None); c.malloc.restype = ctypes.c_void_p;"
        "ctypes.string_at(c.malloc(8), 64)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=reports, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = list(reports.iterdir())
    if done.returncode != -signal.SIGABRT or not found or str(package) not in done.stdout:
        raise RuntimeError(
            f"a fault made on purpose was not seen: exit code {done.returncode}, module "
            f"{done.stdout.strip()!r}, {len(found)} reports; {done.stderr[-500:]}"
        )
    for report in found:
        report.unlink()


def _library(name: str) -> str:
    compiler = os.environ.get("CXX", "g++")
    found = subprocess.run(
        [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return os.path.realpath(found.stdout.strip())


def _pybind11() -> str:
    import pybind11

    return str(pybind11.get_cmake_dir())


def _odd_folder(work: Work, variables: Mapping[str, str]) -> Figures:
    figures = Figures()
    folder, out = work.folder / "odd", work.folder / "out"
    _, _, missing = fill(folder, work.shared / "packages", work.chance("files"), work.short)
    for reason in missing:
        work.tell(f"sanitizers: {reason}")
    model = convert_random("tiny", work.folder / "tiny.onnx", seconds=5, classes=12)
    command = [*MAEST, "analyze", str(folder), "-o", str(out), "--model", str(model)]
    ended = run([*command, "--block", "1"], work.folder, _RUN_SECONDS, variables)
    if ended.hung:
        figures.fault("hangs", f"odd folder: no end after {ended.seconds:.0f} s")
    elif ended.code not in (0, 1) or ended.traceback:
        figures.fault("crashes", f"odd folder: exit code {ended.code}; {ended.last_words}")
    else:
        summary = check_summary(figures, "odd folder", out, ended)
        figures.inputs = summary["counts"]["found"] if summary else 0
    return figures
