"""The algorithms come into Essentia whatever else hooks into Python's imports."""

import sys

import pytest

from essentia_helpers import run_python

pytestmark = pytest.mark.slow

CHECK = """
import essentia.standard as es, essentia.streaming as ess
for module in (es, ess):
    for name in ("OnnxPredictMAEST", "OnnxPredict2D"):
        assert getattr(module, name)().name() == name, name
import essentia_maest
assert essentia_maest.essentia_available()
"""

# Finders of other packages (wrapt, for one, works like the first).
ASKS_EVERYONE = """
import importlib.util, sys
class Finder:
    busy = set()
    seen = []
    def find_spec(self, name, path=None, target=None):
        if name in self.busy:
            return None
        self.busy.add(name)
        try:
            self.seen.append(name)
            return importlib.util.find_spec(name)
        finally:
            self.busy.discard(name)
"""
ASKS_THE_OTHERS = """
import sys
class Finder:
    seen = []
    def find_spec(self, name, path=None, target=None):
        self.seen.append(name)
        for finder in list(sys.meta_path):
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
"""
LAZY = """
import importlib.util, sys
class Finder:
    seen = []
    def find_spec(self, name, path=None, target=None):
        if not name.startswith("essentia.st"):
            return None
        self.seen.append(name)
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    spec.loader = importlib.util.LazyLoader(spec.loader)
                    return spec
"""


@pytest.mark.parametrize("finder", [ASKS_EVERYONE, ASKS_THE_OTHERS, LAZY])
@pytest.mark.parametrize(("place", "first"), [("0", False), ("len(sys.meta_path)", True)])
def test_other_finders(finder: str, place: str, first: bool) -> None:
    hook = f"{finder}\nsys.meta_path.insert({place}, Finder())\n"
    package = "import essentia_maest\n"
    done = run_python((hook + package if first else package + hook) + CHECK)
    assert "Traceback" not in done.stderr


def test_what_a_spec_can_tell_before_anything_is_executed() -> None:
    run_python(
        """
import importlib.util, sys, copy, essentia_maest
spec = importlib.util.find_spec("essentia.standard")
assert "essentia.standard" not in sys.modules
assert "def _create_essentia_class" in spec.loader.get_source("essentia.standard")
assert spec.loader.get_code("essentia.standard").co_filename == spec.origin
assert spec.loader.get_filename() == spec.origin
assert not spec.loader.is_package("essentia.standard")
assert copy.copy(spec.loader).get_filename() == spec.origin
"""
        + CHECK
    )


def test_reloading() -> None:
    done = run_python(
        "import importlib, essentia_maest, essentia.standard, essentia.streaming\n"
        "from essentia_maest.plugin import library, registration\n"
        "for module in (essentia.standard, essentia.streaming, library, registration,\n"
        "               essentia_maest, essentia.streaming, essentia.standard):\n"
        "    importlib.reload(module)\n" + CHECK + "import sys\n"
        "watchers = [f for f in sys.meta_path if type(f).__name__ == '_Watcher'\n"
        "            and 'registration' in type(f).__module__]\n"
        "assert len(watchers) == 1\n"
    )
    assert "Overwriting" not in done.stderr
    assert "not of essentia-maest" not in done.stderr


@pytest.mark.parametrize("imported", ["", "import essentia.standard\n"])
def test_importing_the_package_anew(imported: str) -> None:
    """As plugins of editors and notebooks do: the old modules are forgotten."""
    done = run_python(
        f"""
import gc, sys, essentia_maest
{imported}
for name in [name for name in sys.modules if name.partition(".")[0] == "essentia_maest"]:
    if not name.endswith("._core"):
        del sys.modules[name]
del essentia_maest
gc.collect()
import essentia_maest
"""
        + CHECK
        + """
assert sum(type(f).__module__ == "essentia_maest.plugin.registration" for f in sys.meta_path) == 1
assert es.OnnxPredictMAEST(graphFilename="default").paramValue("graphFilename") == "default"
"""
    )
    assert "Overwriting" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["standard", "streaming"])
def test_essentia_is_being_imported_in_another_thread(module: str) -> None:
    """That import began before ours, so nobody watches it: ours waits for it."""
    run_python(
        f"""
import sys, threading, time
def work():
    import essentia.{module}
thread = threading.Thread(target=work)
thread.start()
while "essentia.{module}" not in sys.modules:
    time.sleep(0.001)
assert sys.modules["essentia.{module}"].__spec__._initializing
import essentia_maest
thread.join()
import essentia.{module} as it
assert it.OnnxPredictMAEST().name() == "OnnxPredictMAEST"
"""
    )


def test_essentia_and_the_package_at_once() -> None:
    """Each waits for locks that the other holds."""
    for pause in (0, 0.2):
        run_python(
            f"""
import faulthandler, threading, time
faulthandler.dump_traceback_later(60, exit=True)
def first():
    import essentia.standard, essentia_maest
def second():
    time.sleep({pause})
    import essentia_maest, essentia.streaming
threads = [threading.Thread(target=work) for work in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
            + CHECK
        )


INTERPRETERS = {True: "_interpreters", False: "_xxsubinterpreters"}[sys.version_info >= (3, 13)]


def test_a_second_interpreter_in_the_process() -> None:
    """There the package, or NumPy below it, may refuse; the first interpreter goes on."""
    pytest.importorskip(INTERPRETERS)
    code = "try:\\n import essentia_maest\\nexcept ImportError as error:\\n print(error)\\n"
    run_python(
        f"import {INTERPRETERS} as interpreters, essentia_maest\n"
        + CHECK
        + "second = interpreters.create()\n"
        f"interpreters.run_string(second, '{code}')\n"
        "interpreters.destroy(second)\n"
        "import numpy as np\n"
        "audio = np.ones(16000 * 11, np.float32)\n"
        "assert es.OnnxPredictMAEST(graphFilename='default')(audio).shape[0] == 1\n" + CHECK
    )
