"""Analyse files of a script: results as they come, failures as values."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from ..decoding.audio_file import AudioFile
from ..errors import InvalidArgumentError
from ..file_analysis import FileAnalysis, FileFailure
from ..front_end import SAMPLE_RATE
from ..hearing import Mp3Error
from ..model import Model
from ..patchout import Patchout
from ..request import Output, Request, Tail
from .analysing import Analysed
from .described import Described
from .local_engine import LocalEngine
from .options import AnalysisOptions, Shares
from .outcomes import Failure
from .scan import Track


class FileAnalyses(Iterator["FileAnalysis | FileFailure"]):
    """Results as they come; use as a context, or iterate to the end, or call `close`.

    Parameters
    ----------
    results : generator
        What gives them.
    """

    def __init__(self, results: Generator[FileAnalysis | FileFailure, None, None]) -> None:
        self._results = results

    def __next__(self) -> FileAnalysis | FileFailure:
        """Do work until there is another result."""
        return next(self._results)

    def close(self) -> None:
        """End all work and all processes, and let go of the memory shared with them."""
        self._results.close()

    def __enter__(self) -> FileAnalyses:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def analyze_files(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: Model | str | os.PathLike[str] = "default",
    workers: int | None = None,
    threads: int = 0,
    outputs: Sequence[Output] = ("predictions", "embeddings"),
    block: int | Sequence[int] = 7,
    tokens: Sequence[str] = ("cls", "dist", "avg"),
    patchout: str | Patchout = "F0T0",
    hop: float | None = None,
    tail: Tail = "repeat",
    segments: int | None = None,
    mp3_error: Mp3Error = "none",
) -> FileAnalyses:
    """Analyse many files: decoded in processes of their own, computed there or in this one.

    Results are, bit for bit, those of `Model.analyze` on `load_audio`. A file that cannot be
    decoded, crashes its decoder or hangs it costs a `FileFailure`, and nothing else. No result is
    written anywhere: ``maest analyze`` does that, and resumes.

    The processes are programs of their own, which import nothing of yours: a script needs no
    ``if __name__ == "__main__"``. They end, and the memory shared with them is let go of, when all
    files are done, when the iterator is closed, by itself or as a context, when nothing refers to
    it any more, and with this process, however it ends.

    Parameters
    ----------
    paths : iterable of str or os.PathLike
        Files; all are taken at the call. One that comes twice is analysed twice.
    model : Model, str or path-like, default "default"
        A model, opened best with ``num_threads=1``, or what `Model` opens.
    workers : int, optional
        Processes that decode; None is one per CPU that this process may use.
    threads : int, default 0
        Files, or segments of one, that are computed at once; 0 is one per CPU. With as many as
        `workers`, and 8 files or more for each, processes open the model's file, too, and do both.
    outputs, block, tokens, patchout, hop, tail
        See `Request`.
    segments : int, optional
        Compute only so many segments of each file, spread evenly over it. They are the same, to
        the bit, as those of the whole; what lies between is not decoded where the format allows.
    mp3_error : {"none", "1lsb"}, default "none"
        See `Model.analyze_file`.

    Returns
    -------
    FileAnalyses
        Iterator of `FileAnalysis` or `FileFailure`: one for each path, in the order in which they
        get done. It does its work when it is asked for the next.

    Raises
    ------
    InvalidArgumentError
        For an option that the model does not have, or a number that no machine could serve.
    ModelError
        If there is no such model.
    StoppedEarlyError
        From the iterator: no process, or no thread, can be started.

    Examples
    --------
    >>> import essentia_maest as maest
    >>> for found in maest.analyze_files([maest.example_audio(), "missing.mp3"], workers=1):
    ...     if isinstance(found, maest.FileFailure):
    ...         print("failed:", found.path)
    failed: missing.mp3
    """
    shares = Shares.of(workers, threads)
    options = AnalysisOptions(
        Request(tuple(outputs), block, tokens, patchout, hop, tail),
        segments=segments,
        mp3_error=mp3_error,
    )
    if isinstance(paths, str | bytes | os.PathLike):
        raise InvalidArgumentError(f"paths is {paths!r}, one path; several are wanted, in a list")
    # Absolute, as the working directory may change; instead of a result's name, what was given.
    tracks = [Track(os.path.abspath(os.fsdecode(path)), os.fsdecode(path)) for path in paths]
    opened = (
        model
        if isinstance(model, Model)
        else Model(model, num_threads=shares.threads if len(tracks) == 1 else 1)
    )
    analysing = LocalEngine(opened, options, shares, _as_result, open_audio=AudioFile, quick=True)
    return FileAnalyses(_results(analysing, tracks))


def _results(
    analysing: LocalEngine[FileAnalysis], tracks: list[Track]
) -> Generator[FileAnalysis | FileFailure, None, None]:
    with contextlib.closing(analysing.run(tracks)) as outcomes:
        for track, outcome in outcomes:
            if isinstance(outcome, Failure):
                yield FileFailure(Path(track.result), outcome.stage, outcome.reason)
            else:
                yield outcome


def _as_result(analysed: Analysed | Described) -> FileAnalysis:
    assert isinstance(analysed, Analysed)  # nothing describes it
    facts, analysis = analysed.facts, analysed.analysis
    return FileAnalysis(
        path=Path(analysed.track.result),
        outputs=analysis.arrays,
        start_seconds=analysis.starts,
        seconds=facts.samples / SAMPLE_RATE,
        segment_seconds=analysis.segment_seconds,
        container=facts.container,
        codec=facts.codec,
        decoder=facts.decoder,
        ending=facts.ending,
        seconds_promised=facts.promised,
        damage=facts.damage,
    )
