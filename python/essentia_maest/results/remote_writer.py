"""A folder behind a URL has one writer at a time, too: a file in it says who writes there."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import InvalidArgumentError
from .places import as_os_error

LOCK = ".maest-writer"
"""The file's name."""

BEAT_SECONDS = 60.0
"""So often a run says that it is there,"""

STALE_SECONDS = 900.0
"""and when it has not said so for that long, another one takes the folder."""

_SETTLE_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Owner:
    """Who writes, as the file tells it.

    Attributes
    ----------
    token : str
        Another one for each writer.
    host : str
        The machine's name.
    machine : str
        What its process numbers are good for: a start of a machine and, in it, a container. Empty
        where that is not known.
    process : int
        Its number.
    begun, seen : float
        When it began, and when it last said that it is there; seconds since 1970.
    """

    token: str
    host: str
    machine: str
    process: int
    begun: float
    seen: float

    @classmethod
    def here(cls) -> Owner:
        """Describe this process, as a new writer."""
        now = time.time()
        return cls(secrets.token_hex(8), socket.gethostname(), _machine(), os.getpid(), now, now)

    @property
    def is_gone(self) -> bool:
        """Whether it has ended without saying so."""
        if self.machine and self.machine == _machine() and not _is_running(self.process):
            return True
        return time.time() - self.seen > STALE_SECONDS

    def __str__(self) -> str:
        begun, seen = (
            datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
            for moment in (self.begun, self.seen)
        )
        return f"process {self.process} on {self.host}, since {begun}, last seen {seen}"


class RemoteWriter:
    """Holds a folder behind a URL for one writer.

    The file that says so is made only where there is none (where the file system can: object
    stores with conditional writes, SFTP, a mounted disk), and read again; it is removed in the end.
    Of a run that was killed it stays. The next run takes the folder at once where it sees that the
    process is gone, which is on the same machine, and otherwise `STALE_SECONDS` after its last
    sign. So clocks of machines that write to one folder should be right to some minutes.

    Parameters
    ----------
    folder : pathlib.Path
        As `essentia_maest.results.places.place_of` gives it for a URL.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._system: Any = folder.fs  # type: ignore[attr-defined]
        self._path = f"{folder.path.rstrip('/')}/{LOCK}"  # type: ignore[attr-defined]
        self._owner: Owner | None = None
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self._lost: Owner | None = None

    def begin(self) -> None:
        """Take the folder, unless it was taken here before.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            Another run writes there.
        OSError
            The file cannot be read or written.
        """
        if self._owner is not None:
            return
        mine = Owner.here()
        found = self._found()
        if found is not None and not found.is_gone:
            raise self._refused(found)
        if found is not None:
            _log.warning("%s: taken over; it was held by %s", self._folder, found)
        exclusive = self._write(mine, create=found is None)
        if not exclusive:  # others may just have done the same; the last one has it
            time.sleep(_SETTLE_SECONDS)
        kept = self._found()
        if kept is None or kept.token != mine.token:
            raise self._refused(kept)
        self._owner = mine
        self._ended.clear()
        self._beating = threading.Thread(
            target=_beat, args=(self, self._ended), name="maest-writer", daemon=True
        )
        self._beating.start()

    def require(self) -> None:
        """See that the folder is still held.

        Raises
        ------
        OSError
            Another run took it, since nothing was heard from here for `STALE_SECONDS`.
        """
        if self._lost is not None:
            raise OSError(
                errno.ESTALE,
                f"another run took the folder over ({self._lost}), having heard nothing from this "
                f"one for {STALE_SECONDS / 60:.0f} minutes",
                str(self._folder),
            )

    def end(self) -> None:
        """Let the folder go."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        self._ended.set()
        if self._beating is not None:
            self._beating.join(BEAT_SECONDS)
        try:
            found = self._found()
            if found is not None and found.token == owner.token:
                self._system.rm_file(self._path)
        except Exception as error:  # of any library that fsspec may use
            _log.warning("%s: %s could not be removed: %s", self._folder, LOCK, error)

    def beat(self) -> None:
        """Say that the writer is there, or learn that another one took its place."""
        owner = self._owner
        if owner is None or self._lost is not None:
            return
        found = self._found()
        if found is not None and found.token != owner.token:
            self._lost = found
            return
        self._write(replace(owner, seen=time.time()), create=False)

    def _found(self) -> Owner | None:
        """Read who holds the folder; None if nobody does."""
        try:
            self._system.invalidate_cache()
            content = self._system.cat_file(self._path)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise as_os_error(error, self._folder) from error
        try:
            return Owner(**json.loads(content))
        except (ValueError, TypeError):  # just being written, or nothing of ours
            raise self._refused(None) from None

    def _write(self, owner: Owner, *, create: bool) -> bool:
        """Write the file; tell whether it is certain that there was none."""
        content = json.dumps(asdict(owner)).encode()
        try:
            if create:
                with contextlib.suppress(TypeError, ValueError, NotImplementedError):
                    self._system.pipe_file(self._path, content, mode="create")
                    return True
            self._system.pipe_file(self._path, content)
        except FileExistsError:
            raise self._refused(self._found()) from None
        except Exception as error:
            raise as_os_error(error, self._folder) from error
        return False

    def _refused(self, owner: Owner | None) -> InvalidArgumentError:
        who = f" ({owner})" if owner is not None else ""
        return InvalidArgumentError(
            f"{self._folder}: another run is writing there{who}; wanted: its end, or another "
            f"folder. If it was killed: run again {STALE_SECONDS / 60:.0f} minutes after it was "
            f"last seen, or remove {self._folder / LOCK}"
        )


def _beat(writer: RemoteWriter, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            writer.beat()
        except Exception as error:  # of any library that fsspec may use; the next may go well
            _log.warning("%s", error)


def _machine() -> str:
    """Name what process numbers are good for; empty where that is not known."""
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{start} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
