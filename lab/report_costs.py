"""What a page of `maest report` costs: to make, to load, and to move about in.

`python -m lab.report_costs` writes tables of made-up tracks (embeddings in sixty clusters, labels
that follow them, four segments each), makes their page and times what is done for it; besides, how
many of the nearest tracks the page has right, and how many of the ten nearest are among the ten
nearest on the map. Where Chromium is here, it opens the page, looks for something, points at its
map and drags it, each for `ACT_SECONDS`: without a graphics card, points are drawn by the CPU, so
that frames say little of other machines; what the page's own program takes for a frame (its script,
as Chromium counts it) does not depend on that.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import essentia_maest as maest
from essentia_maest.library.neighbours import Neighbours
from essentia_maest.machine import machine
from essentia_maest.report import contents, page
from essentia_maest.report.directions import in_main_directions
from essentia_maest.report.near import neighbours_of_each
from essentia_maest.report.options import MAPS, PageOptions
from essentia_maest.results.columns import TRACKS, Vectors, is_vector
from essentia_maest.results.parquet import Rows, write_rows
from essentia_maest.results.parts import PartsFolder

PART_TRACKS, SEGMENTS, CLUSTERS, INNER = 5000, 4, 60, 24
STEPS = {
    "in_main_directions": "directions",
    "neighbours_of_each": "neighbours",
    "places_on_map": "map",
    "label_facts": "labels",
    "tags_over_time": "over time",
}
ASKED, NEAREST = 200, 10
ACT_SECONDS = 6.0


def write_tracks(folder: Path, count: int, values: int) -> None:
    """Write tables of made-up tracks."""
    rng = np.random.default_rng(0)
    labels = maest.Model("default").labels
    centres = rng.normal(size=(CLUSTERS, INNER))
    outward = (rng.normal(size=(INNER, values)) / 5).astype(np.float32)
    weights, bias = rng.normal(size=(INNER, len(labels))), rng.normal(-2, 1.5, len(labels))
    told = {
        "labels": list(labels),
        "label_families": list(dict.fromkeys(label.split("---")[0] for label in labels)),
        "model": {"name": "made up"},
    }
    parts = PartsFolder(folder)
    for table in ("segments", "tracks"):
        (folder / table).mkdir(parents=True)
    for begin in range(0, count, PART_TRACKS):
        some = np.arange(begin, min(begin + PART_TRACKS, count))
        cluster = rng.integers(0, CLUSTERS, len(some))
        inner = centres[cluster] + rng.normal(0, 0.45, (len(some), INNER))
        noise = rng.standard_normal((len(some), values), np.float32)
        embedding = inner.astype(np.float32) @ outward + np.float32(0.3) * noise
        predictions = (1 / (1 + np.exp(-(inner @ weights + bias)))).astype(np.float32)
        over_time = np.repeat(predictions, SEGMENTS, axis=0)
        over_time = np.clip(over_time + rng.normal(0, 0.1, over_time.shape), 0, 1)
        name = f"part-{begin // PART_TRACKS:05}-made.parquet"
        ids = np.repeat(some, SEGMENTS).tolist()
        starts = np.tile(np.arange(SEGMENTS) * 10.0, len(some)).tolist()
        segments = {"track": ids, "start": starts, "seconds": [10.0] * len(ids)}
        write_rows(
            folder / "segments" / name,
            "segments",
            Rows(segments, {"predictions": over_time}, told),
            Vectors(None, len(labels)),
        )
        parts.write_tracks(
            folder / "tracks" / name,
            Rows(
                _columns(some, cluster, labels[0]),
                {"embedding": embedding, "predictions": predictions},
                told,
            ),
            Vectors(values, len(labels)),
            name,
        )


def _columns(some: Any, cluster: Any, label: str) -> dict[str, list[Any]]:
    plain = {"int64": 0, "int32": SEGMENTS, "float64": 240.0, "bool": False, "text": "flac"}
    values: dict[str, list[Any]] = {
        column.name: [None if column.gaps else plain.get(column.kind)] * len(some)
        for column in TRACKS
        if not is_vector(column)
    }
    values["id"] = some.tolist()
    values["path"] = [
        f"Artist {one:02}/Album {row // 12:05}/{row % 12:02} Track {row:06} of usual length.flac"
        for row, one in zip(some.tolist(), cluster.tolist(), strict=True)
    ]
    values["root"] = ["/music/library"] * len(some)
    values["audio_hash"] = [f"{row:032x}" for row in some.tolist()]
    values["top"] = [[{"family": "Genre", "label": label, "activation": 0.5}]] * len(some)
    return values


@contextlib.contextmanager
def watched(seconds: dict[str, tuple[float, float]], made: dict[str, Any]) -> Iterator[None]:
    """Note how long each step takes, by the clock and in CPU time, and what it gives."""

    def timed(name: str) -> Any:
        work = getattr(contents, name)

        def call(*arguments: Any, **more: Any) -> Any:
            clock, used = time.perf_counter(), time.process_time()
            try:
                made[name] = work(*arguments, **more)
                return made[name]
            finally:
                seconds[name] = time.perf_counter() - clock, time.process_time() - used

        return mock.patch.object(contents, name, call)

    with contextlib.ExitStack() as stack:
        for name in STEPS:
            stack.enter_context(timed(name))
        yield


def page_costs(results: maest.results.opened.Results, target: Path, kind: str) -> str:
    """Make a page: a row of a table."""
    seconds: dict[str, tuple[float, float]] = {}
    made: dict[str, Any] = {}
    clock, used = time.perf_counter(), time.process_time()
    with watched(seconds, made):
        held = page.write_page(results, target, options=PageOptions(kind))
    seconds["all"] = time.perf_counter() - clock, time.process_time() - used
    cells = [f"{seconds[name][0]:.1f} ({seconds[name][1]:.1f})" for name in (*STEPS, "all")]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = target.stat().st_size / 1e6
    kept = share_kept(made["neighbours_of_each"][0], made["places_on_map"])
    return (
        f"| {held['tracks']:,} | {kind} | {' | '.join(cells)} | {peak:.0f} | {size:.1f} "
        f"| {kept:.2f} |"
    )


def share_kept(rows: Any, places: Any) -> float:
    """Tell how many of the nearest tracks are among the nearest on the map, too."""
    from scipy.spatial import cKDTree

    asked = np.linspace(0, len(places) - 1, min(ASKED * 10, len(places))).astype(int)
    found = cKDTree(places).query(places[asked], NEAREST + 1)[1]
    pairs = zip(asked, found, strict=True)
    return float(np.mean([np.isin(rows[one, :NEAREST], near).mean() for one, near in pairs]))


def share_right(results: maest.results.opened.Results) -> float:
    """Tell how many of the nearest tracks are found by main directions."""
    vectors = results.embeddings()[0]
    audio = [str(one) for one in results.ids.tolist()]
    rows, _ = neighbours_of_each(vectors, in_main_directions(vectors), audio, NEAREST)
    every = Neighbours(vectors, audio)
    asked = np.linspace(0, len(vectors) - 1, ASKED).astype(int).tolist()
    found = [np.isin(rows[one], every.near(one, NEAREST)[0]).mean() for one in asked]
    return float(np.mean(found))


def browser_costs(target: Path, folder: Path) -> str:
    """Load a page, look for something, point at its map and drag it: a row of a table."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "python"))
    from browser import Browser

    with Browser(folder) as browser:
        clock = time.perf_counter()
        browser.open(target.as_uri())
        browser.wait("document.body?.dataset.ready", 600)
        loading = time.perf_counter() - clock
        heap = browser.run("performance.memory.usedJSHeapSize / 1e6")
        searching, searched = _search(browser)
        x, y = browser.run(
            "(({ x, y, width, height }) => [x + width / 2, y + height / 2])"
            "(document.getElementById('map').getBoundingClientRect())"
        )
        browser.run(
            "window.times = []; (function count(now) "
            "{ times.push(now); requestAnimationFrame(count); })(performance.now())"
        )
        pointing = _frames(browser, lambda at: browser.mouse("moved", x + at % 150, y + at % 90))
        browser.mouse("pressed", x, y, button="left", buttons=1, clickCount=1)
        dragging = _frames(
            browser,
            lambda at: browser.mouse("moved", x + at % 150, y + at % 90, button="left", buttons=1),
        )
        if browser.problems:
            raise RuntimeError(f"the page complains: {browser.problems}")
    return (
        f"| {target.stem} | {loading:.1f} | {heap:.0f} | {searching:.2f} | {searched:.0f} "
        f"| {pointing} | {dragging} |"
    )


def _search(browser: Any) -> tuple[float, float]:
    """Give the seconds until what was looked for is listed, and the ms of script of that."""
    browser.call("Performance.enable")
    before, clock = _script_seconds(browser), time.perf_counter()
    browser.run(
        "document.getElementById('search').value = 'track 0123';"
        "document.getElementById('search').dispatchEvent(new Event('input'))"
    )
    browser.wait("document.querySelectorAll('#found li').length")
    return time.perf_counter() - clock, (_script_seconds(browser) - before) * 1e3


def _frames(browser: Any, act: Callable[[int], Any]) -> str:
    """Do something for a while; give ms of its frames, half and 95 %, and of script in each."""
    browser.run("times.length = 0")
    before, clock, step = _script_seconds(browser), time.perf_counter(), 0
    while time.perf_counter() - clock < ACT_SECONDS:
        step += 1
        act(step)
    script = _script_seconds(browser) - before
    frames = np.diff(browser.run("times"))
    middle, slow = np.percentile(frames, (50, 95))
    return f"{middle:.0f} | {slow:.0f} | {script / len(frames) * 1e3:.1f}"


def _script_seconds(browser: Any) -> float:
    told = browser.call("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in told if one["name"] == "ScriptDuration")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--values", type=int, default=2304, help="of an embedding")
    parser.add_argument("--map", nargs="+", choices=MAPS, default=list(MAPS))
    asked = parser.parse_args(arguments)
    print(f"{machine()}\n\nSeconds by the clock, in brackets CPU seconds:\n")
    print(f"| tracks | map | {' | '.join(STEPS.values())} | all | peak MB | page, MB | kept |")
    print("|-" * (len(STEPS) + 6) + "|")
    with tempfile.TemporaryDirectory() as folder:
        pages, right = [], []
        for count in asked.tracks:
            write_tracks(Path(folder) / str(count), count, asked.values)
            results = maest.open_results(Path(folder) / str(count))
            for kind in asked.map:
                pages.append(Path(folder) / f"{count} {kind}.html")
                print(page_costs(results, pages[-1], kind), flush=True)
            right.append(f"{share_right(results):.3f} of {count:,}")
        print(f"\nOf the {NEAREST} nearest tracks, found: {', '.join(right)}\n")
        print(
            "| page | load, s | memory, MB | search, s | its script, ms "
            "| pointing: ms a frame, half | 95 % | script, ms "
            "| dragging: ms a frame, half | 95 % | script, ms |\n|-|-|-|-|-|-|-|-|-|-|-|"
        )
        for number, one in enumerate(pages):
            print(browser_costs(one, Path(folder) / f"browser {number}"), flush=True)


if __name__ == "__main__":
    main()
