"""A server of files over HTTP on this machine, with what goes wrong on the way to others."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class ModelServer:
    """What it has, what it does wrong, and what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    breaks_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers end, one by one; then all is well."""
    statuses: list[int] = field(default_factory=list)
    """HTTP statuses of the next answers; then all is well."""
    ranges: bool = True
    validators: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path or, asked as a proxy, address; and range of each request."""

    @property
    def asked(self) -> list[str]:
        """What was asked for, each once."""
        return list(dict.fromkeys(path for path, _ in self.requests))


@contextlib.contextmanager
def serving() -> Iterator[ModelServer]:
    """Serve until the end of the block."""
    state = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked_range = self.headers.get("Range")
            state.requests.append((self.path, asked_range))
            path = urlsplit(self.path).path
            if state.statuses:
                return self.end(state.statuses.pop(0))
            if path in state.redirects:
                return self.end(302, Location=state.redirects[path])
            if path not in state.files:
                return self.end(404)
            return self.give(state.files[path], asked_range)

        def give(self, content: bytes, asked_range: str | None) -> None:
            tag = f'"{hashlib.sha256(content).hexdigest()}"'
            headers = {"ETag": tag} if state.validators else {}
            start = 0
            same = self.headers.get("If-Range") in (None, tag)
            if asked_range and state.ranges and same:
                start = int(asked_range.removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    self.end(416, **{"Content-Range": f"bytes */{len(content)}"})
                    return
                last = len(content) - 1
                headers["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
            self.send_response(206 if "Content-Range" in headers else 200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            part = content[start:]
            if state.breaks_after:
                self.close_connection = True
                part = part[: state.breaks_after.pop(0)]
            self.wfile.write(part)

        def end(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
