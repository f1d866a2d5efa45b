"""What an earlier run has done already, and whether it computed as this one does."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..errors import InvalidArgumentError
from ..origin import differences
from .flags import why_failed
from .options import KEEP, MIXED, REDO, REFUSE
from .outcomes import Difference, Tally
from .scan import Track
from .sinks import Earlier, ResultSink

_log = logging.getLogger(__name__)


class EarlierResults:
    """The results that are in a folder, seen from a run that would go on.

    Parameters
    ----------
    sink : ResultSink
        Where they are.
    wanted : dict
        What all results of this run have in common: ``model``, ``options``, ``provenance``.
    mixed : {"keep", "redo", "refuse"}
        What becomes of results of the same file, model and options that other kernels, another
        ONNX Runtime or other decoders made. "keep" leaves them alone; 100,000 tracks are not done
        again without being asked.
    strict : bool
        Results of truncated and damaged files do not count.

    Attributes
    ----------
    flagged : Tally
        Tracks left alone that are remarkable.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        `mixed` is none of these.
    """

    def __init__(
        self,
        sink: ResultSink,
        wanted: dict[str, Any],
        mixed: str = KEEP,
        *,
        strict: bool = False,
    ) -> None:
        if mixed not in MIXED:
            raise InvalidArgumentError(f"mixed is {mixed!r}; wanted: {', '.join(MIXED)}")
        self._sink = sink
        self._wanted = wanted
        self._mixed = mixed
        self._strict = strict
        self.flagged = Tally()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._other = 0

    def left_to_do(self, tracks: Sequence[Track]) -> list[Track]:
        """Tell which tracks are to be analysed.

        Parameters
        ----------
        tracks : sequence of Track
            All of them.

        Returns
        -------
        list of Track
            Those without results of the same audio, model and options; with "redo" also those
            whose results were computed otherwise.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            There are such, and they are refused.
        """
        found = self._sink.find(tracks)
        left = [
            track
            for track, earlier in zip(tracks, found, strict=True)
            if earlier is None or not self._stays(track, earlier)
        ]
        if self._other and self._mixed == REFUSE:
            raise InvalidArgumentError(f"{self._differing()}: refused, as asked")
        return left

    @property
    def mixed(self) -> list[Difference]:
        """In what results that stay were computed otherwise."""
        return [] if self._mixed == REDO else self._differences()

    def warning(self) -> str | None:
        """Say in one line that results were computed otherwise; None if none were."""
        if not self._other:
            return None
        if self._mixed == REDO:
            return f"{self._differing()}: they are done again"
        return (
            f"warning: {self._differing()}: results are mixed now, and may differ by a little; "
            "--mixed redo does those again"
        )

    def _stays(self, track: Track, found: Earlier) -> bool:
        if self._strict and why_failed(found.flags):
            return False
        other = differences(found.provenance, self._wanted["provenance"])
        if other:
            self._other += 1
            self._counts.update((what, *values) for what, values in other.items())
        stays = not other or self._mixed != REDO
        if stays:
            self.flagged.add(track.path, found.flags)
            _log.debug("%s: done before", track.path)
        return stays

    def _differences(self) -> list[Difference]:
        return [Difference(*what, tracks) for what, tracks in sorted(self._counts.items())]

    def _differing(self) -> str:
        listed = ", ".join(map(str, self._differences()))
        return f"{self._other} tracks done before were computed otherwise: {listed}"
