"""An Essentia that has algorithms of its own with our names keeps them, and ours are there too.

The other algorithms are this plugin under changed words: Essentia takes it for a plugin of another
maker, which has been loaded first.
"""

import pytest

from essentia_helpers import run_python
from untrained import UNTRAINED

pytestmark = pytest.mark.slow

OTHERS_DESCRIPTION = "Another makes predictions"

SET_UP = f"""
import essentia_maest as maest
from essentia_maest.plugin import library
import ctypes, os, pathlib
import essentia, essentia._essentia
essentia.log.infoActive = essentia.log.warningActive = False

def load_another(*unlike):
    image = library.PLUGIN.read_bytes()
    changes = [(b"This algorithm makes predictions", b"{OTHERS_DESCRIPTION}       "),
               (b"MaestOnnxPredict", b"OtherOnnxPredict"), *unlike]
    for old, new in changes:
        assert old in image and len(old) == len(new)
        image = image.replace(old, new)
    path = pathlib.Path(essentia._essentia.__file__).resolve()
    other = library._open_beside(path, image)
    other.essentia_maest_register.restype = ctypes.c_char_p
    assert other.essentia_maest_register(b"") is None
    os.open(os.devnull, os.O_RDONLY)  # the next copy in memory is to have a path of its own

def is_others(algorithm):
    structure = algorithm if isinstance(algorithm, dict) else algorithm.__struct__
    return structure["description"].startswith({OTHERS_DESCRIPTION!r})

import numpy as np
audio = (0.1 * np.random.default_rng(0).standard_normal(16000 * 11)).astype(np.float32)
file = {str(UNTRAINED)!r}
"""

CHECK_OURS = """
import warnings; warnings.simplefilter("ignore")
ours = es.MaestOnnxPredictMAEST(graphFilename=file)
assert ours.name() == "MaestOnnxPredictMAEST"
assert np.array_equal(ours(audio)[:, 0, 0], maest.Model(file).predict(audio, tail="discard"))
assert not is_others(es.MaestOnnxPredict2D)
source, pool = ess.VectorInput(audio), essentia.Pool()
predict = ess.MaestOnnxPredictMAEST(graphFilename=file)
source.data >> predict.signal
predict.predictions >> (pool, "p")
essentia.run(source)
assert np.array_equal(np.concatenate(pool["p"]), ours(audio))
maest.require_essentia()
assert maest.essentia_available()
"""


def test_factories_keep_what_they_have() -> None:
    done = run_python(
        SET_UP
        + """
load_another()
import essentia.standard as es, essentia.streaming as ess
for module in (es, ess):
    for name in ("OnnxPredictMAEST", "OnnxPredict2D"):
        assert is_others(getattr(module, name)), name
        assert is_others(module.algorithmInfo(name)), name
        assert not is_others(module.algorithmInfo("Maest" + name)), name
"""
        + CHECK_OURS
    )
    for module in ("standard", "streaming"):
        for name in ("OnnxPredictMAEST", "OnnxPredict2D"):
            line = f"essentia.{module} has an algorithm {name} that is not of essentia-maest"
            assert done.stderr.count(line) == 1
    assert done.stderr.count("that of essentia-maest is MaestOnnxPredict2D") == 2
    assert "Overwriting" not in done.stderr


def test_each_name_by_itself() -> None:
    done = run_python(
        SET_UP
        + """
load_another((b"OnnxPredict2D", b"OtherThing-2D"))
import essentia.streaming as ess, essentia.standard as es
for module in (es, ess):
    assert is_others(module.OnnxPredictMAEST)
    assert not is_others(module.OnnxPredict2D)
    assert module.OnnxPredict2D().name() == "OnnxPredict2D"
"""
        + CHECK_OURS
    )
    assert "OnnxPredict2D that" not in done.stderr


@pytest.mark.parametrize(
    ("module", "name", "first"),
    [
        ("standard", "OnnxPredictMAEST", True),
        ("streaming", "OnnxPredict2D", True),
        ("standard", "OnnxPredict2D", False),
        ("streaming", "OnnxPredictMAEST", False),
    ],
)
def test_classes_of_essentias_python_stay(module: str, name: str, first: bool) -> None:
    """A class without an entry in the factory: each mode and name by itself."""
    put_it = f"import essentia.{module} as it\nclass Theirs: pass\nit.{name} = Theirs\n"
    if first:  # before the package is imported
        start = put_it + SET_UP
    else:  # while Essentia's module is executed
        start = SET_UP + (
            f"import importlib.util\nspec = importlib.util.find_spec('essentia.{module}')\n"
            "it = importlib.util.module_from_spec(spec)\n"
            f"class Theirs: pass\nit.{name} = Theirs\n"
            f"import sys; sys.modules[it.__name__] = it\n"
            "plain = spec.loader._loader.exec_module\n"
            f"def run(module):\n    plain(module)\n    module.{name} = Theirs\n"
            "spec.loader._loader.exec_module = run\n"
            "spec.loader.exec_module(it)\n"
            f"import essentia; essentia.{module} = it\n"
        )
    done = run_python(
        start
        + f"""
import essentia.standard as es, essentia.streaming as ess
assert it is (es if {module!r} == "standard" else ess)
taken = []
for place in (es, ess):
    for name in ("OnnxPredictMAEST", "OnnxPredict2D"):
        if getattr(place, name) is Theirs:
            taken.append((place.__name__, name))
        else:
            assert getattr(place, name)().name() == name
assert taken == [("essentia.{module}", {name!r})], taken
assert not hasattr(Theirs, "compute")
"""
        + CHECK_OURS
    )
    line = f"essentia.{module} has an algorithm {name} that is not of essentia-maest"
    assert done.stderr.count(line) == 1
    assert done.stderr.count("not of essentia-maest") == 1


def test_the_message_can_be_switched_off() -> None:
    done = run_python(
        "import logging; logging.getLogger('essentia_maest').setLevel(logging.ERROR)\n"
        + SET_UP
        + "load_another()\nimport essentia.standard as es, essentia.streaming as ess\n"
        + CHECK_OURS
    )
    assert "not of essentia-maest" not in done.stderr


def test_second_names_are_there_without_a_conflict() -> None:
    done = run_python(
        SET_UP
        + "import essentia.standard as es, essentia.streaming as ess\n"
        + CHECK_OURS
        + """
for module in (es, ess):
    assert {"OnnxPredict2D", "MaestOnnxPredict2D"} <= set(module.algorithmNames())
assert np.array_equal(es.OnnxPredictMAEST(graphFilename=file)(audio), ours(audio))
"""
    )
    assert "not of essentia-maest" not in done.stderr
