"""Text and JSON files that others wrote: in any encoding with a mark, and strictly JSON."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any, NoReturn

from ..errors import ModelError
from .foreign import refuse_lfs_pointer

LARGEST = 64 << 20
"""Bytes of a text file at the most: names of classes and settings have some thousands."""

# UTF-32's mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """Read a text file: UTF-8, or what the byte order mark at its beginning says.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        Without the mark.

    Raises
    ------
    ModelError
        If it cannot be read, is a Git LFS pointer, larger than `LARGEST`, or not text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > LARGEST:
        raise ModelError(f"{path}: found more than {LARGEST >> 20} MB; wanted a text file of less")
    refuse_lfs_pointer(path, content[:64])
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{path}: found bytes that are not {encoding.upper()} text ({error.reason} at byte "
            f"{error.start}); wanted UTF-8, or UTF-16 with a byte order mark"
        ) from error


def parse_json(text: str, origin: str) -> Any:
    """Give what a JSON text holds.

    Parameters
    ----------
    text : str
    origin : str
        Where it is from, for messages.

    Raises
    ------
    ModelError
        If it is not JSON (which has no NaN and no Infinity), or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ModelError(f"{origin} is not JSON that can be read: nested too deeply") from error
    except ValueError as error:
        raise ModelError(f"{origin} is not JSON: {error}") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises
    ------
    ModelError
        If it cannot be read, or holds something else.
    """
    content = parse_json(read_text(path), str(path))
    if not isinstance(content, dict):
        raise ModelError(f"{path}: found a {type(content).__name__}, wanted a JSON object")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"found {name}, which JSON does not have")
