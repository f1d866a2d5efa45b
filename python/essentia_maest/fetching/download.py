"""One file over HTTP: resumed where it broke off, checked, and there whole or not at all.

pooch decides whether a file is to be downloaded, checks its sha256 and gives it its name; this is
the downloader that it is given, because its own begins anew after an interruption.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import requests

from ..errors import FetchError, NotPublishedError

ATTEMPTS = 5
"""How often a connection may break without a byte having come."""
CONNECT_SECONDS, SILENT_SECONDS = 20.0, 60.0
FIRST_PAUSE_SECONDS = 0.5
"""Before the second attempt; each further pause is twice as long."""

_PIECE = 1 << 14
"""Bytes that are written at once, and lost at the most when a connection breaks."""
_NOT_THERE = (404, 410)
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_OK, _PARTIAL, _OUT_OF_RANGE = 200, 206, 416


@dataclass(frozen=True)
class Progress:
    """What is told while a file arrives.

    Parameters
    ----------
    begin : callable
        Called with the file's bytes, None where the server does not say, and those that are here.
    advance : callable
        Called with how many more came.
    """

    begin: Callable[[int | None, int], object]
    advance: Callable[[int], object]


def download(url: str, target: Path, sha256: str | None, progress: Progress) -> None:
    """Bring a file, unless it is there already with the right sha256.

    Parameters
    ----------
    url : str
    target : Path
        Its folder is made. While it arrives the file lies beside it as ``.NAME.partial``, and stays
        when the download is interrupted: the next call goes on from there, if the server still has
        the same file.
    sha256 : str, optional
        What it must be; None for whatever comes.
    progress : Progress

    Raises
    ------
    NotPublishedError
        If the server has no such file.
    FetchError
        If the server cannot be reached or fails, the connection breaks again and again, the file is
        another one, or there is no room for it.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")  # what it says is said by us
    known = None if sha256 is None else f"sha256:{sha256}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            url,
            known_hash=known,
            fname=target.name,
            path=target.parent,
            downloader=_Resuming(target, progress),
        )
    except FetchError:
        raise
    except OSError as error:
        raise _cannot_write(target, error) from error
    except ValueError as error:  # pooch's word for another sha256
        raise FetchError(
            f"{url}: what came is not the file that is wanted (sha256 {sha256}); it was removed"
        ) from error


def _cannot_write(target: Path, error: OSError) -> FetchError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return FetchError(
        f"{target}: cannot be written ({error.strerror or error})"
        + (
            "; make room, or name another folder in ESSENTIA_MAEST_CACHE: what came is kept"
            if full
            else ""
        )
    )


class _Resuming:
    """Downloads one file; `pooch` calls it with the address and a temporary name."""

    def __init__(self, target: Path, progress: Progress) -> None:
        self._partial = target.with_name(f".{target.name}.partial")
        self._about = target.with_name(f".{target.name}.partial.json")
        self._progress = progress
        self._begun = False

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        with self._locked(url) as file, requests.Session() as session:
            self._arrive(session, url, file)
            file.flush()
            os.fsync(file.fileno())
            os.replace(self._partial, output_file)
        self._about.unlink(missing_ok=True)

    def _arrive(self, session: requests.Session, url: str, file: BinaryIO) -> None:
        failures = 0
        while True:
            before = file.seek(0, os.SEEK_END)
            try:
                if self._continue(session, url, file):
                    return
                reason = "the connection ended early"
            except (
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ConnectionError,
                requests.exceptions.Timeout,
            ) as error:
                if isinstance(error, requests.exceptions.SSLError):
                    raise FetchError(f"{url}: no trusted connection ({error})") from error
                reason = _reason(error)
            except requests.exceptions.RequestException as error:
                raise FetchError(f"{url}: {error}") from error
            arrived = file.seek(0, os.SEEK_END)
            failures = 1 if arrived > before else failures + 1
            if failures >= ATTEMPTS:
                raise FetchError(_given_up(url, reason, arrived))
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (failures - 1))

    def _continue(self, session: requests.Session, url: str, file: BinaryIO) -> bool:
        """Ask for what is missing, and write it; tell whether the file is complete."""
        have = file.seek(0, os.SEEK_END)
        headers = {"Accept-Encoding": "identity"}
        validator = self._validator(url) if have else None
        if validator is None:
            have = _cut(file, 0)
        else:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        with session.get(
            url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, SILENT_SECONDS)
        ) as answer:
            total = self._checked(answer, url, have)
            if total is _COMPLETE:
                return True
            if total is _AGAIN:
                _cut(file, 0)
                return False
            if answer.status_code == _OK:
                have = _cut(file, 0)
                self._remember(url, answer.headers)
            if not self._begun:
                self._progress.begin(total, have)
                self._begun = True
            self._check_room(total, have)
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
                have += len(piece)
                self._progress.advance(len(piece))
            file.flush()
        return total is None or have == total

    def _checked(self, answer: requests.Response, url: str, have: int) -> Any:
        """Give the whole file's bytes, None if unknown, or what else the answer means."""
        status = answer.status_code
        length = answer.headers.get("Content-Length", "")
        if status == _OK:
            return int(length) if length.isdigit() else None
        if status in (_PARTIAL, _OUT_OF_RANGE):
            part, _, total = answer.headers.get("Content-Range", "").partition("/")
            size = int(total) if total.isdigit() else None
            if status == _OUT_OF_RANGE:
                return _COMPLETE if size == have else _AGAIN
            return size if part.startswith(f"bytes {have}-") and size is not None else _AGAIN
        if status in _NOT_THERE:
            raise NotPublishedError(f"{url}: the server has no such file (HTTP {status})")
        if status in _TRY_AGAIN:
            raise requests.exceptions.ConnectionError(f"HTTP {status} {answer.reason}")
        raise FetchError(f"{url}: the server refuses (HTTP {status} {answer.reason})")

    def _check_room(self, total: int | None, have: int) -> None:
        if total is not None and shutil.disk_usage(self._partial.parent).free < total - have:
            raise OSError(
                errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {(total - have) / 1e6:.0f} MB wanted"
            )

    def _validator(self, url: str) -> str | None:
        """Give what tells that the server still has the file whose beginning is here."""
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
            return str(about["validator"]) if about["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def _remember(self, url: str, headers: Mapping[str, str]) -> None:
        entity_tag = headers.get("ETag", "")
        # A weak tag promises the same meaning, not the same bytes.
        validator = entity_tag if entity_tag.startswith('"') else headers.get("Last-Modified")
        if validator is None:
            self._about.unlink(missing_ok=True)
        else:
            about = json.dumps({"url": url, "validator": validator})
            self._about.write_text(about, encoding="utf-8")

    @contextlib.contextmanager
    def _locked(self, url: str) -> Iterator[BinaryIO]:
        with open(self._partial, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The one that had the lock may just have given this file its final name.
                if not os.path.samestat(os.fstat(file.fileno()), self._partial.stat()):
                    raise BlockingIOError
            except (BlockingIOError, FileNotFoundError) as error:
                raise FetchError(f"{url}: another process is fetching it now") from error
            try:
                yield file
            finally:
                if os.fstat(file.fileno()).st_size == 0:  # nothing to go on from
                    self._partial.unlink(missing_ok=True)


_COMPLETE, _AGAIN = object(), object()


def _cut(file: BinaryIO, length: int) -> int:
    file.truncate(length)
    return file.seek(length)


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names fails: {_cause(error)}"
    return _cause(error)


def _cause(error: Exception) -> str:
    """Give what urllib3 says, without the tale of its attempts."""
    told = error.args[0] if error.args else error
    return str(getattr(told, "reason", told))


def _given_up(url: str, reason: str, arrived: int) -> str:
    kept = (
        f" The {arrived / 1e6:.0f} MB that came are kept: the next try goes on." if arrived else ""
    )
    return (
        f"{url}: {urlsplit(url).hostname} cannot be reached, or breaks off ({reason}); wanted a "
        f"connection to it (is this machine offline? does it need a proxy in HTTPS_PROXY?).{kept}"
    )
