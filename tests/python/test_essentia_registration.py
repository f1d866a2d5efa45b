"""How the algorithms come into Essentia, and what happens to an Essentia that cannot take them."""

import ctypes
import inspect
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import essentia_maest as maest
from essentia_helpers import run_python
from essentia_maest.plugin import essentia_build
from essentia_maest.plugin.library import PLUGIN
from untrained import UNTRAINED

USE = f"""
import numpy as np
audio = np.ones(16000 * 10, np.float32)
file = {str(UNTRAINED)!r}
import warnings; warnings.simplefilter("ignore")
predicted = maest.Model(file).predict(audio, tail="discard")
if "es" in globals():
    assert (es.OnnxPredictMAEST(graphFilename=file)(audio)[:, 0, 0] == predicted).all()
    assert es.OnnxPredict2D().name() == "OnnxPredict2D"
    assert "OnnxPredictMAEST" in es.algorithmNames()
if "ess" in globals():
    assert ess.OnnxPredictMAEST(graphFilename=file).name() == "OnnxPredictMAEST"
    assert ess.OnnxPredict2D().name() == "OnnxPredict2D"
    assert "OnnxPredict2D" in ess.algorithmNames()
assert maest.essentia_available()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import essentia_maest as maest; import essentia.standard as es",
        "import essentia.standard as es; import essentia_maest as maest",
        "import essentia_maest as maest; import essentia.streaming as ess",
        "import essentia.streaming as ess; import essentia_maest as maest",
        "import essentia_maest as maest; import essentia.standard as es; "
        "import essentia.streaming as ess",
        "import essentia.streaming as ess; import essentia_maest as maest; "
        "import essentia.standard as es",
        "import essentia; import essentia_maest as maest; import essentia.standard as es",
        "import essentia_maest as maest; from essentia.standard import *; "
        "OnnxPredictMAEST; import essentia.standard as es",
        "import essentia_maest as maest; maest.require_essentia(); import essentia.standard as es",
        "import importlib, essentia_maest as maest; import essentia.standard as es; "
        "importlib.reload(maest); importlib.reload(es)",
    ],
)
def test_any_order_of_imports(imports: str) -> None:
    run_python(imports + USE)


# TensorFlow, which is in essentia-tensorflow, prints when it is imported.
QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


def test_importing_is_light_and_silent() -> None:
    done = run_python(
        "import sys, essentia_maest\n"
        "heavy = {'essentia', 'elftools', 'onnx', 'onnxruntime', 'torch', 'rich', 'pebble'}\n"
        "assert not heavy & set(sys.modules)\n"
        "import essentia\n"
        "log = essentia.log\n"
        "def levels():\n"
        "    return log.infoActive, log.warningActive, log.errorActive, int(log.debugLevels)\n"
        "found = levels()\n"
        "log.infoActive = False\n"  # the one line that Essentia itself prints
        "import essentia.standard, essentia.streaming\n"
        "assert not log.infoActive\n"
        "log.infoActive = True\n"
        "assert essentia_maest.essentia_available()\n"
        "assert levels() == found",
        env=QUIET,
    )
    assert done.stdout + done.stderr == ""


def test_asking_imports_essentia_silently() -> None:
    done = run_python(
        "import essentia_maest; assert essentia_maest.essentia_available()", env=QUIET
    )
    assert done.stdout + done.stderr == ""


def test_importers_see_what_they_would_see_without_us() -> None:
    run_python(
        "import importlib.machinery, inspect, essentia_maest, essentia.standard as es\n"
        "assert type(es.__loader__) is importlib.machinery.SourceFileLoader\n"
        "assert es.__spec__.loader is es.__loader__\n"
        "assert 'def _create_essentia_class' in inspect.getsource(es)"
    )


def test_essentias_libraries_are_not_given_to_everyone() -> None:
    """Essentia carries FFmpeg: a later PyAV that found it would crash."""
    maest.require_essentia()
    import essentia._essentia

    assert hasattr(ctypes.PyDLL(essentia._essentia.__file__), "avcodec_open2")
    assert not hasattr(ctypes.CDLL(None), "avcodec_open2")
    exported = subprocess.run(
        ["nm", "-D", "--defined-only", PLUGIN], capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[-1] for line in exported.splitlines()} == {
        "essentia_maest_end",
        "essentia_maest_register",
        "essentia_maest_raise_interruption",
        "essentia_maest_use_model_names",
        "essentia_maest_use_python",
    }


def test_documentation() -> None:
    maest.require_essentia()
    import essentia.standard as es
    import essentia.streaming as ess

    for module in (es, ess):
        text = inspect.getdoc(module.OnnxPredictMAEST)
        for words in [
            "[vector_real] signal" if module is es else "[real] signal",
            "[tensor_real] predictions",
            "patchHopSize:", "integer ∈ [-1,inf) (default = -1)", "lastPatchMode:",
            "string ∈ {discard,repeat,pad} (default = \"discard\")", "batchSize:", "patchout:",
            "block:", "tokens:", "threads:", "[patches, 1, 1, classes]",
            "MonoLoader(sampleRate=16000, resampleQuality=4) >> OnnxPredictMAEST",
            "Alonso-Jiménez, P., Serra, X., & Bogdanov, D. (2023)", "ISMIR 2023",
        ]:  # fmt: skip
            assert words in text, words
        head = inspect.getdoc(module.OnnxPredict2D)
        assert "OnnxPredict2D(graphFilename='genre_discogs400.onnx')" in head
        assert "inputType:" in head
        parameters = [each["name"] for each in module.OnnxPredictMAEST.__struct__["parameters"]]
        assert sorted(parameters) == sorted(set(parameters))
        assert module.OnnxPredictMAEST.__struct__["category"] == "Machine Learning"


# Essentias that cannot take the algorithms


def compile_fake(folder: Path, source: str, *options: str) -> Path:
    """A package `essentia` whose library is `source` compiled by cc."""
    package = folder / "essentia"
    package.mkdir()
    (package / "_essentia.py").write_text(
        "from pathlib import Path\n__file__ = str(Path(__file__).with_name('library.so'))\n"
    )
    for module in ("standard", "streaming"):
        (package / f"{module}.py").write_text("")
    (package / "__init__.py").write_text(
        "from . import _essentia\nclass log:\n    infoActive = warningActive = errorActive = True\n"
    )
    code = folder / "fake.cpp"
    code.write_text(source)
    command = ["c++", "-shared", "-fPIC", *options, "-o", package / "library.so", code]
    subprocess.run(command, check=True)
    return folder


NEW_STRINGS = """
#include <string>
namespace essentia {
struct Parameter {};
struct Configurable {
  void declareParameter(const std::string&, const std::string&, const std::string&,
                        const Parameter&);
};
void Configurable::declareParameter(const std::string&, const std::string&, const std::string&,
                                    const Parameter&) {}
}
"""
# What it would do if it were loaded: the process would not survive.
CRASHES = "__attribute__((constructor)) static void crash() { __builtin_trap(); }\n"


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("", [], "does not export Essentia's"),
        (NEW_STRINGS, ["-fvisibility=hidden"], "does not export Essentia's"),
        (NEW_STRINGS, ["-D_GLIBCXX_USE_CXX11_ABI=1"], "newer layout of std::string"),
        (NEW_STRINGS, ["-D_GLIBCXX_USE_CXX11_ABI=0"], "it lacks .* symbols, among them _Z"),
        (NEW_STRINGS, ["-D_GLIBCXX_USE_CXX11_ABI=0", "-Wl,--hash-style=sysv"], "it lacks"),
    ],
)
def test_unsupported_essentia(tmp_path: Path, source: str, options: list[str], words: str) -> None:
    compile_fake(tmp_path, CRASHES + source, *options)
    done = run_python(
        f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import essentia_maest as maest
import essentia.standard as es
assert not hasattr(es, "OnnxPredictMAEST")
assert not maest.essentia_available()
try:
    maest.require_essentia()
except ImportError as error:
    assert isinstance(error, maest.UnsupportedEssentiaError)
    print(error)
del es, maest.essentia_available
import numpy as np, warnings; warnings.simplefilter("ignore")
assert maest.Model({str(UNTRAINED)!r}).predict(np.ones(16000 * 10, np.float32)).shape == (1, 400)
"""
    )
    assert re.search(words, done.stdout), done.stdout
    assert "library.so cannot take the algorithms of essentia-maest" in done.stdout
    assert "supported are the PyPI wheels" in done.stdout
    assert done.stderr == ""


def test_no_essentia_at_all(tmp_path: Path) -> None:
    (tmp_path / "essentia.py").write_text("raise ImportError('broken installation')")
    done = run_python(
        f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import essentia_maest as maest
assert not maest.essentia_available()
try:
    maest.require_essentia()
except maest.UnsupportedEssentiaError as error:
    print(error)
import numpy as np, warnings; warnings.simplefilter("ignore")
assert maest.Model({str(UNTRAINED)!r}).predict(np.ones(16000 * 10, np.float32)).shape == (1, 400)
"""
    )
    assert "Essentia cannot be imported: broken installation" in done.stdout
    assert done.stderr == ""


def supported_library() -> Path:
    maest.require_essentia()
    import essentia._essentia

    return Path(essentia._essentia.__file__)


def test_reading_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = supported_library()
    assert essentia_build.reason_against(library, PLUGIN) == ""

    (tmp_path / "text.so").write_text("no library")
    assert "cannot be read" in essentia_build.reason_against(tmp_path / "text.so", PLUGIN)
    assert "cannot be read" in essentia_build.reason_against(tmp_path / "missing.so", PLUGIN)

    other = tmp_path / "other.so"
    content = bytearray(PLUGIN.read_bytes())
    content[18:20] = (243).to_bytes(2, "little")  # RISC-V
    other.write_bytes(content)
    reason = essentia_build.reason_against(other, PLUGIN)
    assert "it is for EM_RISCV and the plugin for EM_X86_64" in reason

    monkeypatch.setitem(essentia_build._VIRTUAL_TABLES, "_ZTVN8essentia12ConfigurableE", 72)
    assert "has 64 bytes, 72 are wanted" in essentia_build.reason_against(library, PLUGIN)
    monkeypatch.setattr(essentia_build.platform, "machine", lambda: "ppc64le")
    assert "Linux on ppc64le" in essentia_build.reason_against(library, PLUGIN)


@pytest.mark.parametrize("part", [0.001, 0.2, 0.9])
def test_truncated_libraries(tmp_path: Path, part: float) -> None:
    library = tmp_path / "library.so"
    shutil.copy(supported_library(), library)
    with library.open("r+b") as file:
        file.truncate(int(library.stat().st_size * part))
    assert "cannot take" in essentia_build.reason_against(library, PLUGIN)
