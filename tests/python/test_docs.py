"""The documents: nothing public or settable is left out, and what they name exists."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

import essentia_maest as maest
from essentia_maest.commands.arguments import make_parser
from lab.cli import COMMANDS as LAB
from training.cli import COMMANDS as TRAINING

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md")]
    if "results" not in path.parts
]
SOURCES = [
    path
    for room in ("python", "cpp", "training", "lab", "cmake")
    for path in (ROOT / room).rglob("*")
    if path.suffix in {".py", ".cpp", ".h", ".cmake", ".in"}
] + [ROOT / "CMakeLists.txt"]


def text_of(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_every_public_name(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    described = set(re.findall(r'<h3 id="essentia_maest\.(\w+)"', page))
    assert described == set(maest.__all__)


@pytest.mark.slow
def test_the_site_fetches_nothing(site: Path) -> None:
    """It is read offline: no script, style, font or picture of another host."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        if page.name == "404.html":  # shown at any depth, so its addresses begin at the root
            continue
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?([^\s\">]+)", text)
        for link in re.findall(r"<link\b[^>]*>", text):
            if re.search(r"rel=\"?(?:stylesheet|icon|preload|preconnect)", link):
                loaded += re.findall(r"href=\"?([^\s\">]+)", link)
        assert loaded
        for address in loaded:
            assert not re.match(r"(?:\w+:)?//", address), (page.name, address)
            assert (page.parent / address.split("?")[0].split("#")[0]).exists(), address
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text())


def test_every_variable_is_on_the_page() -> None:
    code = text_of(*SOURCES)
    page = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    variables = set(re.findall(r"\bESSENTIA_MAEST_[A-Z_]+[A-Z]\b", code))
    read = r"(?:getenv\(\s*|environ\.get\(|environ\[|environment\()\"([A-Z][A-Z_]+)\""
    variables |= set(re.findall(read, code)) - {
        "PATH",
        "HOME",
        "PYTHONPATH",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
    }
    options = set(re.findall(r"\boption\((MAEST_\w+)", code))
    options |= set(re.findall(r"\bset\((MAEST_\w+)[^)]*\bCACHE\b", code))
    options |= {"MAEST_ESSENTIA_INCLUDE", "MAEST_EIGEN_INCLUDE"}
    assert {"ESSENTIA_MAEST_ISA", "LOCAL_RANK"} <= variables
    assert len(options) >= 7
    assert variables | options <= named, (variables | options) - named


def test_commands_in_the_documents_exist() -> None:
    text = text_of(*DOCUMENTS)
    actions = make_parser()._subparsers
    assert actions is not None
    ours = {name for action in actions._group_actions for name in action.choices or ()}
    called = set(re.findall(r"^(?:\S*/)?maest ([a-z]\w*)", text, re.MULTILINE))
    assert {"analyze", "convert"} <= called
    assert called <= ours
    for module, commands in (("training", TRAINING), ("lab", LAB)):
        lines = re.findall(rf"python -m {module} ((?:[a-z][a-z0-9]* ?)+)", text)
        assert lines
        for line in lines:
            words = line.split()
            groups = {name.split()[0] for name in commands} if len(words) == 1 else set()
            assert {" ".join(words[:2]), words[0]} & {*commands, *groups}, line
    for module in set(re.findall(r"python -m ((?:lab|training)(?:\.\w+)+)", text)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_paths_in_the_documents_exist() -> None:
    """Files and folders of the repository that the documents name in code font or link to."""
    missing = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        rooms = r"(?:cpp|python|training|lab|models|tests|docs|cmake|\.ci)"
        named = [(ROOT, path) for path in re.findall(rf"`({rooms}/[\w./-]+)`", text)]
        links = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", text)
        named += [(document.parent, path) for path in links]
        missing += [
            (document.name, path) for base, path in named if not (base / path).resolve().exists()
        ]
    assert missing == []


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == maest.__version__
    assert citation["license"] == "AGPL-3.0-or-later"
    assert citation["preferred-citation"]["title"] in " ".join(text_of(ROOT / "README.md").split())


def test_neighbours_clusters_a_map_and_a_playlist_take_eight_lines() -> None:
    page = (ROOT / "docs" / "guides" / "use_the_results.md").read_text(encoding="utf-8")
    block = page.split("```python\n")[1].split("```")[0]
    assert len([line for line in block.splitlines() if line]) <= 8
    for name in ("open_results", "Neighbours", "KMeans", "PCA", "route"):
        assert name in block


def readme_line(number: int) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / ".ci" / "readme_line"), str(number)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_ci_takes_the_two_lines_of_set_up_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [readme_line(number).stdout for number in (1, 2)]
    assert all(line in readme for line in lines)
    assert lines[0].endswith("maest analyze --example -o results\n")
    assert lines[1].endswith("pytest\n")
    beyond = readme_line(3)
    assert beyond.returncode != 0
    assert "README.md" in beyond.stderr


def test_the_size_that_the_readme_tells() -> None:
    record = distribution("essentia-maest").read_text("direct_url.json") or ""
    if '"editable": true' in record:
        pytest.skip("an editable installation has its files elsewhere")
    package = Path(maest.__file__).parent
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    size = sum(path.stat().st_size for path in files) / 1e6
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.search(r"The package takes (\d+\.\d) MB", readme)
    assert told
    assert size == pytest.approx(float(told[1]), rel=0.1)
