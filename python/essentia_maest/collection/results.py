"""The result folder: written so that what is there is whole, and known for what it is."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError, StoppedEarlyError, ends_all_work
from ..files import UNFINISHED, write_json, write_whole

SUMMARY = "summary.json"
_ARRAYS = ("predictions", "embeddings")
_SCRAP_SECONDS = 3600.0


class ResultFolder:
    """Where results go.

    Each track has ``NAME.json`` and, beside it, ``NAME.predictions.npy`` and
    ``NAME.embeddings.npy``. Files appear whole or not at all, the JSON last: where it is, the
    track is done.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; made if it does not exist.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Nothing can be written there; the message says why.
    essentia_maest.errors.StoppedEarlyError
        The same, because the disk is full or lost.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(folder))
        shown = printable_path(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise InvalidArgumentError(f"{shown}: is a file; a folder for the results is wanted")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            full = ends_all_work(error) and error.errno != errno.EROFS
            kind = StoppedEarlyError if full else InvalidArgumentError
            raise kind(
                f"{shown}: no results can be written there: {error.strerror or error}"
            ) from error

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a track's JSON.

        Parameters
        ----------
        name : str
            `Track.result`.

        Returns
        -------
        dict or None
            None if there is none, it is not readable, or an array that it names is missing.
        """
        file = self._file(name, ".json")
        try:
            result = json.loads(file.read_bytes())
            arrays = result["arrays"].values()
            return result if all((file.parent / array).is_file() for array in arrays) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(
        self, name: str, result: dict[str, Any], arrays: dict[str, npt.NDArray[np.float32]]
    ) -> None:
        """Write a track's arrays, then its JSON, in place of any that are there.

        Parameters
        ----------
        name : str
            `Track.result`.
        result : dict
            What the JSON is to hold; ``"arrays"``, the names of the array files, is added.
        arrays : dict of str to numpy.ndarray
            "predictions", "embeddings" or both.

        Raises
        ------
        OSError
            Something could not be written. There is no JSON then.
        """
        target = self._file(name, ".json")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not done any more: an old JSON must not speak for new arrays.
        target.unlink(missing_ok=True)
        for kind in _ARRAYS:
            file = self._file(name, f".{kind}.npy")
            if kind in arrays:
                write_whole(file, _array_bytes(arrays[kind]))
            else:
                file.unlink(missing_ok=True)
        names = {kind: self._file(name, f".{kind}.npy").name for kind in arrays}
        write_whole(target, _json_lines({**result, "arrays": names}))

    def remove_scraps(self, names: Iterable[str]) -> None:
        """Remove what runs that were killed while writing left behind.

        Another run may be writing into the same folder: what is younger than it takes to write a
        file, and by far, stays.

        Parameters
        ----------
        names : iterable of str
            `Track.result` of the tracks beside whose results they may lie.
        """
        old = time.time() - _SCRAP_SECONDS
        for folder in {self.path, *(self._file(name, "").parent for name in names)}:
            for left in folder.glob(UNFINISHED):
                with contextlib.suppress(OSError):
                    if left.stat().st_mtime < old:
                        left.unlink()

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the account of a run.

        Parameters
        ----------
        summary : dict
            What `SUMMARY` is to hold.

        Raises
        ------
        OSError
            It could not be written.
        """
        write_json(self.path / SUMMARY, summary)

    def _file(self, name: str, ending: str) -> Path:
        return self.path / (name + ending)


def _json_lines(result: dict[str, Any]) -> bytes:
    """Give JSON with a line for each topic, and for each member of a list.

    Python spells whole lines in C; with an indent for every level it takes four times as long.
    """
    spell = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    topics = []
    for name, value in result.items():
        if isinstance(value, list) and value:
            spelled = "[\n  " + ",\n  ".join(map(spell, value)) + "\n ]"
        else:
            spelled = spell(value)
        topics.append(f" {spell(name)}: {spelled}")
    text = "{\n" + ",\n".join(topics) + "\n}\n"
    return text.encode("utf-8", "backslashreplace")


def _array_bytes(array: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
