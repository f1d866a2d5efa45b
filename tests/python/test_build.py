"""Configuring the build where something is missing: one sentence says what, and what to do."""

import http.server
import os
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from builds import ROOT, attempt, configure, environment, program, run

SOURCE = "essentia==2.1b6.dev234"
ARCHIVE = "essentia-2.1b6.dev234.tar.gz"
DEAD = "http://127.0.0.1:9/simple"
INDEX = "http://127.0.0.7:9"  # known to the proxy; plain http is for loopback and trusted hosts


def untold(**settings: str) -> dict[str, str]:
    """Return variables by which pip is told nothing but `settings`."""
    kept = {key: value for key, value in environment().items() if not key.startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, **settings}


def words(text: str) -> str:
    """CMake breaks lines where it likes."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Essentia's sources, from wherever this machine's pip gets packages."""
    folder = tmp_path_factory.mktemp("archive")
    run([sys.executable, str(ROOT / "cmake/fetch_source.py"), SOURCE, str(folder)], folder)
    return folder / ARCHIVE


def fetch(folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "cmake/fetch_source.py"), SOURCE, str(folder / "found")]
    return attempt(command, folder, variables)


class _Index(http.server.BaseHTTPRequestHandler):
    """A proxy that knows one index, at an address where nothing listens."""

    archive: Path
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if not self.path.startswith(INDEX):
            self.send_error(404)
            return
        if self.path.endswith(f"/{ARCHIVE}"):
            body, kind = self.archive.read_bytes(), "application/gzip"
        else:
            body, kind = f'<a href="/files/{ARCHIVE}">{ARCHIVE}</a>'.encode(), "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(archive: Path) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Index", (_Index,), {"archive": archive, "asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_headers_come_from_find_links(archive: Path, tmp_path: Path) -> None:
    for variables in (
        untold(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(archive.parent)),
        untold(PIP_INDEX_URL=DEAD, PIP_FIND_LINKS=f"/nowhere {archive.parent.as_uri()}"),
    ):
        done = fetch(tmp_path, variables)
        assert done.returncode == 0, done.stderr
        found = tmp_path / "found" / ARCHIVE
        assert found.read_bytes() == archive.read_bytes()
        assert list(found.parent.iterdir()) == [found]
        found.unlink()


@pytest.mark.slow
def test_headers_come_through_proxy_from_index_of_configuration_file(
    proxy: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = proxy
    configuration = tmp_path / "pip.conf"
    variables = untold(PIP_CONFIG_FILE=str(configuration), NO_PROXY="", no_proxy="")
    for lines in (
        f"index-url = {INDEX}/simple\nproxy = {address}",
        f"extra-index-url = {INDEX}/simple\nindex-url = {DEAD}\nproxy = {address}",
        f"index-url = {INDEX}/simple\nproxy = {address}\ntrusted-host = 127.0.0.7",
    ):
        configuration.write_text(f"[global]\n{lines}\n")
        asked.clear()
        done = fetch(tmp_path, variables)
        assert done.returncode == 0, done.stderr
        assert asked[-2:] == [f"{INDEX}/simple/essentia/", f"{INDEX}/files/{ARCHIVE}"]
    # A variable overrules the file.
    done = fetch(tmp_path, {**variables, "PIP_PROXY": DEAD})
    assert done.returncode != 0


@pytest.mark.slow
def test_without_headers_the_message_says_what_to_do(tmp_path: Path) -> None:
    done = attempt(
        configure(ROOT, tmp_path / "build", MAEST_BUILD_ESSENTIA_PLUGIN="ON"),
        tmp_path,
        untold(PIP_INDEX_URL=DEAD),
    )
    assert done.returncode != 0
    said = words(done.stderr)
    assert f"no source archive of {SOURCE}: {DEAD} says ConnectError" in said
    assert "Set -DMAEST_ESSENTIA_INCLUDE=FOLDER, where FOLDER has algorithmfactory.h" in said
    assert "-DMAEST_BUILD_ESSENTIA_PLUGIN=OFF" in said
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_pip_says_the_same(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation",
        "-w", str(tmp_path), "-C", f"build-dir={tmp_path / 'build'}",
    ]  # fmt: skip
    done = attempt(command, tmp_path, untold(PIP_NO_INDEX="1"))
    assert done.returncode != 0
    said = words(done.stdout + done.stderr)
    assert "pip's no-index is set" in said
    assert "-C cmake.define.MAEST_ESSENTIA_INCLUDE=FOLDER" in said
    assert "-C cmake.define.MAEST_BUILD_ESSENTIA_PLUGIN=OFF" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_missing_packages_and_folders_are_named(archive: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    bare = tmp_path / "bare/bin/python"
    headers = tmp_path / "essentia"
    headers.mkdir()
    for settings, message in (
        ({"Python_EXECUTABLE": bare}, "the Python module unearth is not installed"),
        ({"MAEST_ESSENTIA_INCLUDE": headers}, f"'{headers}', which has no algorithmfactory.h"),
    ):
        command = configure(ROOT, tmp_path / "b", MAEST_BUILD_ESSENTIA_PLUGIN="ON", **settings)
        done = attempt([*command, "--fresh"], tmp_path)
        assert done.returncode != 0
        assert message in words(done.stderr)
    (headers / "algorithmfactory.h").touch()
    command = configure(
        ROOT, tmp_path / "b", MAEST_BUILD_ESSENTIA_PLUGIN="ON", Python_EXECUTABLE=bare,
        MAEST_ESSENTIA_INCLUDE=headers,
    )  # fmt: skip
    done = attempt([*command, "--fresh"], tmp_path)
    assert done.returncode != 0
    assert "has no package cmeel-eigen (pip install cmeel-eigen)" in words(done.stderr)


def test_no_compiler_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nothing = environment(PATH=str(tmp_path / "empty"))
    nothing.pop("CXX", None)
    for name, variables, found in (
        ("asked", environment(CXX="/nonexistent"), "was found: CXX is '/nonexistent'."),
        ("none", nothing, "was found. Install one"),
    ):
        done = attempt(configure(ROOT, tmp_path / name), tmp_path, variables)
        assert done.returncode != 0
        said = words(done.stderr)
        assert f"No C++ compiler that works {found}" in said
        assert "apt install g++" in said
        assert "dnf install gcc-c++" in said


@pytest.mark.slow
def test_string_layout_is_the_compilers_own_without_the_plugin(tmp_path: Path) -> None:
    for name, settings, wanted in (
        ("core", {}, None),
        ("asked", {"MAEST_CXX11_ABI": 1}, "1"),
        ("plugin", {"MAEST_BUILD_ESSENTIA_PLUGIN": "ON"}, "0"),
    ):
        build = tmp_path / name
        run(configure(ROOT, build, **settings), tmp_path)
        commands = run([program("ninja"), "-C", str(build), "-t", "commands"], tmp_path)
        layouts = {
            word.partition("=")[2]
            for word in commands.split()
            if word.startswith("-D_GLIBCXX_USE_CXX11_ABI")
        }
        assert layouts == ({wanted} if wanted else set())
        # And the package that is installed tells it.
        config = (build / "essentia_maest-config.cmake").read_text()
        assert f'set(essentia_maest_CXX11_ABI "{wanted or ""}")' in config


@pytest.mark.slow
def test_warnings_stop_the_build_only_where_asked(tmp_path: Path) -> None:
    for name, settings in (("plain", {}), ("strict", {"MAEST_WARNINGS_AS_ERRORS": "ON"})):
        run(configure(ROOT, tmp_path / name, **settings), tmp_path)
        commands = run([program("ninja"), "-C", str(tmp_path / name), "-t", "commands"], tmp_path)
        assert "-Wall" in commands
        assert ("-Werror" in commands) == (name == "strict")
