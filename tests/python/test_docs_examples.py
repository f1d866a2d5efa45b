"""README and the pages of docs/guides: every block of code that can run here is run, in order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil.document import Document
from sybil.example import Example
from sybil.parsers.markdown import CodeBlockParser, SkipParser

import essentia_maest as maest
from audio_fixtures import write_audio
from checkpoint_files import (
    LABELS,
    export_official,
    save_folder,
    save_lightning,
    small_ast,
    small_maest,
)
from untrained import UNTRAINED

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages name. The names are the pages' only."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "music").mkdir()
    write_audio(folder / "music" / "one.wav", 12, 44100, 2)
    write_audio(folder / "music" / "two.wav", 3, 22050, 1)
    for number in range(6):
        place = folder / "labelled" / ("calm" if number % 2 else "loud") / f"{number}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_audio(place, 2, 16000, 1, seed=number)
    write_audio(folder / "song.wav", 25, 44100, 2)
    write_audio(folder / "song.mp3", 25, 44100, 2, "MPEG_LAYER_III")
    for name in ("maest-30s.onnx", "discogs-maest-30s-pw-2.onnx"):
        shutil.copy(UNTRAINED, folder / name)
    export_official(folder / "discogs-maest-30s-pw-519l-2.onnx")
    save_folder(folder / "discogs-maest-30s-pw-129e-519l", small_ast())
    save_lightning(folder / "discogs-maest-30s-pw-129e.ckpt", small_maest().state_dict())
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return folder


@pytest.fixture
def scene(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with those files, and this environment's programs within reach."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    # Where Ray looks for a cluster on this machine: that of other tests, at the same time, is not
    # for these. The names of its sockets have to be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield tmp_path


def run_python(example: Example) -> None:
    """Run a block in the page's namespace, or as a program, or write the file that it names."""
    text = str(example.parsed)
    named = re.match(r"# (\w[\w.]*\.py)\n", text)
    if named:
        Path(named[1]).write_text(text)
    elif "__main__" in text:
        Path("program.py").write_text(text)
        subprocess.run([sys.executable, "program.py"], check=True, timeout=120)
    else:
        code = compile("\n" * example.line + text, example.path, "exec")
        exec(code, example.namespace)


def run_shell(example: Example) -> None:
    subprocess.run(["bash", "-euo", "pipefail", "-c", example.parsed], check=True, timeout=300)


def examples(page: Path) -> Iterator[Example]:
    document = Document.parse(
        os.fspath(page),
        CodeBlockParser("python", run_python),
        CodeBlockParser("sh", run_shell),
        SkipParser(),
    )
    yield from document.examples()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_blocks_run(page: Path, scene: Path) -> None:
    ran = 0
    for example in examples(page):
        try:
            example.evaluate()
        except pytest.skip.Exception:  # says why on the page
            continue
        ran += 1
    assert ran >= 1


def test_the_application_of_the_page_on_servers_answers(scene: Path) -> None:
    for example in examples(ROOT / "docs" / "guides" / "servers.md"):
        if str(example.parsed).startswith("# "):
            example.evaluate()
    answer = (
        "from runpy import run_path\n"
        "run_path('gunicorn.conf.py')['post_fork'](None, None)\n"
        "from application import application\n"
        "print(b''.join(application({}, lambda status, headers: print(status))).decode())\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", answer], capture_output=True, text=True, check=True, timeout=120
    )
    model = maest.Model("default")
    activations = model.predict(maest.load_audio(maest.example_audio()), tail="repeat")
    strongest = model.labels[activations.mean(axis=0).argmax()]
    assert found.stdout == f'200 OK\n{{"label": "{strongest}"}}\n'


def test_what_the_readme_says_of_the_clip_is_what_the_model_says() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^(\w+) {2,}((?:[\w ]+ \d\.\d\d(?:, |$))+)$", text, re.MULTILINE)
    assert len(quoted) >= 3
    model = maest.Model("default")
    activations = model.predict(maest.load_audio(maest.example_audio()), tail="repeat")
    found = dict(zip(model.labels, activations.mean(axis=0), strict=True))
    for family, entries in quoted:
        for entry in entries.split(", "):
            label, _, value = entry.rpartition(" ")
            # As far as int8 differs between instruction sets: docs/model_file.md.
            assert found[f"{family}---{label}"] == pytest.approx(float(value), abs=0.02)
