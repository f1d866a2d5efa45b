"""Audio and tables behind URLs."""

from __future__ import annotations

import builtins
import functools
import http.server
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.collection.scan import scan
from essentia_maest.commands.cli import main
from essentia_maest.errors import AudioFileError, InvalidArgumentError
from essentia_maest.remote import copies
from essentia_maest.remote.copies import FetchedAudio
from essentia_maest.remote.listing import _mtime, list_url
from essentia_maest.remote.urls import absolute, folder_of, is_url, joined, relative_to
from essentia_maest.results.audio_hash import audio_hash
from untrained import UNTRAINED

COMMAND = ["--model", str(UNTRAINED), "--workers", "1", "--block", "1"]


@pytest.fixture
def music(tmp_path) -> Path:
    folder = tmp_path / "music"
    write_audio(folder / "a.flac", 2.0, 22050, 1, seed=1)
    write_audio(folder / "sub" / "b.mp3", 2.0, 44100, 1, seed=2)
    (folder / ".h").mkdir()
    shutil.copy(folder / "a.flac", folder / ".h" / "hidden.flac")
    (folder / "cover.jpg").write_bytes(b"no music")
    return folder


@pytest.fixture
def served(music) -> Iterator[str]:
    """A web server that has the music."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(music))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def zipped(music, tmp_path) -> str:
    archive = shutil.make_archive(str(tmp_path / "music"), "zip", music)
    return f"zip://::{archive}"


@pytest.fixture
def memory() -> Iterator[str]:
    """A place for results in this process's memory, where an object store would be."""
    import fsspec

    yield "memory://results/out"
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize(
    ("root", "relative", "path"),
    [
        ("s3://bucket/music", "a/b.mp3", "s3://bucket/music/a/b.mp3"),
        ("zip://::s3://b/x.zip", "a/b.mp3", "zip://a/b.mp3::s3://b/x.zip"),
        ("zip://a::/x.zip", "b.mp3", "zip://a/b.mp3::/x.zip"),
        ("/music", "a/b.mp3", "/music/a/b.mp3"),
    ],
)
def test_urls_are_put_together_and_taken_apart(root, relative, path):
    assert joined(root, relative) == path
    assert relative_to(path, root) == relative
    assert joined(folder_of(path), "b.mp3") == path


def test_urls_are_told_from_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("file:///a%20b") == "/a b"
    assert absolute("s3://b/x") == "s3://b/x"
    (tmp_path / "zip::x").touch()
    assert absolute("zip::x") == str(tmp_path / "zip::x")
    assert not is_url("C:\\x")
    assert folder_of("https://host/a/b.mp3?key=x/y") == "https://host/a"


@pytest.mark.parametrize("times", [
    {"LastModified": "2026-01-02T03:04:05+00:00"},
    {"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"},
    {"date_time": (2026, 1, 2, 3, 4, 5)},
    {"mtime": 1767323045.0},
])  # fmt: skip
def test_times_of_servers(times):
    assert _mtime(times) == 1767323045 * 10**9


def test_a_mark_stands_for_a_time():
    one, other = _mtime({"ETag": "x"}), _mtime({"ETag": "y"})
    assert one not in (other, 0)
    assert _mtime({}) == 0


def test_what_is_behind_a_url_is_decoded_as_a_file(music, served, monkeypatch):
    expected = maest.load_audio(music / "sub" / "b.mp3")
    for limit in (copies.MEMORY_BYTES, 0):  # in memory, on the disk
        monkeypatch.setattr(copies, "MEMORY_BYTES", limit)
        with FetchedAudio(served + "sub/b.mp3") as audio:
            np.testing.assert_array_equal(audio.read(), expected)
            assert audio_hash(audio.path) == audio_hash(music / "sub" / "b.mp3")
    handles = len(os.listdir("/proc/self/fd"))
    for name, reason in (("gone.mp3", "no such file"), ("cover.jpg", "cover.jpg: ")):
        with pytest.raises(AudioFileError, match=reason) as caught:
            FetchedAudio(served + name)
        assert str(caught.value).startswith(served)
        assert "/proc" not in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) <= handles + 1  # a connection may be kept


def test_what_has_no_end_is_let_go_of(served, monkeypatch):
    monkeypatch.setattr(copies, "MOST_BYTES", 1000)
    with pytest.raises(AudioFileError, match="has no end"):
        FetchedAudio(served + "a.flac")


@pytest.mark.parametrize("kind", ["zip", "web"])
def test_a_collection_behind_a_url(kind, music, request, tmp_path, capsys):
    url = request.getfixturevalue("zipped" if kind == "zip" else "served")
    out = str(tmp_path / "out")
    assert main(["analyze", url, "-o", out, *COMMAND]) == 0
    assert "2 analysed" in capsys.readouterr().err
    results = maest.open_results(out)
    tracks = {name: results.tracks[name].to_pylist() for name in ("path", "size", "audio_hash")}
    assert sorted(tracks["path"]) == ["a.flac", "sub/b.mp3"]
    for path, size, digest in zip(*tracks.values(), strict=True):
        assert (size, digest) == ((music / path).stat().st_size, audio_hash(music / path))
    for file, path in zip(results.files, tracks["path"], strict=True):
        with FetchedAudio(file) as audio:
            np.testing.assert_array_equal(audio.read(), maest.load_audio(music / path))
    assert main(["analyze", url, "-o", out, *COMMAND, "--resume"]) == 0
    told = capsys.readouterr().err
    assert "0 analysed" in told
    assert "2 done before" in told
    assert "1 hidden skipped" in told
    # The same music as files are copies, as long as it is where it was; then it is known.
    command = ["analyze", str(music), "-o", out, *COMMAND, "--resume", "--dry-run"]
    assert main([*command, "--quiet"]) == 0
    assert "2 files would be analysed" in capsys.readouterr().out
    if kind == "zip":
        os.remove(url.partition("::")[2])
        assert main([*command, "--quiet"]) == 0
        assert "0 files would be analysed, 2 done before" in capsys.readouterr().out


def test_a_server_that_is_not_there_has_no_empty_folder(served):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and listens not
        with pytest.raises(InvalidArgumentError, match="cannot be listed: .*[Cc]onnect"):
            list(list_url(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    with pytest.raises(InvalidArgumentError, match="nowhere/: no such file or folder"):
        list(list_url(f"{served}nowhere/"))


def test_hidden_folders_behind_links_are_hidden(music, served):
    write_audio(music / "@eaDir" / "a.flac", 0.1, 16000, 1)
    write_audio(music / "#1 é" / "c.flac", 0.1, 16000, 1)
    shutil.copy(music / "a.flac", music / "._a.flac")
    found = scan([served])
    # A name may stand earlier in the URL: ".0" in that of this host.
    assert [track.path.removeprefix(served) for track in found.tracks] == [
        "%231%20%C3%A9/c.flac",
        "a.flac",
        "sub/b.mp3",
    ]
    skipped = [path.removeprefix(served) for path in found.skipped]
    assert sorted(skipped) == ["%40eaDir", "._a.flac", ".h"]
    shutil.move(music / ".h", music / ".0")
    assert served + ".0" in scan([served]).skipped
    assert len(scan([served], hidden=True).tracks) == 6


def test_patterns_in_an_archive(zipped):
    url = zipped.replace("zip://", "zip://sub/*.mp3")
    assert [relative_to(file.url, file.root) for file in list_url(url)] == ["b.mp3"]


def test_tables_behind_a_url(music, memory, tmp_path, capsys):
    command = ["analyze", str(music), "-o", memory, *COMMAND, "--quiet"]
    assert main([*command, "--format", "csv"]) == 0
    assert main(["analyze", str(music), "-o", str(tmp_path / "out"), *COMMAND, "--quiet"]) == 0
    there, here = maest.open_results(memory), maest.open_results(tmp_path / "out")
    order, other = np.argsort(there.ids), np.argsort(here.ids)
    np.testing.assert_array_equal(there.embeddings()[0][order], here.embeddings()[0][other])
    assert there.segments.num_rows == here.segments.num_rows
    capsys.readouterr()

    write_audio(music / "c.wav", 2.0, 16000, 1, seed=3)
    (music / "a.flac").rename(music / "moved.flac")
    assert main(command) == 2
    assert "has the results of 2 tracks" in capsys.readouterr().err
    assert main([*command[:-1], "--resume"]) == 0
    assert "1 analysed" in capsys.readouterr().err
    again = maest.open_results(memory)
    assert sorted(again.tracks["path"].to_pylist()) == ["c.wav", "moved.flac", "sub/b.mp3"]

    import fsspec

    names = fsspec.filesystem("memory").find("/results/out")
    assert {name.split("/")[3] for name in names} == {
        "tracks", "segments", "summary.json", "tracks.csv", "failures.csv",
    }  # fmt: skip


def test_files_for_each_track_stay_here(music, memory, capsys):
    command = ["analyze", str(music), "-o", memory, *COMMAND, "--format", "files"]
    assert main(command) == 2
    assert "--format parquet for a URL" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["s3nix://bucket/x", "nix::x"])
def test_urls_that_nobody_reads_are_refused(url, tmp_path, capsys):
    assert main(["analyze", url, "-o", str(tmp_path / "out"), *COMMAND]) == 2
    assert url in capsys.readouterr().err


def test_without_the_extra_it_is_told(music, served, tmp_path, monkeypatch, capsys):
    imported = builtins.__import__

    def refuse(name, *rest, **more):
        if name.partition(".")[0] in ("fsspec", "upath"):
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for paths in ([served, "-o", str(tmp_path / "out")], [str(music), "-o", "memory://x"]):
        assert main(["analyze", *paths, *COMMAND]) == 2
        assert "pip install 'essentia-maest[remote]'" in capsys.readouterr().err
    with pytest.raises(InvalidArgumentError, match="essentia-maest.remote"):
        maest.open_results("memory://x")
