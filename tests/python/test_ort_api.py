"""Positions and signatures of ONNX Runtime's functions as the engine calls them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRY = re.compile(r"X\((\d+), [\w* ]+, (\w+),")


def published_order() -> dict[str, int]:
    lines = (ROOT / "tests/data/ort_c_api_order.tsv").read_text().splitlines()
    return {name: int(index) for index, name in (line.split("\t") for line in lines)}


def test_positions_are_the_published_ones() -> None:
    text = (ROOT / "cpp/core/ort_api.h").read_text()
    ours = {name: int(index) for index, name in ENTRY.findall(text)}
    published = published_order()
    assert len(ours) > 25
    assert ours == {name: published[name] for name in ours}


def test_every_function_is_older_than_the_oldest_runtime_taken() -> None:
    # The table of version 20 ends with SetEpDynamicOptions.
    text = (ROOT / "cpp/core/ort_api.h").read_text()
    last = published_order()["SetEpDynamicOptions"]
    assert all(int(index) <= last for index, _ in ENTRY.findall(text))


def run_python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


OPEN_DEFAULT = """
import warnings; warnings.simplefilter("ignore")
import essentia_maest as maest
try:
    print(maest.Model(num_threads=1))
except maest.OnnxRuntimeError as error:
    print("refused:", error)
"""


def test_onnxruntime_is_not_imported() -> None:
    done = run_python(OPEN_DEFAULT + "import sys; print('onnxruntime' in sys.modules)")
    assert done.stdout.splitlines()[-1] == "False", done.stderr
    assert done.stdout.startswith("<Model")


def test_onnxruntime_tells_nobody(tmp_path: Path) -> None:
    """No identifier of this machine in a file, no session of whoever gathers what is told."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(temporary)}
    told = {"ORT_DISABLE_TELEMETRY": "", "CI": "", "GITHUB_ACTIONS": ""}
    program = "import os\nfor name in " + repr(list(told)) + ": os.environ.pop(name, None)\n"
    done = run_python(program + OPEN_DEFAULT, **places, **told)
    assert done.stdout.startswith("<Model"), done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_both_runtimes_live_in_one_process() -> None:
    done = run_python("import onnxruntime\n" + OPEN_DEFAULT)
    assert done.stdout.startswith("<Model"), done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("library", ["/nonexistent/libonnxruntime.so", __file__])
def test_a_library_that_cannot_be_opened(library: str) -> None:
    done = run_python(OPEN_DEFAULT, ESSENTIA_MAEST_ONNXRUNTIME=library)
    assert done.stdout.startswith("refused: cannot open"), done.stderr
    assert "pip install 'onnxruntime>=1.20'" in done.stdout


@pytest.fixture
def compiled(tmp_path: Path):
    """Build a shared library out of C source."""

    def build(source: str) -> str:
        library = tmp_path / "libonnxruntime.so"
        (tmp_path / "library.c").write_text(source)
        command = ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "library.c")]
        subprocess.run(command, check=True)
        return str(library)

    return build


def test_a_runtime_that_is_too_old(compiled) -> None:
    library = compiled(
        'static const char* version(void) { return "1.19.2"; }\n'
        "static const struct { void* api; const char* (*version)(void); } base = {0, version};\n"
        "const void* OrtGetApiBase(void) { return &base; }\n"
    )
    done = run_python(OPEN_DEFAULT, ESSENTIA_MAEST_ONNXRUNTIME=library)
    assert done.stdout.startswith("refused: found ONNX Runtime 1.19.2"), done.stderr
    assert "1.20 or newer is wanted" in done.stdout


def test_a_library_that_is_no_runtime(compiled) -> None:
    done = run_python(OPEN_DEFAULT, ESSENTIA_MAEST_ONNXRUNTIME=compiled("int nothing;\n"))
    assert "has no OrtGetApiBase" in done.stdout, done.stderr


def test_a_missing_package_is_named() -> None:
    hide = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'onnxruntime' else find(name, *rest)\n"
    )
    done = run_python(hide + OPEN_DEFAULT)
    assert "onnxruntime is not installed" in done.stdout, done.stderr
