"""A track as a row of the tables, and its segments."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from typing import Any

import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..front_end import SAMPLE_RATE
from ..model import Model
from ..reading.families import SEPARATOR
from ..remote.copies import fetched
from ..remote.urls import folder_of, is_url
from ..results.audio_hash import audio_hash
from ..results.path_text import path_text
from .audio_status import size_and_mtime
from .flags import columns_of_flags
from .options import AnalysisOptions
from .outcomes import Failure
from .scan import Track
from .sinks import Analysed
from .track_summary import COLUMN_OF, held_seconds, means_of, top_labels

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class TrackRows:
    """What is to be written about a track.

    Attributes
    ----------
    values : dict
        Column of `tracks` -> value, but for vectors.
    vectors : dict of str to numpy.ndarray
        Column -> shape [values].
    segments : dict of str to list
        Column of `segments` -> values, but for vectors.
    segment_vectors : dict of str to numpy.ndarray
        Column -> shape [segments, values].
    """

    values: dict[str, Any]
    vectors: dict[str, Array]
    segments: dict[str, list[Any]]
    segment_vectors: dict[str, Array]

    @property
    def parts(self) -> tuple[dict[str, Any], ...]:
        """What it is made of, in order."""
        return self.values, self.vectors, self.segments, self.segment_vectors

    @property
    def bytes(self) -> int:
        """What the vectors take in memory."""
        kept = (*self.vectors.values(), *self.segment_vectors.values())
        return sum(values.nbytes for values in kept)

    def without_segments(self) -> TrackRows:
        """Give the row of the track alone."""
        return dataclasses.replace(
            self,
            segments={name: [] for name in self.segments},
            segment_vectors={name: values[:0] for name, values in self.segment_vectors.items()},
        )


def place_of(track: Track) -> dict[str, Any]:
    """Tell where a track is, and what says that it is the same file as before.

    Parameters
    ----------
    track : Track
        Which.

    Returns
    -------
    dict
        ``path``, ``root``, ``size`` and ``mtime``, as the table of tracks has them.

    Raises
    ------
    OSError
        The file is gone.
    """
    if track.listed is not None:
        size, mtime = track.listed.size or 0, track.listed.mtime
    else:
        size, mtime = size_and_mtime(track.path)
    return {**names_of(track), "size": size, "mtime": mtime}


def hash_of(path: str) -> str:
    """Hash the audio of a file, wherever it is; see `audio_hash`."""
    if not is_url(path):
        return audio_hash(path)
    with fetched(path) as copy:
        return audio_hash(copy)


def names_of(track: Track) -> dict[str, str]:
    """Give ``root`` and ``path`` of a track, as the tables have them."""
    root = track.root or folder_of(track.path)
    return {"root": path_text(root), "path": path_text(track.relative)}


def rows_of_track(analysed: Analysed, model: Model, options: AnalysisOptions) -> TrackRows:
    """Make the rows of a track.

    Parameters
    ----------
    analysed : Analysed
        The track.
    model, options
        What analysed it, and how.

    Returns
    -------
    TrackRows
        Without ``id``.

    Raises
    ------
    OSError
        The file is gone.
    """
    facts, analysis, flags = analysed.facts, analysed.analysis, analysed.flags
    held = held_seconds(analysis.starts, analysis.segment_seconds, facts.samples / SAMPLE_RATE)
    means = means_of(analysis.arrays, held)
    values: dict[str, Any] = {
        **place_of(analysed.track),
        "audio_hash": facts.audio_hash or hash_of(analysed.track.path),
        "seconds": round(facts.samples / SAMPLE_RATE, 3),
        "segments": len(held),
        "decoder": facts.decoder,
        "container": facts.container,
        "codec": facts.codec,
        **columns_of_flags(flags),
        "decode_seconds": round(analysed.seconds.decode, 4),
        "model_seconds": round(analysed.seconds.front_end + analysed.seconds.model, 4),
    }
    if "predictions" in means:
        values["top"] = top_labels(means["predictions"], model, options)
    return TrackRows(
        values,
        means,
        {
            "start": [round(start, 3) for start in analysis.starts.tolist()],
            "seconds": [round(seconds, 3) for seconds in held.tolist()],
        },
        {COLUMN_OF[name]: values for name, values in analysis.arrays.items()},
    )


def told_by_top(top: list[dict[str, Any]]) -> dict[str, Any]:
    """Give what `top_labels` gave as the JSON of a track has it: ``top`` or ``families``."""
    families: dict[str, dict[str, float]] = {}
    for entry in top:
        if entry["family"] is not None:
            name = entry["label"].removeprefix(entry["family"] + SEPARATOR)
            families.setdefault(entry["family"], {})[name] = entry["activation"]
    if families:
        return {"families": families}
    return {"top": [{"label": entry["label"], "activation": entry["activation"]} for entry in top]}


def row_of_failure(failure: Failure, track: Track | None) -> dict[str, Any]:
    """Make a row of `failures`."""
    place: dict[str, Any] = {
        "path": path_text(track.relative if track else os.path.basename(failure.path)),
        "root": path_text((track.root if track else "") or folder_of(failure.path)),
        "size": None,
        "mtime": None,
    }
    # That it is gone may be why it failed.
    with contextlib.suppress(OSError, InvalidArgumentError):
        place |= place_of(track) if track else {}
    return {
        **place,
        "stage": failure.stage,
        "reason": path_text(failure.reason),
        "error": failure.error,
    }


def id_of(values: dict[str, Any], taken: set[int]) -> int:
    """Give a track a number that no other has.

    Parameters
    ----------
    values : dict
        Its row.
    taken : set of int
        Numbers that others have; the new one is added.

    Returns
    -------
    int
        The first 8 bytes of a BLAKE2b of root, path and audio, as a signed number.
    """
    text = "\0".join((values["root"], values["path"], values["audio_hash"]))
    while True:
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        found = int.from_bytes(digest, "little", signed=True)
        if found not in taken:
            taken.add(found)
            return found
        text += "\0"
