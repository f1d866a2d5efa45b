"""Core and Python module built with AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import essentia_maest

ROOT = Path(__file__).resolve().parents[1]


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
        "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1",  # twice as soon there as with -O2
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


def variables_of(package: Path, reports: Path | None = None) -> dict[str, str]:
    """Give the variables under which Python uses a package with sanitizers.

    Parameters
    ----------
    package : Path
        As `build` gives it.
    reports : Path, optional
        A folder for what the sanitizers find, also in processes that nobody listens to; otherwise
        it goes to stderr.

    Returns
    -------
    dict of str to str
    """
    libraries = [_library("libasan.so"), _library("libubsan.so"), _library("libstdc++.so")]
    options = "abort_on_error=1:halt_on_error=1"
    if reports is not None:
        options += f":log_path={reports}/report"
    return {
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONPATH": str(package),
        "PYTHONMALLOC": "malloc",
        # Python ends without freeing everything; a hostile file may ask for any amount.
        "ASAN_OPTIONS": f"{options}:detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": f"{options}:print_stacktrace=1",
    }


def require_watched(package: Path, reports: Path, variables: Mapping[str, str]) -> None:
    """See that the module with sanitizers is the one that is used, and that a fault is seen.

    Parameters
    ----------
    package, reports : Path
        As for `variables_of`.
    variables : mapping
        As it gave them.

    Raises
    ------
    RuntimeError
        It is another one, or a fault made on purpose went unseen.
    """
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
