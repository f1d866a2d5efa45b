"""Collections on a Ray cluster: several machines, each a process of Ray's on this one."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.cluster.ray_engine import MOST_DEATHS, RayEngine
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import RunReport
from essentia_maest.collection.progress import SilentReporter, TrackTold
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.commands.cli import main
from essentia_maest.errors import InvalidArgumentError
from untrained import UNTRAINED

OPTIONS = AnalysisOptions.of(block=1)
COMMAND = ["--model", str(UNTRAINED), "--block", "1", "--quiet"]
TRACKS = 24


def started(cluster: Any, **more: Any) -> Any:
    """Start a machine; a busy one may miss Ray's own time limit of 30 seconds."""
    for left in reversed(range(4)):
        try:
            return cluster.add_node(**more)
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two machines with a CPU each, and a third without, from which runs are started."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's workers are nice by themselves; other tests may be running.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    made = Cluster()
    started(made, num_cpus=0, include_dashboard=False)
    made.machines = [started(made, num_cpus=1) for _ in range(2)]
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    for number in range(TRACKS):
        write_audio(folder / f"{number:02}.flac", 2.0 + number / 10, 22050, 1, seed=number)
    write_audio(folder / "a.mp3", 12.0, 44100, 2, seed=99)
    (folder / "bad.mp3").write_bytes(b"no music" * 100)
    (folder / "empty.wav").touch()
    return folder


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED, num_threads=1)


class Watching(SilentReporter):
    """Does something when some tracks are done."""

    def __init__(self, after: int, act: Any) -> None:
        self._after, self._act, self.tracks = after, act, 0

    def track(self, told: TrackTold) -> None:
        self.tracks += 1
        if self.tracks == self._after:
            self._act()


def analysed_on(
    address: str | None,
    model: maest.Model,
    paths: list[Path],
    out: Path,
    reporter: SilentReporter | None = None,
    **more: Any,
) -> RunReport:
    return CollectionRun(
        model,
        OPTIONS,
        TableSink(out),
        workers=1,
        reporter=reporter or SilentReporter(),
        make_engine=lambda *how: RayEngine(model, OPTIONS, *how, address=address),
        **more,
    ).run(scan(paths))


def rows_by_path(results: maest.results.opened.Results) -> dict[str, tuple[Any, ...]]:
    """Give all that tables say of each track, but what it took."""
    names = [name for name in results.tracks.column_names if not name.endswith("_seconds")]
    columns = {name: results.tracks[name].to_pylist() for name in names}
    assert len(set(columns["path"])) == len(columns["path"])
    assert len(set(columns["id"])) == len(columns["id"])
    told = {
        path: tuple(values[row] for values in columns.values())
        for row, path in enumerate(columns["path"])
    }
    return dict(sorted(told.items()))


def segments_by_track(results: maest.results.opened.Results) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    names = ("track", "start", "seconds", "embedding", "predictions")
    for row in zip(*(results.segments[name].to_pylist() for name in names), strict=True):
        found.setdefault(row[0], []).append(row[1:])
    return found


def failures_of(results: maest.results.opened.Results) -> list[tuple[str, ...]]:
    names = ("path", "stage", "reason", "error")
    return sorted(zip(*(results.failures[name].to_pylist() for name in names), strict=True))


@pytest.mark.slow
def test_a_cluster_gives_what_this_machine_gives(cluster, library, tmp_path, capsys):
    here, there = tmp_path / "here", tmp_path / "there"
    command = ["analyze", str(library), *COMMAND]
    assert main([*command, "-o", str(here), "--workers", "1"]) == 1
    engine = ["--engine", "ray", "--ray-address", cluster.address]
    assert main([*command, "-o", str(there), *engine]) == 1
    capsys.readouterr()
    ours, theirs = maest.open_results(here), maest.open_results(there)
    assert rows_by_path(ours) == rows_by_path(theirs)
    assert len(rows_by_path(ours)) == TRACKS + 1
    assert segments_by_track(ours) == segments_by_track(theirs)
    assert failures_of(ours) == failures_of(theirs)
    assert ours.info["provenance"] == theirs.info["provenance"]
    assert min(theirs.tracks["model_seconds"].to_pylist()) > 0

    write_audio(tmp_path / "more" / "new.flac", 2.0, 22050, 1, seed=50)
    more = ["analyze", str(library), str(tmp_path / "more"), *COMMAND[:-1], "-o", str(there)]
    assert main([*more, *engine, "--resume", "--workers", "1"]) == 1
    told = capsys.readouterr().err
    assert "1 analysed" in told
    assert f"{TRACKS + 1} done before" in told
    assert len(rows_by_path(maest.open_results(there))) == TRACKS + 2


@pytest.mark.slow
def test_an_interrupted_run_is_gone_on_with(cluster, model, library, tmp_path):
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analysed_on(cluster.address, model, [library], tmp_path, Watching(5, interrupt))
    done = maest.open_results(tmp_path).tracks.num_rows
    assert 5 <= done < TRACKS
    report = analysed_on(cluster.address, model, [library], tmp_path, resume=True)
    assert (report.resumed, report.analyzed) == (done, TRACKS + 1 - done)
    assert len(rows_by_path(maest.open_results(tmp_path))) == TRACKS + 1


@pytest.mark.slow
def test_sigterm_keeps_what_is_done(cluster, library, tmp_path):
    command = ["analyze", str(library), *COMMAND[:-1], "-o", str(tmp_path / "out")]
    engine = ["--engine", "ray", "--ray-address", cluster.address, "--log", "json"]
    with subprocess.Popen(
        [sys.executable, "-m", "essentia_maest", *command, *engine],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        lines = iter(run.stderr)
        told = list(itertools.islice((line for line in lines if '"track"' in line), 3))
        run.terminate()
        rest = "".join(lines)
    assert len(told) == 3, rest
    assert run.returncode == 128 + signal.SIGTERM, rest
    assert 3 <= maest.open_results(tmp_path / "out").tracks.num_rows <= TRACKS + 1


@pytest.mark.slow
def test_a_file_that_kills_its_workers_is_a_failure(cluster, model, library, tmp_path):
    import ray

    write_audio(tmp_path / "poison.flac", 2.0, 22050, 1, seed=7)
    marks = tmp_path / "marks"
    marks.mkdir()

    def poison() -> None:
        """In every worker process: one track ends it, another does so once."""
        import os
        import signal

        from essentia_maest.collection import one_track

        analyse = one_track.OneTrack.analyse

        def analyse_or_die(self: Any, track: Any) -> Any:
            once = marks / "once"
            if track.path.endswith("poison.flac") or (
                track.path.endswith("03.flac") and not once.exists()
            ):
                if track.path.endswith("03.flac"):
                    once.touch()
                (marks / f"{os.path.basename(track.path)} {os.getpid()}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return analyse(self, track)

        one_track.OneTrack.analyse = analyse_or_die

    ray.init(
        address=cluster.address,
        runtime_env={"worker_process_setup_hook": poison},
        log_to_driver=False,
    )
    with contextlib.closing(ray_connection(ray)):
        paths = [tmp_path / "poison.flac", library]
        report = analysed_on(None, model, paths, tmp_path / "out")
    assert report.analyzed == TRACKS + 1
    failures = {os.path.basename(one.path): one for one in report.failures}
    assert set(failures) == {"poison.flac", "bad.mp3", "empty.wav"}
    assert f"{MOST_DEATHS} workers were lost with it" in failures["poison.flac"].reason
    deaths = [path.name.split()[0] for path in marks.glob("*.flac *")]
    assert sorted(deaths) == ["03.flac", *["poison.flac"] * MOST_DEATHS]
    assert len(rows_by_path(maest.open_results(tmp_path / "out"))) == TRACKS + 1


def ray_connection(ray: Any) -> Any:
    class Connection:
        def close(self) -> None:
            ray.shutdown()

    return Connection()


@pytest.mark.slow
def test_tables_tell_what_computed_which_part(cluster, model, library, tmp_path, monkeypatch):
    """A machine of another kind than this one: its rows are in parts that say so."""
    from essentia_maest.cluster import ray_engine

    told = ray_engine.provenance(model)
    other = {**told, "kernels": {**told["kernels"], "mel": "of another CPU"}}
    monkeypatch.setattr(ray_engine, "provenance", lambda model: other)
    out = tmp_path / "out"
    assert analysed_on(cluster.address, model, [library / "00.flac"], out).analyzed == 1
    assert maest.open_results(out).info["provenance"] == told


@pytest.mark.slow
def test_a_machine_that_goes_costs_nothing(cluster, model, library, tmp_path):
    """The last one on the cluster: a machine of it is gone then."""
    lost = cluster.machines.pop()
    ended = Watching(5, lambda: cluster.remove_node(lost, allow_graceful=False))
    report = analysed_on(cluster.address, model, [library], tmp_path / "out", ended)
    assert (report.analyzed, len(report.failures), report.not_reached) == (TRACKS + 1, 2, 0)
    results = maest.open_results(tmp_path / "out")
    analysed_here = CollectionRun(
        model, OPTIONS, TableSink(tmp_path / "here"), workers=1, reporter=SilentReporter()
    ).run(scan([library]))
    assert analysed_here.analyzed == report.analyzed
    here = maest.open_results(tmp_path / "here")
    assert rows_by_path(results) == rows_by_path(here)
    assert segments_by_track(results) == segments_by_track(here)
    assert failures_of(results) == failures_of(here)


def test_without_ray_it_is_told(model, monkeypatch, tmp_path, capsys):
    from essentia_maest.cluster import ray_cluster

    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    command = ["analyze", "--example", "-o", str(tmp_path / "out"), "--engine", "ray"]
    assert main(command) == 2
    assert "pip install 'essentia-maest[ray]'" in capsys.readouterr().err
    monkeypatch.undo()
    pytest.importorskip("ray")
    with pytest.raises(InvalidArgumentError, match="workers is 0"):
        RayEngine(model, OPTIONS, lambda analysed: None, workers=0)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--ray-address", "x:1"], "--ray-address found without --engine ray"),
        (["--engine", "ray", "--threads", "2"], "--threads is for --engine local"),
        (["--engine", "ray", "--profile", "x"], "--profile is for --engine local"),
    ],
)
def test_what_does_not_go_together_is_refused(more, words, tmp_path, capsys):
    assert main(["analyze", "--example", "-o", str(tmp_path / "out"), *more]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_one_track_after_the_other_is_what_many_at_once_are(model, library, tmp_path):
    """The function that a cluster's workers run, without a cluster."""
    from essentia_maest.collection.analysing import Analysed
    from essentia_maest.collection.one_track import OneTrack

    for options in (OPTIONS, AnalysisOptions.of(block=1, segments=1)):
        one = OneTrack(model, options, hashed=True)
        tracks = scan([library]).tracks
        outcomes = {track.path: one.analyse(track) for track in tracks}
        found = maest.analyze_files(
            [track.path for track in tracks], model=model, block=1, segments=options.segments
        )
        for result in found:
            outcome = outcomes[os.fspath(result.path)]
            if isinstance(result, maest.FileFailure):
                assert (outcome.stage, outcome.reason) == (result.stage, result.reason)
                continue
            assert isinstance(outcome, Analysed)
            assert outcome.facts.audio_hash
            np.testing.assert_array_equal(outcome.analysis.starts, result.start_seconds)
            for name, values in result.outputs.items():
                np.testing.assert_array_equal(outcome.analysis.arrays[name], values)
