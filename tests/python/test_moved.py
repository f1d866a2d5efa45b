"""Names of before 0.2 lead to the modules of today, with a warning."""

import importlib
import subprocess
import sys

import pytest

import essentia_maest as maest
from essentia_maest.moved import MOVED


@pytest.mark.parametrize("earlier", sorted(MOVED))
def test_an_earlier_module_is_the_one_of_today(earlier: str) -> None:
    sys.modules.pop(f"essentia_maest.{earlier}", None)
    with pytest.warns(DeprecationWarning, match=f"essentia_maest.{earlier} is now"):
        found = importlib.import_module(f"essentia_maest.{earlier}")
    now = importlib.import_module(f"essentia_maest.{MOVED[earlier]}")
    assert found.__doc__ == now.__doc__
    for name in vars(now):
        if not name.startswith("__"):
            assert getattr(found, name) is getattr(now, name)


def test_the_function_convert_outlives_the_module_of_its_name() -> None:
    program = (
        "import essentia_maest as maest\n"
        "from essentia_maest.convert import convert_random\n"
        "import essentia_maest.convert\n"
        "try:\n    maest.convert('missing', 'x.onnx')\n"
        "except maest.MaestError as error:\n    print('called', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("called")
    assert callable(maest.convert)


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("essentia_maest.never_was")


def test_importing_the_package_loads_nothing_that_makes_models() -> None:
    program = (
        "import sys, essentia_maest\n"
        "print([name for name in sys.modules if name.startswith(("
        "'essentia_maest.making', 'essentia_maest.collection', 'essentia_maest.commands', "
        "'onnx', 'torch', 'rich', 'pebble', 'pandas', 'pyarrow', 'essentia.'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
