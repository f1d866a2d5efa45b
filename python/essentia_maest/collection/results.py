"""Results as files of each track: what is there is whole, and known for what it is."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import json
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError, StoppedEarlyError, ends_all_work, in_words
from ..files import UNFINISHED, write_json, write_whole
from ..results.places import is_remote, make_folder, place_of, write_file
from .audio_status import size_and_mtime
from .describe import describe_track
from .outcomes import Failure
from .scan import Track
from .sinks import Analysed, Earlier, RunFacts

SUMMARY = "summary.json"
_ARRAYS = ("predictions", "embeddings")
_SCRAP_SECONDS = 3600.0


def made_folder(folder: str | os.PathLike[str]) -> Path:
    """Make the folder for the results, if it is not there.

    Parameters
    ----------
    folder : str or os.PathLike
        Which.

    Returns
    -------
    pathlib.Path
        Absolute.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Nothing can be written there; the message says why.
    essentia_maest.errors.StoppedEarlyError
        The same, because the disk is full or lost.
    """
    path = place_of(folder)
    if is_remote(path):
        return _made_remote_folder(path)
    shown = printable_path(path)
    if path.exists() and not path.is_dir():
        raise InvalidArgumentError(f"{shown}: is a file; a folder for the results is wanted")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        full = ends_all_work(error) and error.errno != errno.EROFS
        kind = StoppedEarlyError if full else InvalidArgumentError
        raise kind(
            f"{shown}: no results can be written there: {error.strerror or error}"
        ) from error
    return path


def _made_remote_folder(path: Path) -> Path:
    try:
        probe = path / ".maest-probe"
        make_folder(path)
        write_file(probe, b"")
        probe.unlink()
    except Exception as error:  # of any library that fsspec may use
        raise InvalidArgumentError(
            f"{path}: no results can be written there: {in_words(error)}"
        ) from error
    return path


@dataclasses.dataclass(frozen=True)
class _Written:
    """What is to be written about a track."""

    name: str
    result: dict[str, Any]
    arrays: dict[str, npt.NDArray[np.float32]]


class ResultFolder:
    """Where results go, files for each track: a `ResultSink`.

    Each track has ``NAME.json`` and, beside it, ``NAME.predictions.npy`` and
    ``NAME.embeddings.npy``. Files appear whole or not at all, the JSON last: where it is, the
    track is done.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; made if it does not exist.
    writes : bool
        False where nothing will be: the folder need not be there.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Nothing can be written there; the message says why.
    essentia_maest.errors.StoppedEarlyError
        The same, because the disk is full or lost.
    """

    def __init__(self, folder: str | os.PathLike[str], *, writes: bool = True) -> None:
        if is_remote(place_of(folder)):
            raise InvalidArgumentError(
                f"{place_of(folder)}: files for each track go into folders of this machine only; "
                "wanted: --format parquet for a URL"
            )
        self.path = made_folder(folder) if writes else place_of(folder)
        self._run: RunFacts | None = None
        self._asked_for: set[str] = set()

    @property
    def hashes(self) -> bool:
        """No."""
        return False

    @property
    def describe_elsewhere(self) -> None:
        """None: files of each track are written."""
        return None

    @property
    def memory(self) -> None:
        """None: nothing is described elsewhere."""
        return None

    @property
    def unwritten(self) -> int:
        """None: each track is written at once."""
        return 0

    def open(self, run: RunFacts, *, resume: bool) -> None:
        """Learn what all results have in common; anything may be there."""
        self._run = run

    def find(self, tracks: Sequence[Track]) -> list[Earlier | None]:
        """Tell which tracks have results of the same path, size, time, model and options."""
        self._asked_for.update(track.result for track in tracks)
        return [self._earlier(track) for track in tracks]

    def begin(self, waiting: Sequence[Track]) -> None:
        """Remove what killed runs left behind, beside results that are done, too."""
        self.remove_scraps(self._asked_for.union(track.result for track in waiting))

    def describe(self, analysed: Analysed) -> _Written:
        """Make the JSON of a track."""
        run, track = self._facts, analysed.track
        result = describe_track(
            track.path, analysed.facts, run.model, run.options, analysed.analysis
        )
        # The path first, the long list of segments last: for whoever looks into the file.
        common = dict(run.common)
        if analysed.provenance is not None:
            common["provenance"] = analysed.provenance
        told = {"track": track.path, **common, **result}
        return _Written(track.result, told, analysed.analysis.arrays)

    def track(self, described: _Written) -> None:
        """Write a track's files."""
        self.write(described.name, described.result, described.arrays)

    def failure(self, failure: Failure, track: Track | None) -> None:
        """Leave it to the summary."""

    def flush(self) -> None:
        """Do nothing: each track is written at once."""

    def close(self) -> None:
        """Do nothing: runs side by side write the same files."""

    def labels(self, described: _Written) -> list[dict[str, Any]]:
        """Give the strongest labels of a track that `describe` took."""
        families = described.result.get("families")
        if families:
            return [
                {"family": family, "label": label, "activation": activation}
                for family, labels in families.items()
                for label, activation in labels.items()
            ]
        return [{"family": None, **label} for label in described.result.get("top", [])]

    def told(self, track: Track) -> dict[str, Any]:
        """Give a track's JSON."""
        return self.read(track.result) or {}

    @property
    def _facts(self) -> RunFacts:
        if self._run is None:
            raise RuntimeError("the folder was not opened for a run")
        return self._run

    def _earlier(self, track: Track) -> Earlier | None:
        found = self.read(track.result)
        if found is None or not self._is_of(found, track):
            return None
        flags = found.get("flags")
        return Earlier(flags if isinstance(flags, dict) else {}, found.get("provenance"))

    def _is_of(self, found: dict[str, Any], track: Track) -> bool:
        wanted = self._facts.common
        try:
            size, mtime = size_and_mtime(track.path)
            written = self._file(track.result, ".json").stat().st_mtime_ns
        except OSError:
            return False
        if "file_mtime" not in found and mtime <= written:  # 0.1 did not tell
            found = {**found, "file_mtime": mtime}
        same = {
            "track": track.path,
            "file_size": size,
            "file_mtime": mtime,
            "options": wanted["options"],
        }
        model = found.get("model")
        return (
            all(found.get(key) == value for key, value in same.items())
            and isinstance(model, dict)
            and all(model.get(key) == wanted["model"][key] for key in ("name", "sha256"))
        )

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
