"""What the engine says of ONNX Runtime's C interface, compiled beside ONNX Runtime's own header.

The header comes from Debian's package libonnxruntime-dev: the installed one, or else the one that
this machine's mirror of Debian has, in this release or in the stable one.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "libonnxruntime-dev"
HEADER = "onnxruntime_c_api.h"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

pytestmark = pytest.mark.slow


def run(*command: str, folder: Path) -> str:
    """Run a command; a failure ends the search for the header."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{HEADER} cannot be fetched: {error}")
    if done.returncode != 0:
        lines = [*done.stdout.splitlines(), *done.stderr.splitlines()] or ["no word"]
        pytest.skip(f"{HEADER} cannot be fetched: {' '.join(command[:1])}: {lines[-1]}")
    return done.stdout


def stable_options(folder: Path) -> list[str]:
    """Give apt the mirror's stable release, with all that it keeps in `folder`."""
    targets = run("apt-get", "indextargets", "--format", "$(ORIGIN) $(SITE)", folder=folder)
    sites = sorted(
        {site for origin, site in map(str.split, targets.splitlines()) if origin == "Debian"}
    )
    if not sites:
        pytest.skip(f"{HEADER} cannot be fetched: this machine has no mirror of Debian")
    for part in ("lists/partial", "archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {sites[0]} stable main\n")
    options = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder,
    }
    return [part for name, value in options.items() for part in ("-o", f"{name}={value}")]


@pytest.fixture(scope="module")
def header_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the header."""
    for folder in (Path("/usr/include/onnxruntime"), Path("/usr/include")):
        if (folder / HEADER).exists():
            return folder
    folder = tmp_path_factory.mktemp("onnxruntime")
    here = subprocess.run(
        ["sh", "-c", f"apt-get -q download {PACKAGE}"], cwd=folder, capture_output=True, check=False
    )
    if here.returncode != 0:
        options = stable_options(folder)
        run("apt-get", *options, "-q", "update", folder=folder)
        run("apt-get", *options, "-q", "download", PACKAGE, folder=folder)
    (package,) = folder.glob("*.deb")
    run("dpkg-deb", "-x", str(package), "content", folder=folder)
    return next((folder / "content").rglob(HEADER)).parent


def compile_check(core: Path, header_folder: Path) -> subprocess.CompletedProcess[str]:
    compiler = shutil.which("c++")
    assert compiler
    source = ROOT / "cpp/tests/ort_header/check.cpp"
    folders = ["-I", str(core), "-isystem", str(header_folder)]
    return subprocess.run(
        [compiler, "-std=c++17", "-fsyntax-only", "-Wall", *folders, str(source)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_what_the_header_says(header_folder: Path) -> None:
    done = compile_check(ROOT / "cpp/core", header_folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("X(24, ", "X(25, "), "SetIntraOpNumThreads is not there"),
        (
            (
                "SetIntraOpNumThreads, (OrtSessionOptions*, int)",
                "SetIntraOpNumThreads, (OrtSessionOptions*, long)",
            ),
            "SetIntraOpNumThreads takes or gives something else",
        ),
        (("kOrtTensorInt64 = 7", "kOrtTensorInt64 = 6"), "kOrtTensorInt64"),
        (
            (
                "KernelComputeV2)(void* kernel, OrtKernelContext*)",
                "KernelComputeV2)(void* kernel, const OrtKernelContext*)",
            ),
            "KernelComputeV2 takes or gives something else",
        ),
        (("  int (*GetInputType)(const OrtCustomOp*, std::size_t index);\n", ""), "GetInputType"),
    ],
)
def test_what_is_not_is_found(
    header_folder: Path, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    texts = {
        name: (ROOT / "cpp/core" / name).read_text() for name in ("ort_api.h", "ort_custom_op.h")
    }
    assert sum(text.count(change[0]) for text in texts.values()) == 1
    for name, text in texts.items():
        (tmp_path / name).write_text(text.replace(*change))
    done = compile_check(tmp_path, header_folder)
    assert done.returncode != 0
    assert words in done.stderr
