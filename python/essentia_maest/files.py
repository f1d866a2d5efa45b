"""Files that are there whole or not at all, and what identifies their content.

A file is written beside its place under another name, brought safely onto the disk, and only then
given its name: whoever looks, also after a power cut, finds the earlier file or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import FULL_DISK

_PREFIX, _SUFFIX = ".maest-", ".part"


UNFINISHED = f"{_PREFIX}*{_SUFFIX}"
"""Pattern of the names that files have while they are written."""


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a name to write to, whose file gets the name `path` when all went well.

    Parameters
    ----------
    path : str or os.PathLike
        What to write; an earlier file is replaced. Its folder exists.

    Yields
    ------
    pathlib.Path
        A name in the same folder that no file has. Write a file there, and close it.

    Raises
    ------
    OSError
        It could not be written; then `path` is as it was before, and nothing is left beside it.
    """
    target = Path(path)
    unfinished = _unfinished(target)
    try:
        with _errors_of(target, unfinished):
            yield unfinished
            _flush(unfinished)
            os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    _flush_folder(target.parent)


def write_whole(path: str | os.PathLike[str], content: bytes | memoryview | str) -> None:
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Replaced if it exists; its folder exists.
    content : bytes, memoryview or str
        Text is written as UTF-8, with the line ends that it has.

    Raises
    ------
    OSError
        It could not be written; then `path` is as it was before.
    """
    write_together({Path(path): content})


def write_together(files: Mapping[Path, bytes | memoryview | str]) -> None:
    """Write files of which none is to be there without those before it.

    All are brought onto the disk before the first gets its name. Names are then given in the order
    of `files`: put what makes the others count last.

    Parameters
    ----------
    files : mapping of pathlib.Path to bytes, memoryview or str
        Path -> content.

    Raises
    ------
    OSError
        One could not be written. If that was for want of space or permission, none is changed.
    """
    unfinished: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            unfinished[path] = _unfinished(path)
            with _errors_of(path, unfinished[path]):
                _write(unfinished[path], content.encode() if isinstance(content, str) else content)
        _give_names(unfinished)
    finally:
        for written in unfinished.values():
            with contextlib.suppress(OSError):
                written.unlink(missing_ok=True)


def move_together(files: Mapping[Path, Path]) -> None:
    """Give files that were written elsewhere their places, each whole or not at all.

    Parameters
    ----------
    files : mapping of pathlib.Path to pathlib.Path
        Place -> the file as it was written, on the same file system. All are brought onto the disk
        before the first is moved; then they are moved in the order of `files`: put what makes the
        others count last.

    Raises
    ------
    OSError
        One could not be moved.
    """
    for written in files.values():
        _flush(written)
    _give_names(files)


@contextlib.contextmanager
def folder_written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder to fill, which gets the name `path` when all went well.

    Parameters
    ----------
    path : str or os.PathLike
        A folder that is not there, in one that is. Only one process at a time may be at it: what
        one that was killed left is removed here.

    Yields
    ------
    pathlib.Path
        A folder beside it.

    Raises
    ------
    OSError
        It could not be made; then nothing is left.
    """
    target = Path(path)
    # The same name each time, so that what a killed process left is found again.
    name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    unfinished = target.with_name(f"{_PREFIX}{name}{_SUFFIX}")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir()
    try:
        yield unfinished
        os.rename(unfinished, target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _flush_folder(target.parent)


def write_json(path: str | os.PathLike[str], value: Any, *, indent: int = 1) -> None:
    """Write a JSON file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Replaced if it exists.
    value
        What `json.dumps` takes, without NaN and infinity. Undecodable bytes of file names, which
        Python holds as lone surrogates, are written as escapes: any JSON reader takes the file,
        and Python reads the same name back.
    indent : int
        Spaces for each level.

    Raises
    ------
    OSError
        It could not be written; then `path` is as it was before.
    ValueError
        `value` has a number that is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    write_whole(path, text.encode("utf-8", "backslashreplace") + b"\n")


def is_full_disk(error: BaseException | None) -> bool:
    """Say whether an error, or what it came from, is that of a full disk, quota or file.

    Parameters
    ----------
    error : BaseException, optional
        Any error; None is no such error.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            return True
        error = error.__cause__ or error.__context__
    return False


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed while writing left in a folder.

    Parameters
    ----------
    folder : str or os.PathLike
        One in which nobody is writing now. Its sub-folders stay as they are.
    """
    for left in Path(folder).glob(UNFINISHED):
        with contextlib.suppress(OSError):
            left.unlink()


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        It cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _give_names(written: Mapping[Path, Path]) -> None:
    for path, unfinished in written.items():
        os.replace(unfinished, path)
    for folder in {path.parent for path in written}:
        _flush_folder(folder)


@contextlib.contextmanager
def _errors_of(path: Path, unfinished: Path) -> Iterator[None]:
    """Let errors name the file that was wanted; writing tells none, opening the unfinished one."""
    try:
        yield
    except OSError as error:
        told = error.filename
        if told == os.fspath(unfinished) or (told is None and error.errno in FULL_DISK):
            error.filename = os.fspath(path)
        raise


def _unfinished(target: Path) -> Path:
    # Without the target's name, which may be as long as names can be.
    return target.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}")


def _write(path: Path, content: bytes | memoryview) -> None:
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        found = os.fstat(file.fileno()).st_size
    if found != len(content):  # some network file systems tell a full disk late, or never
        raise OSError(errno.EIO, f"{found} of {len(content)} bytes arrived", os.fspath(path))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Have the new names outlive a power cut; not every file system can promise it."""
    with contextlib.suppress(OSError):
        _flush(folder)
