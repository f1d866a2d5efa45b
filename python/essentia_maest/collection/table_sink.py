"""Results as tables: parts of many tracks, each written when it is worth a file."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from ..errors import InvalidArgumentError
from ..model import Model
from ..results.columns import FAILURES, VECTOR_TYPES, Vectors
from ..results.csv_files import write_csv
from ..results.one_writer import writer_of
from ..results.parquet import Rows
from ..results.parts import PartsFolder
from ..results.path_text import path_text
from ..results.places import Content, place_of, write_json_file
from .describe import describe_versions
from .earlier_rows import EarlierRows
from .encoding_process import EncodingProcess
from .options import AnalysisOptions
from .outcomes import Failure
from .packed_rows import PackedRows, packed_rows_of, unpacked
from .part_making import PartToMake
from .results import SUMMARY, made_folder
from .rows_memory import RowsMemory, fetch
from .scan import Track
from .sinks import Analysed, Earlier, RunFacts
from .track_rows import id_of, names_of, row_of_failure, told_by_top

MOST_BYTES = 64 << 20
"""A part is written when its vectors take so much memory,"""

MOST_TRACKS = 1000
"""when it holds so many tracks,"""

MOST_SECONDS = 300.0
"""or when its first track waits so long: a killed run loses no more than that."""

# Failures that are about the run, not about a file.
_OF_THE_RUN = ("write", "summary")


@dataclasses.dataclass
class _Waiting:
    """Rows that are not on the disk."""

    tracks: list[PackedRows] = dataclasses.field(default_factory=list)
    failures: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    bytes: int = 0
    since: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.tracks or self.failures)


class TableSink:
    """Where results go, as tables: a `ResultSink`.

    The folder holds results of one model and one way to compute: who reads a table need not ask
    which row is of what.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; made if it does not exist.
    embeddings : {"float32", "float16"}
        What embeddings are kept in.
    csv : bool
        Whether sheets are made of the tables in the end.
    writes : bool
        False where nothing will be: the folder need not be there.
    segments : bool
        Whether segments have rows; without, the tables are as long as the tracks are many.
    most_bytes, most_tracks, most_seconds
        See `MOST_BYTES` and those after it.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Nothing can be written there, or `embeddings` is none of these.
    essentia_maest.errors.StoppedEarlyError
        The disk is full or lost.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        embeddings: str = "float32",
        csv: bool = False,
        segments: bool = True,
        most_bytes: int = MOST_BYTES,
        most_tracks: int = MOST_TRACKS,
        most_seconds: float = MOST_SECONDS,
        writes: bool = True,
    ) -> None:
        if embeddings not in VECTOR_TYPES:
            raise InvalidArgumentError(
                f"embeddings is {embeddings!r}; wanted: {', '.join(VECTOR_TYPES)}"
            )
        self.path = made_folder(folder) if writes else place_of(folder)
        self._memory = RowsMemory(writes)
        self._encoding = EncodingProcess(memory=self._memory)
        self._parts = PartsFolder(self.path, self._encoding.encode)
        # Who does not write keeps nobody out.
        self._one_writer = writer_of(self.path) if writes else None
        self._embeddings = embeddings
        self._csv = csv
        self._segments = segments
        self._most = (most_bytes, most_tracks, most_seconds)
        self._waiting = _Waiting()
        self._lock = threading.Lock()  # of what waits
        # One part is written at a time, while rows of the next come.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="tables")
        self._handing = threading.Lock()
        self._part: Future[None] | None = None
        self._run: RunFacts | None = None
        self._vectors = Vectors()
        self._earlier: EarlierRows | None = None
        self._ids: set[int] = set()
        self._tops: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    @property
    def hashes(self) -> bool:
        """Yes: a track is known by its audio."""
        return True

    @property
    def describe_elsewhere(self) -> Callable[[Analysed, Model, AnalysisOptions], PackedRows]:
        """What makes the rows of a track, in whatever process; parts are written in a thread."""
        return partial(packed_rows_of, segments=self._segments, embeddings=self._embeddings)

    @property
    def memory(self) -> RowsMemory:
        """Where rows may be left, from which parts are made."""
        return self._memory

    @property
    def unwritten(self) -> int:
        """Tracks that wait for their part to be written."""
        return len(self._waiting.tracks)

    def open(self, run: RunFacts, *, resume: bool) -> None:
        """Read what is there.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            There are tables, and they are not to be gone on with, or are of another model, of
            other options, or damaged; or another run writes there.
        """
        if self._one_writer is not None:
            self._one_writer.begin()
        self._run = run
        self._vectors = self._kept_vectors(run)
        earlier = EarlierRows(self._parts, run, self._vectors)
        if earlier.count and not resume:
            raise InvalidArgumentError(
                f"{path_text(self.path)}: has the results of {earlier.count} tracks; wanted: "
                "--resume to go on with them, or another folder"
            )
        if resume and not earlier.count and not self._parts.files("failures"):
            self._refuse_files()
        earlier.check()
        self._earlier = earlier
        self._ids = earlier.ids

    def find(self, tracks: Sequence[Track]) -> list[Earlier | None]:
        """Tell which tracks have rows of the same audio."""
        return self._of_before.find(tracks)

    def begin(self, waiting: Sequence[Track]) -> None:
        """Remove rows of what is to be analysed, and bring those of moved files up to date."""
        self._of_before.settle(waiting)

    def describe(self, analysed: Analysed) -> PackedRows:
        """Make the rows of a track."""
        run = self._facts
        return self.describe_elsewhere(analysed, run.model, run.options)

    def track(self, described: PackedRows) -> None:
        """Take the rows of a track, and write a part when there is enough for one."""
        with self._lock:
            described = self._numbered(described)
            self._remember(described)
            if not self._waiting.tracks:
                self._waiting.since = time.monotonic()
            self._waiting.tracks.append(described)
            self._waiting.bytes += described.bytes
            taken = self._take() if self._is_due() else None
        if taken is not None:
            try:
                self._hand_over(taken)
            except OSError:
                with self._lock:  # whoever gave it tells that it failed
                    self._waiting.tracks = [
                        track for track in self._waiting.tracks if track is not described
                    ]
                self._memory.give_back(described.slot)
                raise

    def failure(self, failure: Failure, track: Track | None) -> None:
        """Take a failure, as a row."""
        if failure.stage not in _OF_THE_RUN:
            with self._lock:
                self._waiting.failures.append(row_of_failure(failure, track))

    def flush(self) -> None:
        """Write what waits as a part, after the one that is being written.

        Raises
        ------
        OSError
            It could not be written, and waits on.
        """
        with self._handing, contextlib.suppress(OSError):
            self._wait_for_part()  # what could not be written waits, and is tried again
        with self._lock:
            taken = self._take()
        self._write_or_keep(taken)

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the account of a run, and sheets if they are wanted."""
        self._encoding.close()
        self._require_held()
        if self._csv:
            write_csv(self.path)
        write_json_file(self.path / SUMMARY, summary)

    def labels(self, described: PackedRows) -> Sequence[dict[str, Any]]:
        """Give the strongest labels of a track that `describe` took."""
        return described.labels

    def close(self) -> None:
        """Let other runs write there."""
        self._writer.shutdown()
        self._memory.close()
        if self._one_writer is not None:
            self._one_writer.end()

    def told(self, track: Track) -> dict[str, Any]:
        """Give the strongest labels of a track."""
        top = self._tops.get((*names_of(track).values(),))
        if top is None:
            top = self._of_before.top_of(track)
        return told_by_top(top) if top else {}

    @property
    def _facts(self) -> RunFacts:
        if self._run is None:
            raise RuntimeError("the tables were not opened for a run")
        return self._run

    @property
    def _of_before(self) -> EarlierRows:
        if self._earlier is None:
            raise RuntimeError("the tables were not opened for a run")
        return self._earlier

    def _kept_vectors(self, run: RunFacts) -> Vectors:
        model, options = run.model, run.options
        plan = model.plan(options.request)
        shapes = dict(zip(options.request.outputs, plan.output_shapes, strict=True))
        return Vectors(
            shapes["embeddings"][0] if options.embeddings else None,
            len(model.labels) if options.predictions else None,
            self._embeddings,
        )

    def _refuse_files(self) -> None:
        """Refuse to go on with what are no tables, and have all analysed again."""
        written = (path for path in self.path.rglob("*.json") if path.name != SUMMARY)
        if next(written, None) is not None:
            raise InvalidArgumentError(
                f"{path_text(self.path)}: has files for each track, and no tables; wanted: "
                "--format files to go on with them, or another folder"
            )

    def _take(self) -> _Waiting:
        taken, self._waiting = self._waiting, _Waiting()
        return taken

    def _hand_over(self, taken: _Waiting) -> None:
        """Have a part written when the one before is, whose errors are met here."""
        with self._handing:
            try:
                self._wait_for_part()
            except BaseException:
                self._put_back(taken)
                raise
            try:
                self._part = self._writer.submit(self._write_or_keep, taken)
            except RuntimeError:  # no thread is to be had
                self._write_or_keep(taken)

    def _wait_for_part(self) -> None:
        part = self._part
        if part is not None:
            try:
                part.result()
            finally:
                if part.done():
                    self._part = None

    def _write_or_keep(self, taken: _Waiting) -> None:
        try:
            self._write(taken)
        except BaseException:
            self._put_back(taken)
            raise

    def _put_back(self, taken: _Waiting) -> None:
        with self._lock:
            self._waiting.tracks[:0] = taken.tracks
            self._waiting.failures[:0] = taken.failures
            self._waiting.bytes += taken.bytes
            self._waiting.since = taken.since

    def _is_due(self) -> bool:
        most_bytes, most_tracks, most_seconds = self._most
        waiting = self._waiting
        return (
            waiting.bytes >= most_bytes
            or len(waiting.tracks) >= most_tracks
            or time.monotonic() - waiting.since >= most_seconds
        )

    def _numbered(self, described: PackedRows) -> PackedRows:
        """Give a track an id that no other has."""
        if described.id in self._ids:
            found = id_of(self._values_of(described), self._ids)
            return dataclasses.replace(described, id=found)
        self._ids.add(described.id)
        return described

    def _values_of(self, described: PackedRows) -> dict[str, Any]:
        return unpacked(fetch(self._memory.descriptor, described.content)).values

    def _remember(self, described: PackedRows) -> None:
        """Keep what is shown of a run of one track."""
        if len(self._tops) < 2:
            values = self._values_of(described)
            if "top" in values:
                self._tops[values["root"], values["path"]] = values["top"]

    def _require_held(self) -> None:
        if self._one_writer is not None:
            self._one_writer.require()

    def _write(self, taken: _Waiting) -> None:
        if taken:
            self._require_held()
        while taken.tracks:
            # A part tells what computed all that is in it.
            origin = taken.tracks[0].provenance
            some = [track for track in taken.tracks if track.provenance == origin]
            self._parts.write_made(partial(self._make, some), self._told_of_part(origin))
            for track in some:
                self._memory.give_back(track.slot)
            taken.tracks = [track for track in taken.tracks if track.provenance != origin]
            taken.bytes = sum(track.bytes for track in taken.tracks)
        if taken.failures:
            columns = {
                column.name: [row[column.name] for row in taken.failures] for column in FAILURES
            }
            self._parts.write_failures(Rows(columns, {}, self._told_of_part()))

    def _make(
        self,
        tracks: Sequence[PackedRows],
        told_with_tracks: dict[str, Any],
        told_with_segments: dict[str, Any],
    ) -> tuple[Content, Content]:
        part = PartToMake(
            [track.id for track in tracks],
            self._vectors,
            told_with_tracks,
            told_with_segments,
            self._memory.descriptor,
        )
        size = sum(track.bytes for track in tracks)
        return self._encoding.encode_part(part, [track.content for track in tracks], size)

    def _told_of_part(self, origin: dict[str, Any] | None = None) -> dict[str, Any]:
        model = self._facts.model
        return {
            **self._facts.common,
            **({} if origin is None else {"provenance": origin}),
            "labels": list(model.labels),
            "label_families": list(model.label_families),
            "versions": describe_versions(),
        }
