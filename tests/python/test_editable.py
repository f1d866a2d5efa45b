"""`pip install -e .` gives a whole package: Python from the source tree, and what is compiled."""

import json
import shutil
import sysconfig
import venv
from pathlib import Path

import pytest

from builds import ROOT, run

pytestmark = pytest.mark.slow

REPORT = """
import json, essentia_maest as maest, numpy as np
from essentia_maest import _core
from essentia_maest.plugin.registration import require_essentia
refusal = ""
try:
    require_essentia()
except ImportError as error:
    refusal = str(error)
shape = maest.Model("default").predict(np.zeros(160000, np.float32)).shape
print(json.dumps([maest.__file__, _core.__file__, shape, refusal]))
"""


class Editable:
    """A virtual environment that has what this one has, and the package as an editable one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.source = folder / "source"  # a copy, to be edited
        left_out = shutil.ignore_patterns(
            ".*", "build", "__pycache__", "tests", "docs", "lab", "results"
        )
        shutil.copytree(ROOT, self.source, ignore=left_out)
        venv.create(folder / "venv")
        self._python = folder / "venv/bin/python"
        (site,) = (folder / "venv/lib").glob("python*/site-packages")
        this = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        lines = [f"import site; site.addsitedir({place!r})" for place in dict.fromkeys(this)]
        (site / "this_environment.pth").write_text("\n".join(lines))

    def install(self, *options: str) -> None:
        command = [
            str(self._python), "-m", "pip", "install", "--no-deps", "--no-build-isolation",
            "--force-reinstall", "-C", f"build-dir={self._folder / 'build'}", *options,
            "-C", "editable.rebuild=true", "-e", str(self.source),
        ]  # fmt: skip
        run(command, self._folder)

    def last_line(self, code: str) -> str:
        return run([str(self._python), "-c", code], self._folder).splitlines()[-1]

    def report(self) -> tuple[Path, Path, list[int], str]:
        package, module, shape, refusal = json.loads(self.last_line(REPORT))
        return Path(package), Path(module), shape, refusal


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Editable:
    made = Editable(tmp_path_factory.mktemp("editable"))
    made.install()
    return made


def test_editable_package_is_whole(editable: Editable) -> None:
    package, module, shape, refusal = editable.report()
    assert package.parent == editable.source / "python/essentia_maest"
    assert editable.source not in module.parents
    assert shape == [1, 157]
    assert refusal == ""


def test_next_import_has_an_edit_of_python_or_cpp(editable: Editable) -> None:
    with (editable.source / "python/essentia_maest/example.py").open("a") as file:
        file.write("\nEDITED = 'yes'\n")
    engine = editable.source / "cpp/core/threads.cpp"
    text = engine.read_text()
    begin = "int available_cpus() {"
    assert text.count(begin) == 1
    engine.write_text(text.replace(begin, f"{begin} if (CPU_SETSIZE > 0) return 4321;"))
    code = (
        "from essentia_maest import _core, example; print(example.EDITED, _core.available_cpus())"
    )
    assert editable.last_line(code) == "yes 4321"
    engine.write_text(text)


def test_package_without_the_plugin_works_and_says_so(editable: Editable) -> None:
    # The same string layout: what is compiled already serves.
    editable.install(
        "-C", "cmake.define.MAEST_BUILD_ESSENTIA_PLUGIN=OFF", "-C", "cmake.define.MAEST_CXX11_ABI=0"
    )  # fmt: skip
    _, module, shape, refusal = editable.report()
    assert not module.with_name("_essentia_plugin.so").exists()
    assert shape == [1, 157]
    assert "it was built without the Essentia algorithms" in refusal
