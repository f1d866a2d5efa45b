"""What finds the nearest of a million tracks, exactly: NumPy, usearch and faiss side by side.

`python -m lab.neighbour_search` has a process of its own for each search a table of random vectors,
and tells how long one query takes, how long one of a hundred that are asked together, what memory
it takes beside the vectors, and whether it found what products in float64 find. `--load` measures
what comes before a search: tables of as many tracks are written, and read as `open_results` does.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.library.neighbours import Neighbours
from essentia_maest.machine import machine
from essentia_maest.results.columns import TRACKS, Vectors, is_vector
from essentia_maest.results.opened import open_results
from essentia_maest.results.parquet import Rows
from essentia_maest.results.parts import PartsFolder

K, QUERIES, TOGETHER = 10, 7, 100
CLASSES, PART_TRACKS = 157, 1000
_STEP = 1 << 16

Array = NDArray[Any]
#: Queries [queries, values] -> rows of the nearest, [queries, K].
Search = Callable[[Array], Array]


def of_numpy(vectors: Array) -> Search:
    """Search as the package does."""
    search = Neighbours(vectors)
    return lambda queries: np.array([rows for rows, _ in search.nearest_to_each(queries, K)])


def of_usearch(vectors: Array) -> Search:
    """Search with usearch, without an index."""
    from usearch.compiled import MetricKind
    from usearch.index import search

    def found(queries: Array) -> Array:
        asked = queries.astype(vectors.dtype)
        matches = search(vectors, asked, K, MetricKind.Cos, exact=True)
        return np.atleast_2d(matches.keys).astype(np.int64)

    return found


def of_faiss(vectors: Array) -> Search:
    """Search with faiss: flat, in float32, or float16 where the vectors are."""
    import faiss

    width = vectors.shape[1]
    index: Any
    if vectors.dtype == np.float32:
        index = faiss.IndexFlat(width, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.IndexScalarQuantizer(
            width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
    for begin in range(0, len(vectors), _STEP):
        index.add(_directions(vectors[begin : begin + _STEP]))

    def found(queries: Array) -> Array:
        rows: Array = index.search(_directions(queries), K)[1]
        return rows

    return found


SEARCHES: dict[str, tuple[str, Callable[[Array], Search]]] = {
    "NumPy": ("numpy", of_numpy),
    "usearch": ("usearch", of_usearch),
    "faiss": ("faiss-cpu", of_faiss),
}
"""Name -> the distribution, and what makes it ready for vectors."""


def _directions(vectors: Array) -> Array:
    wide = vectors.astype(np.float32)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide


def made_vectors(tracks: int, values: int, dtype: str) -> Array:
    """Make random vectors."""
    generator = np.random.default_rng(0)
    vectors = np.empty((tracks, values), dtype)
    for begin in range(0, tracks, _STEP):
        some = vectors[begin : begin + _STEP]
        some[:] = generator.standard_normal(some.shape, np.float32)
    return vectors


def expected(vectors: Array, queries: Array) -> Array:
    """Find the nearest by products in float64."""
    scores = np.empty((len(queries), len(vectors)))
    asked = queries.astype(np.float64)
    for begin in range(0, len(vectors), _STEP):
        wide = vectors[begin : begin + _STEP].astype(np.float64)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        scores[:, begin : begin + _STEP] = asked @ wide.T
    return np.argsort(-scores, axis=1, kind="stable")[:, :K]


def measure(name: str, tracks: int, values: int, dtype: str) -> dict[str, Any]:
    """Measure one search, in a fresh process."""
    vectors = made_vectors(tracks, values, dtype)
    queries = np.random.default_rng(1).standard_normal((TOGETHER, values), np.float32)
    SEARCHES[name][1](vectors[:1000])(queries[:1])  # what is imported and warmed up once
    before = _peak_mb()
    begin = time.perf_counter()
    search = SEARCHES[name][1](vectors)
    ready = time.perf_counter() - begin
    taken, found = [], []
    for query in queries[:QUERIES]:
        begin = time.perf_counter()
        found.append(search(query[None])[0])
        taken.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    search(queries)
    together = time.perf_counter() - begin
    memory = _peak_mb() - before
    right = expected(vectors, queries[:QUERIES])
    return {
        "version": version(SEARCHES[name][0]),
        "ready": ready,
        "one": statistics.median(taken),
        "together": together / TOGETHER,
        "memory": memory,
        "right": int((np.array(found) == right).sum()),
    }


def measure_load(tracks: int, values: int, dtype: str) -> dict[str, Any]:
    """Measure what reading the tables takes."""
    vectors = Vectors(values, CLASSES, dtype)
    plain = {"int64": 0, "int32": 1, "float64": 240.0, "bool": False, "text": "mp3"}
    with tempfile.TemporaryDirectory() as place:
        parts = PartsFolder(Path(place))
        generator = np.random.default_rng(0)
        for begin in range(0, tracks, PART_TRACKS):
            count = min(PART_TRACKS, tracks - begin)
            kept: dict[str, list[Any]] = {
                column.name: [None if column.gaps else plain.get(column.kind)] * count
                for column in TRACKS
                if not is_vector(column)
            }
            kept["id"] = list(range(begin, begin + count))
            kept["top"] = [[]] * count
            numbers = {
                "embedding": generator.standard_normal((count, values), np.float32).astype(dtype),
                "predictions": generator.random((count, CLASSES), np.float32),
            }
            path = Path(place) / "tracks" / f"part-{begin:09}.parquet"
            path.parent.mkdir(exist_ok=True)
            parts.write_tracks(path, Rows(kept, numbers, {}), vectors, "none")
        size = sum(path.stat().st_size for path in Path(place).rglob("*.parquet"))
        before, begin_time = _peak_mb(), time.perf_counter()
        Neighbours(open_results(place).embeddings(as_kept=True)[0])
        return {
            "load": time.perf_counter() - begin_time,
            "memory": _peak_mb() - before,
            "disk": size / 1e6,
        }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--values", type=int, default=384, help="of an embedding")
    parser.add_argument("--dtypes", default="float32,float16")
    parser.add_argument("--load", action="store_true", help="measure reading instead")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one is not None:
        name, dtype = asked.one
        if asked.load:
            print(json.dumps(measure_load(asked.tracks, asked.values, dtype)))
        else:
            print(json.dumps(measure(name, asked.tracks, asked.values, dtype)))
        return
    print(f"{machine()}; {asked.tracks} tracks of {asked.values} values\n")
    if asked.load:
        print("| values | on the disk, MB | load, s | memory, MB |\n|-|-|-|-|")
        for dtype in asked.dtypes.split(","):
            one = _measured("-", dtype, asked)
            print(f"| {dtype} | {one['disk']:.0f} | {one['load']:.1f} | {one['memory']:.0f} |")
        return
    print(
        f"| search | values | ready, s | one query, s | of {TOGETHER} together, s | "
        f"memory besides, MB | right of {QUERIES * K} |\n|-|-|-|-|-|-|-|"
    )
    for dtype in asked.dtypes.split(","):
        for name in SEARCHES:
            one = _measured(name, dtype, asked)
            print(
                f"| {name} {one['version']} | {dtype} | {one['ready']:.2f} | {one['one']:.3f} | "
                f"{one['together']:.4f} | {one['memory']:.0f} | {one['right']} |",
                flush=True,
            )


def _measured(name: str, dtype: str, asked: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "lab.neighbour_search", "--one", name, dtype]
    command += ["--tracks", str(asked.tracks), "--values", str(asked.values)]
    command += ["--load"] * asked.load
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(text)
    return found


if __name__ == "__main__":
    main()
