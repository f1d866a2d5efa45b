"""What a run is made of besides its tracks: what analyses them, and what makes its tables."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.collection import encoding_process
from essentia_maest.collection.analysing import Analysed
from essentia_maest.collection.analysis import TrackAnalysis
from essentia_maest.collection.encoding_process import EncodingProcess
from essentia_maest.collection.messages import Facts
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.runner import CollectionRun, Ending, MakeEngine
from essentia_maest.collection.scan import Track, scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.errors import AudioFileError
from essentia_maest.results.columns import Vectors
from essentia_maest.results.parquet import Rows, encode_rows
from untrained import UNTRAINED

OPTIONS = AnalysisOptions.of(block=1)
VECTORS = Vectors(64, 8)


class OneByOne:
    """An engine without processes and threads."""

    def __init__(self, model: maest.Model, conclude: Callable[[Analysed], Ending]) -> None:
        self._model = model
        self._conclude = conclude

    def run(self, tracks: Iterable[Track]) -> Generator[tuple[Track, Ending | Failure], None, None]:
        for track in tracks:
            yield track, self._ending(track)

    def leftovers(self) -> Iterator[tuple[Track, Ending | Failure]]:
        return iter(())

    def _ending(self, track: Track) -> Ending | Failure:
        try:
            with maest.AudioFile(track.path) as file:
                samples = file.read()
                peak = float(np.abs(samples).max())
                facts = Facts(file.decoder, file.container, file.codec, len(samples), None, peak)
        except AudioFileError as error:
            return Failure.of(track.path, "decode", error)
        analysis = TrackAnalysis(self._model, OPTIONS)
        analysis.push(samples)
        return self._conclude(Analysed(track, analysis.finish(), facts, analysis.seconds))


def run(
    model: maest.Model, music: Path, out: Path, make_engine: MakeEngine | None
) -> maest.Results:
    report = CollectionRun(
        model,
        OPTIONS,
        TableSink(out),
        workers=1,
        reporter=SilentReporter(),
        make_engine=make_engine,
    ).run(scan([music]))
    assert (report.analyzed, len(report.failures)) == (2, 1)
    return maest.open_results(out)


def test_another_engine_gives_the_same_tables(tmp_path):
    music = tmp_path / "music"
    for number in range(2):
        write_audio(music / f"{number}.flac", 12.0, 22050, 1, seed=number)
    (music / "bad.mp3").write_bytes(b"no music" * 100)
    model = maest.Model(UNTRAINED, num_threads=1)
    own = run(model, music, tmp_path / "own", None)
    other = run(model, music, tmp_path / "other", lambda conclude, _: OneByOne(model, conclude))
    ours, theirs = np.argsort(own.ids), np.argsort(other.ids)
    np.testing.assert_array_equal(own.ids[ours], other.ids[theirs])  # of the audio's hash, too
    np.testing.assert_array_equal(own.embeddings()[0][ours], other.embeddings()[0][theirs])
    assert own.failures["reason"].to_pylist() == other.failures["reason"].to_pylist()


def rows(count: int) -> Rows:
    generator = np.random.default_rng(0)
    return Rows(
        {"track": [1] * count, "start": [0.0] * count, "seconds": [1.0] * count},
        {
            "embedding": generator.standard_normal((count, 64)).astype(np.float32),
            "predictions": generator.random((count, 8)).astype(np.float32),
        },
        {"labels": ["a\udcff"]},
    )


def test_tables_are_the_same_wherever_they_are_made(tmp_path):
    small, large = rows(2), rows(2000)
    encoding = EncodingProcess(worth_bytes=100_000)
    assert encoding.encode("segments", small, VECTORS) == encode_rows("segments", small, VECTORS)
    assert encoding._process is None
    for _ in range(2):
        made = encoding.encode("segments", large, VECTORS)
        assert made == encode_rows("segments", large, VECTORS)
    process = encoding._process._process
    assert process.poll() is None
    process.kill()  # whatever becomes of it, nothing is lost
    assert encoding.encode("segments", large, VECTORS) == made
    assert encoding._process is None
    assert process.returncode is not None


def test_where_no_process_starts_tables_are_made_here(monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("none")

    monkeypatch.setattr(encoding_process, "WorkerProcess", refuse)
    large = rows(2000)
    made = EncodingProcess(worth_bytes=0).encode("segments", large, VECTORS)
    assert made == encode_rows("segments", large, VECTORS)


def test_what_cannot_be_made_is_told(tmp_path):
    large = rows(2000)
    large.vectors["embedding"] = large.vectors["embedding"][:10]
    encoding = EncodingProcess(worth_bytes=0)
    with pytest.raises(Exception, match=r"."):
        encoding.encode("segments", large, VECTORS)
    assert encoding._process is None


def test_a_run_ends_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr(EncodingProcess.__init__, "__defaults__", (0, None))
    write_audio(tmp_path / "music" / "0.flac", 12.0, 22050, 1)
    sink = TableSink(tmp_path / "out")
    model = maest.Model(UNTRAINED, num_threads=1)
    started = []
    monkeypatch.setattr(
        encoding_process,
        "WorkerProcess",
        lambda *how, make=encoding_process.WorkerProcess: started.append(make(*how)) or started[-1],
    )
    CollectionRun(model, OPTIONS, sink, workers=1, reporter=SilentReporter()).run(
        scan([tmp_path / "music"])
    )
    (process,) = started
    assert process._process.returncode is not None
    assert maest.open_results(tmp_path / "out").tracks.num_rows == 1
