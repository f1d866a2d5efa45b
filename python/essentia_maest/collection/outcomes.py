"""What becomes of tracks: counts, failures, and where the time went."""

from __future__ import annotations

import dataclasses
import errno
from typing import Any

from ..decoding.paths import printable_path
from ..errors import in_words

FLAGS = ("truncated", "damaged", "silent", "short")
"""What may be remarkable about a track: see `essentia_maest.collection.flags`."""

MOST_NAMED = 100
"""Tracks and files that a summary names of each kind; it counts all."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A track, a folder or a file of results that came to nothing.

    Attributes
    ----------
    path : str
        Which one.
    stage : {"scan", "decode", "analyze", "write", "summary"}
        What was being done.
    reason : str
        Why it failed, in one line.
    error : str or None
        The operating system's name of it, such as ``"ENOSPC"``, where that is where it is from.
    """

    path: str
    stage: str
    reason: str
    error: str | None = None

    @classmethod
    def of(cls, path: str, stage: str, error: BaseException) -> Failure:
        """Make a failure of what was raised.

        Parameters
        ----------
        path, stage : str
            See `Failure`.
        error : BaseException
            What was raised.

        Returns
        -------
        Failure
        """
        number = error.errno if isinstance(error, OSError) else None
        return cls(path, stage, in_words(error), errno.errorcode.get(number or 0))


def failure_line(failure: Failure) -> str:
    """Put a failure in one printable line.

    Parameters
    ----------
    failure : Failure
        What failed.

    Returns
    -------
    str
        Path and reason, without naming the path twice.
    """
    path = printable_path(failure.path)
    reason = printable_path(failure.reason)
    return f"failed: {reason}" if reason.startswith(path) else f"failed: {path}: {reason}"


@dataclasses.dataclass
class StageSeconds:
    """Seconds that went into each stage, summed over processes and threads.

    Attributes
    ----------
    decode : float
        From file to samples at 16 kHz: CPU time, as decoders wait for those who take the samples.
    front_end : float
        From samples to mel frames.
    model : float
        From mel frames to results.
    writing : float
        Results to the disk.
    """

    decode: float = 0.0
    front_end: float = 0.0
    model: float = 0.0
    writing: float = 0.0

    def add(self, other: StageSeconds) -> None:
        """Add what another track took.

        Parameters
        ----------
        other : StageSeconds
            What it took.
        """
        self.decode += other.decode
        self.front_end += other.front_end
        self.model += other.model
        self.writing += other.writing

    def rounded(self) -> dict[str, float]:
        """Give them as JSON has them, to the millisecond."""
        return {name: round(seconds, 3) for name, seconds in dataclasses.asdict(self).items()}


@dataclasses.dataclass(frozen=True)
class Difference:
    """In what results of an earlier run were computed otherwise than this run computes.

    Attributes
    ----------
    what : str
        Such as "runtime.onnxruntime"; see `essentia_maest.provenance`.
    there, here : str
        What it was then, and what it is now.
    tracks : int
        How many there are of them.
    """

    what: str
    there: str
    here: str
    tracks: int

    def __str__(self) -> str:
        return f"{self.what} {self.there} there, {self.here} here ({self.tracks} tracks)"


@dataclasses.dataclass
class Tally:
    """How many tracks were remarkable, and which.

    Attributes
    ----------
    counts : dict of str to int
        By flag.
    named : dict of str to list of dict
        The first of them: ``"track"``, and what the flag tells.
    """

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    named: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)

    def add(self, path: str, flags: dict[str, Any]) -> None:
        """Count a track.

        Parameters
        ----------
        path : str
            Which.
        flags : dict
            As `flags_of` gave them.
        """
        for flag in FLAGS:
            if flag not in flags:
                continue
            self.counts[flag] = self.counts.get(flag, 0) + 1
            named = self.named.setdefault(flag, [])
            if len(named) < MOST_NAMED:
                told = flags[flag]
                more = told if isinstance(told, dict) else {} if told is True else {"what": told}
                named.append({"track": path, **more})

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON has it: by flag ``count``, and ``tracks``, which are the first 100."""
        return {
            flag: {"count": self.counts[flag], "tracks": self.named[flag]}
            for flag in FLAGS
            if flag in self.counts
        }

    def __str__(self) -> str:
        return ", ".join(f"{self.counts[flag]} {flag}" for flag in FLAGS if flag in self.counts)


@dataclasses.dataclass
class RunReport:
    """What became of a run.

    Attributes
    ----------
    found, analyzed, resumed : int
        Tracks found, analysed now, and left alone because they were done before.
    duplicates : int
        Names left out because they lead to a track already found.
    failures : list of Failure
        Tracks and folders that came to nothing.
    audio_seconds : float
        Length of what was analysed now.
    stopped : str or None
        Why the run ended early, if it did.
    seconds : StageSeconds
        Where the time went.
    mixed : list of Difference
        In what results that were left alone were computed otherwise.
    flagged : Tally
        Tracks, analysed now or before, that are remarkable.
    left_out : dict of str to list of str
        Files that sound like audio and that nobody here reads, by the ending of their names.
    skipped : list of str
        Hidden folders, and what is beside audio files, that were not looked into.
    """

    found: int = 0
    analyzed: int = 0
    resumed: int = 0
    duplicates: int = 0
    failures: list[Failure] = dataclasses.field(default_factory=list)
    audio_seconds: float = 0.0
    stopped: str | None = None
    seconds: StageSeconds = dataclasses.field(default_factory=StageSeconds)
    mixed: list[Difference] = dataclasses.field(default_factory=list)
    flagged: Tally = dataclasses.field(default_factory=Tally)
    left_out: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    skipped: list[str] = dataclasses.field(default_factory=list)

    @property
    def not_reached(self) -> int:
        """Tracks that nothing became of, as the run ended before."""
        failed = sum(failure.stage in ("decode", "analyze", "write") for failure in self.failures)
        return max(0, self.found - self.analyzed - self.resumed - failed)

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "audio_seconds": round(self.audio_seconds, 3),
            "stage_seconds": self.seconds.rounded(),
            "stopped": self.stopped,
            "counts": {
                "found": self.found,
                "analyzed": self.analyzed,
                "resumed": self.resumed,
                "failed": len(self.failures),
                "duplicates": self.duplicates,
                "not_reached": self.not_reached,
                "left_out": sum(map(len, self.left_out.values())),
                "skipped": len(self.skipped),
            },
            "failures": [dataclasses.asdict(failure) for failure in self.failures],
            "flags": self.flagged.as_json(),
            "left_out": {
                ending: {"count": len(files), "files": files[:MOST_NAMED]}
                for ending, files in self.left_out.items()
            },
            "skipped": {"count": len(self.skipped), "paths": self.skipped[:MOST_NAMED]},
            "mixed": [dataclasses.asdict(difference) for difference in self.mixed],
        }
