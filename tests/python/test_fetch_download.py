"""One file over HTTP: whole, checked, resumed, and in clear words where it cannot be."""

import errno
import hashlib
import os
import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from essentia_maest.errors import FetchError, NotPublishedError
from essentia_maest.fetching import download as room
from essentia_maest.fetching.download import Progress, download
from model_server import serving

CONTENT = np.random.default_rng(0).bytes(900_000)
PIECE = 1 << 14
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/models/a.onnx"


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(room, "FIRST_PAUSE_SECONDS", 0.001)


@pytest.fixture
def server():
    with serving() as running:
        running.files[PATH] = CONTENT
        yield running


class Watch:
    """Progress as it was told."""

    def __init__(self):
        self.total, self.have = None, 0
        self.progress = Progress(self.begin, self.advance)

    def begin(self, total, have):
        self.total, self.have = total, have

    def advance(self, count):
        self.have += count


def nobody():
    return Watch().progress


def bring(server, folder, sha256=SHA256, path=PATH):
    watch = Watch()
    download(server.url + path, folder / "a.onnx", sha256, watch.progress)
    assert sorted(os.listdir(folder)) == ["a.onnx"]
    return watch


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_file_comes_once(tmp_path, server, sha256):
    watch = bring(server, tmp_path, sha256)
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT
    assert watch.total == watch.have == len(CONTENT)
    bring(server, tmp_path, sha256)
    assert len(server.requests) == 1


def test_it_goes_on_where_the_connection_broke(tmp_path, server):
    server.breaks_after = [18 * PIECE, 10 * PIECE]
    watch = bring(server, tmp_path)
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [
        None,
        f"bytes={18 * PIECE}-",
        f"bytes={28 * PIECE}-",
    ]
    assert watch.have == len(CONTENT)


def test_it_goes_on_in_the_next_process(tmp_path, server):
    server.breaks_after = [20 * PIECE] + [0] * room.ATTEMPTS
    with pytest.raises(FetchError, match=r"127\.0\.0\.1 cannot be reached, or breaks off.*0 MB th"):
        bring(server, tmp_path)
    assert not (tmp_path / "a.onnx").exists()
    server.breaks_after = []
    server.requests.clear()
    watch = bring(server, tmp_path)
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT
    assert server.requests == [(PATH, f"bytes={20 * PIECE}-")]
    assert (watch.total, watch.have) == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("how", ["changed", "no ranges", "no validators", "another address"])
def test_what_cannot_go_on_begins_anew(tmp_path, server, how):
    server.validators = how != "no validators"
    server.breaks_after = [20 * PIECE] + [0] * room.ATTEMPTS
    with pytest.raises(FetchError):
        bring(server, tmp_path, None)
    server.breaks_after = []
    server.ranges = how != "no ranges"
    content, path = CONTENT, PATH
    if how == "changed":
        content = server.files[PATH] = CONTENT[::-1]
    if how == "another address":
        path = "/other.onnx"
        content = server.files[path] = CONTENT[::-1]
    bring(server, tmp_path, None, path)
    assert (tmp_path / "a.onnx").read_bytes() == content


def test_all_of_it_is_here_already(tmp_path, server):
    """Killed between the last byte and the file's name."""
    server.breaks_after = [len(CONTENT) - 1] + [0] * room.ATTEMPTS
    with pytest.raises(FetchError):
        bring(server, tmp_path)
    server.breaks_after = []
    (tmp_path / ".a.onnx.partial").write_bytes(CONTENT)
    bring(server, tmp_path)
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT


def test_another_file_is_refused_and_removed(tmp_path, server):
    server.files[PATH] = b"<html>please log in</html>"
    with pytest.raises(FetchError, match=f"what came is not the file.*{SHA256}.*removed"):
        bring(server, tmp_path)
    assert os.listdir(tmp_path) == []
    server.files[PATH] = CONTENT
    bring(server, tmp_path)


def test_a_damaged_file_is_fetched_again(tmp_path, server):
    (tmp_path / "a.onnx").write_bytes(CONTENT[:-1])
    bring(server, tmp_path)
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT


def test_redirects(tmp_path, server):
    server.redirects = {"/old": "/older", "/older": PATH}
    server.breaks_after = [18 * PIECE]
    bring(server, tmp_path, path="/old")
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT
    assert server.requests[-1] == (PATH, f"bytes={18 * PIECE}-")
    server.redirects = {"/round": "/round"}
    with pytest.raises(FetchError, match="redirects"):
        download(f"{server.url}/round", tmp_path / "b.onnx", None, nobody())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(tmp_path, server, status):
    server.statuses = [status] * (room.ATTEMPTS - 1)
    bring(server, tmp_path)
    server.statuses = [status] * room.ATTEMPTS
    with pytest.raises(FetchError, match=f"HTTP {status}"):
        download(server.url + PATH, tmp_path / "b.onnx", None, nobody())


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, NotPublishedError, "has no such file"),
        (410, NotPublishedError, "has no such file"),
        (401, FetchError, r"refuses \(HTTP 401"),
        (403, FetchError, r"refuses \(HTTP 403"),
    ],
)
def test_a_server_that_refuses(tmp_path, server, status, error, words):
    server.statuses = [status]
    with pytest.raises(error, match=words) as raised:
        bring(server, tmp_path)
    assert server.url + PATH in str(raised.value)
    assert len(server.requests) == 1


def test_offline(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.onnx"
        with pytest.raises(FetchError, match=r"cannot be reached.*offline\?.*HTTPS_PROXY"):
            download(url, tmp_path / "a.onnx", None, nobody())
    assert os.listdir(tmp_path) == []
    with pytest.raises(FetchError, match=r"no\.such\.host\.invalid cannot be reached"):
        download("https://no.such.host.invalid/a", tmp_path / "a.onnx", None, nobody())


def test_the_proxy_is_asked(tmp_path, server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    download(f"http://models.invalid{PATH}", tmp_path / "a.onnx", SHA256, nobody())
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT
    assert server.asked == [f"http://models.invalid{PATH}"]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match="the proxy that HTTPS_PROXY, HTTP_PROXY"):
        download(f"http://models.invalid{PATH}", tmp_path / "b.onnx", SHA256, nobody())


@pytest.mark.parametrize("when", ["before", "while writing"])
def test_a_full_disk_keeps_what_came(tmp_path, server, monkeypatch, when):
    def full(self, total, have):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if when == "before":
            patch.setattr(room.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        else:
            server.breaks_after = [18 * PIECE]
            checked = []

            def full_the_second_time(self, total, have):
                checked.append(have)
                if len(checked) > 1:
                    full(self, total, have)

            patch.setattr(room._Resuming, "_check_room", full_the_second_time)
        with pytest.raises(FetchError, match=r"No space left.*ESSENTIA_MAEST_CACHE: what came is"):
            bring(server, tmp_path)
    assert not (tmp_path / "a.onnx").exists()
    server.requests.clear()
    bring(server, tmp_path)
    assert server.requests == [(PATH, None if when == "before" else f"bytes={18 * PIECE}-")]


def test_a_folder_that_cannot_be(tmp_path, server):
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="cannot be written"):
        download(server.url + PATH, tmp_path / "file/a.onnx", None, nobody())


def test_two_at_once(tmp_path, server):
    """One of them brings it, the other is told or finds it; nothing is mixed."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(total, have):
        begun.set()
        go_on.wait(10)

    first = threading.Thread(
        target=download,
        args=(server.url + PATH, tmp_path / "a.onnx", SHA256, Progress(wait, lambda count: None)),
    )
    first.start()
    assert begun.wait(10)
    with pytest.raises(FetchError, match="another process is fetching it"):
        bring(server, tmp_path)
    go_on.set()
    first.join()
    assert (tmp_path / "a.onnx").read_bytes() == CONTENT
