"""The corpus that the embedded default model is trained on, made from packages alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache as remember
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from essentia_maest import load_audio, mel_spectrogram
from essentia_maest.files import write_json
from essentia_maest.progress import tracked
from lab.corpus.collection import Row, write_collection
from lab.corpus.excerpts import write_excerpts, write_flac
from lab.corpus.packages import default_cache
from lab.corpus.plans import Produced, plan_produced, plan_rendered
from lab.corpus.produced_music import PRODUCED_MUSIC, ProducedTrack, tracks_of
from lab.corpus.rendered import Recipe, Renderer
from lab.corpus.sources import write_sources
from lab.corpus.teacher import TAGGERS, Teacher
from training.data.report import Report
from training.errors import DataError
from training.orphans import end_with_parent

_FORMAT = 1
_LEAST_ACTIVATION = 0.005
_SILENT = 1e-3


Job = Produced | Recipe


@dataclass(frozen=True)
class _Setting:
    """What a worker has to know."""

    folder: Path
    cache: Path
    seed: int


def make_default_corpus(
    folder: Path,
    *,
    cache: Path | None = None,
    seed: int = 0,
    style_tracks: int = 8,
    tunes_of_a_kind: int = 200,
    excerpts: int = 12,
    workers: int = 2,
    most_tracks: int | None = None,
    most_learnt: int | None = None,
    produced: bool = True,
) -> Report:
    """Make the corpus of the embedded default model.

    Produced music gets the activations of the musicnn teacher as soft labels (families
    ``MagnaTagATune`` and ``MillionSong``); rendered symbolic music has true labels (``Instrument``,
    ``Genre``, ``Metre``, ``Tempo``). Each track's ``families`` says what is known of it. No artist,
    style file or work lies in two splits, and the test split has a sound font of its own.
    Writes 30 s FLAC excerpts, a record for each, ``FOLDER/collection.csv`` for
    ``python -m training table``, and ``FOLDER/sources.json`` with versions and licences. What
    exists is kept: a killed run is repeated to go on.

    Parameters
    ----------
    folder : path
        Where the collection goes; made if need be.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.
    seed : int
    style_tracks : int
        Tracks rendered from each style file.
    tunes_of_a_kind : int
        Tunes rendered of each kind (reel, jig, ...) at most.
    excerpts : int
        Excerpts of a produced track at most.
    workers : int
        Processes; with 1, the work is done in the calling one.
    most_tracks : int, optional
        Make an even sample of this size only, for a trial.
    most_learnt : int, optional
        Make the whole test split, and first; of the other tracks an even sample of this size.
    produced : bool
        False leaves produced music out, and with it the teacher: rendered tracks are what they are
        in the whole corpus, and in the same split.

    Returns
    -------
    Report
        Also written as ``FOLDER/collection.report.json``.

    Raises
    ------
    DataError
        A package cannot be had, a worker process died, or not one track could be made.
    """
    setting = _Setting(
        Path(folder).absolute(), Path(cache) if cache is not None else default_cache(), seed
    )
    setting.folder.mkdir(parents=True, exist_ok=True)
    jobs: list[Job] = []
    if produced:
        Teacher(setting.cache)  # fetched here, before the workers all want it
        jobs += plan_produced(_produced_tracks(setting.cache), excerpts=excerpts, seed=seed)
    renderer = Renderer(setting.cache, seed)
    jobs += plan_rendered(
        renderer.styles,
        renderer.tunes.values(),
        style_tracks=style_tracks,
        tunes_of_a_kind=tunes_of_a_kind,
    )
    jobs = choose(jobs, most_tracks=most_tracks, most_learnt=most_learnt)
    report = Report()
    rows: list[Row] = []
    for made, refused in _work(jobs, setting, workers):
        rows += made
        if refused is not None:
            report.add("cannot be made", *refused)
    rows.sort(key=lambda row: row.identity)
    for row in rows:
        report.count(f"tracks, {row.split}")
    report.write(setting.folder / "collection")
    if not rows:
        raise DataError(f"no track could be made: {report.summary()}")
    write_collection(rows, setting.folder)
    write_sources(setting.folder, setting.cache, produced=produced)
    return report


def choose(
    jobs: Sequence[Job], *, most_tracks: int | None = None, most_learnt: int | None = None
) -> list[Job]:
    """Choose what to make, as `make_default_corpus` has it."""
    if most_tracks is not None:
        jobs = _sample(jobs, most_tracks)
    if most_learnt is None:
        return list(jobs)
    learnt = [job for job in jobs if job.split != "test"]
    return [job for job in jobs if job.split == "test"] + _sample(learnt, most_learnt)


def _sample(jobs: Sequence[Job], most: int) -> list[Job]:
    return list(jobs[:: max(1, math.ceil(len(jobs) / most))])


def _produced_tracks(cache: Path) -> list[ProducedTrack]:
    tracks: list[ProducedTrack] = []
    for package in tracked(PRODUCED_MUSIC, "packages"):
        tracks += tracks_of(package, cache)
    return tracks


_Made = tuple[list[Row], tuple[str, str] | None]


def _work(jobs: Sequence[Job], setting: _Setting, workers: int) -> Iterator[_Made]:
    work = _in_this_process if workers == 1 else partial(_in_processes, workers=workers)
    yield from tracked(work(jobs, setting), "tracks", total=len(jobs))


def _in_this_process(jobs: Sequence[Job], setting: _Setting) -> Iterator[_Made]:
    found = torch.get_num_threads()
    _alone()
    try:
        yield from (_make(job, setting) for job in jobs)
    finally:
        torch.set_num_threads(found)


def _in_processes(jobs: Sequence[Job], setting: _Setting, workers: int) -> Iterator[_Made]:
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin) as pool:
        try:
            for done in as_completed([pool.submit(_make, job, setting) for job in jobs]):
                yield done.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process died (short of memory?); repeat the command to go on"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    end_with_parent()
    _alone()


def _alone() -> None:
    """Compute with one thread: with more, the teacher's last digits are others."""
    torch.set_num_threads(1)


@remember
def _renderer(cache: Path, seed: int) -> Renderer:
    return Renderer(cache, seed)


@remember
def _teacher(cache: Path) -> Teacher:
    return Teacher(cache)


def _make(job: Job, setting: _Setting) -> _Made:
    """Make a job's tracks, unless its record says that they are there."""
    wanted = {"format": _FORMAT, "seed": setting.seed, **asdict(job)}
    wanted.pop("path", None)  # the cache may lie elsewhere next time
    record = setting.folder / "records" / f"{job.identity}.json"
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    if found.get("job") == wanted:
        rows = [_row(item, job) for item in found["tracks"]]
        if all((setting.folder / row.path).is_file() for row in rows):
            return rows, None
    try:
        tracks = list(
            _make_rendered(job, setting) if isinstance(job, Recipe) else _hear(job, setting)
        )
    except DataError as error:
        return [], (job.identity, str(error))
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(record, {"job": wanted, "tracks": tracks})
    return [_row(item, job) for item in tracks], None


def _make_rendered(recipe: Recipe, setting: _Setting) -> Iterator[dict[str, Any]]:
    rendered = _renderer(setting.cache, setting.seed).make(recipe)
    path = Path("audio", f"{recipe.identity}.flac")
    write_flac(setting.folder / path, rendered.audio)
    yield {
        "path": path.as_posix(),
        "tags": rendered.tags,
        "weights": [1.0] * len(rendered.tags),
        "families": rendered.families,
        "sound font": rendered.font,
    }


def _hear(job: Produced, setting: _Setting) -> Iterator[dict[str, Any]]:
    teacher = _teacher(setting.cache)
    paths = [Path("audio", f"{job.identity}-{number}.flac") for number in range(job.excerpts)]
    written = write_excerpts(Path(job.path), [setting.folder / path for path in paths])
    for path, file in zip(paths, written, strict=False):
        audio = load_audio(file)
        if np.sqrt(np.mean(np.square(audio))) < _SILENT:  # a stem's pause, for instance
            continue
        activations = teacher(mel_spectrogram(audio))
        kept = np.flatnonzero(activations >= _LEAST_ACTIVATION)
        yield {
            "path": path.as_posix(),
            "tags": [teacher.classes[index] for index in kept],
            "weights": [round(float(activations[index]), 4) for index in kept],
            "families": [tagger.family for tagger in TAGGERS],
        }


def _row(item: dict[str, Any], job: Job) -> Row:
    path = Path(item["path"])
    return Row(
        path=path,
        tags=tuple(item["tags"]),
        weights=tuple(item["weights"]),
        families=tuple(item["families"]),
        identity=path.relative_to("audio").with_suffix("").as_posix(),
        group=job.group,
        split=job.split,
    )
