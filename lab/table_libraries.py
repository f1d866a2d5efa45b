"""Which library writes the tables of results: what each weighs, and what it costs.

`python -m lab.table_libraries` has a process of its own for each library write and read a table of
tracks (2304 values of an embedding, 157 predictions; random numbers, which compress least) with
zstd, in float32 and in float16, and tells time, memory, and what of the types came back.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.machine import machine

EMBEDDING, PREDICTIONS = 2304, 157

PACKAGES = {
    "arro3": ("arro3-core", "arro3-io"),
    "duckdb": ("duckdb",),
    "polars": ("polars", "polars-runtime-32"),
    "pyarrow": ("pyarrow",),
}
"""Library -> the distributions that are installed for it."""

Vectors = NDArray[np.float32] | NDArray[np.float16]
#: Writes ids, embeddings and predictions, with a text of metadata, to a file.
Write = Callable[[NDArray[np.int64], Vectors, Vectors, str, str], None]


def write_with_arro3(
    ids: NDArray[np.int64], embeddings: Vectors, predictions: Vectors, told: str, file: str
) -> None:
    """Write with arro3: Arrow and Parquet in Rust."""
    from arro3.core import Array, Table, fixed_size_list_array
    from arro3.io import write_parquet

    lists = [
        fixed_size_list_array(Array.from_numpy(values.reshape(-1)), values.shape[1])
        for values in (embeddings, predictions)
    ]
    table = Table.from_arrays(
        [Array.from_numpy(ids), *lists], names=["id", "embedding", "predictions"]
    )
    write_parquet(
        table,
        file,
        compression="zstd(1)",
        dictionary_enabled=False,
        max_row_group_size=512,  # as the package does: a row group is turned into pages at once
        key_value_metadata={"told": told},
    )


def write_with_pyarrow(
    ids: NDArray[np.int64], embeddings: Vectors, predictions: Vectors, told: str, file: str
) -> None:
    """Write with pyarrow: Arrow and Parquet in C++."""
    import pyarrow
    import pyarrow.parquet

    lists = [
        pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(values.reshape(-1)), values.shape[1])
        for values in (embeddings, predictions)
    ]
    table = pyarrow.table([pyarrow.array(ids), *lists], names=["id", "embedding", "predictions"])
    table = table.replace_schema_metadata({"told": told})
    pyarrow.parquet.write_table(table, file, compression="zstd", use_dictionary=False)


def write_with_polars(
    ids: NDArray[np.int64], embeddings: Vectors, predictions: Vectors, told: str, file: str
) -> None:
    """Write with Polars."""
    import polars

    frame = polars.DataFrame({"id": ids, "embedding": embeddings, "predictions": predictions})
    frame.write_parquet(file, compression="zstd", compression_level=1, metadata={"told": told})


def write_with_duckdb(
    ids: NDArray[np.int64], embeddings: Vectors, predictions: Vectors, told: str, file: str
) -> None:
    """Write with DuckDB. It takes two-dimensional arrays as lists that NumPy has of objects."""
    import duckdb

    if embeddings.dtype != np.float32:
        raise TypeError("DuckDB has no type for float16")
    columns = {"id": ids, "embedding": list(embeddings), "predictions": list(predictions)}
    with duckdb.connect() as connection:
        connection.register("given", _objects(columns))
        connection.execute(
            f"COPY (SELECT id, embedding::FLOAT[{EMBEDDING}] AS embedding, "
            f"predictions::FLOAT[{PREDICTIONS}] AS predictions FROM given) TO '{file}' "
            f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{told: '{told}'}})"
        )


def _objects(columns: dict[str, Any]) -> Any:
    import pandas

    return pandas.DataFrame(columns)


WRITERS: dict[str, Write] = {
    "arro3": write_with_arro3,
    "duckdb": write_with_duckdb,
    "polars": write_with_polars,
    "pyarrow": write_with_pyarrow,
}


def read(library: str, file: str) -> int:
    """Read a whole table into memory, and count its rows."""
    if library == "arro3":
        from arro3.io import read_parquet

        return int(read_parquet(file, batch_size=65536).read_all().num_rows)
    if library == "pyarrow":
        import pyarrow.parquet

        return int(pyarrow.parquet.read_table(file).num_rows)
    if library == "polars":
        import polars

        return int(polars.read_parquet(file).height)
    import duckdb

    with duckdb.connect() as connection:
        return len(connection.sql(f"FROM '{file}'").fetchnumpy()["id"])


def measure(library: str, rows: int, dtype: str) -> dict[str, Any]:
    """Measure one library, in a fresh process."""
    generator = np.random.default_rng(0)
    ids = np.arange(rows)
    embeddings = generator.standard_normal((rows, EMBEDDING), np.float32).astype(dtype)
    predictions = generator.random((rows, PREDICTIONS), np.float32).astype(dtype)
    before = _peak_mb()
    started = time.perf_counter()
    for name in {
        "arro3": ("arro3.core", "arro3.io"),
        "pyarrow": ("pyarrow", "pyarrow.parquet"),
    }.get(library, (library,)):
        __import__(name)
    found: dict[str, Any] = {"import_seconds": time.perf_counter() - started}
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/table.parquet"
        started = time.perf_counter()
        WRITERS[library](ids, embeddings, predictions, "all of it", file)
        found["write_seconds"] = time.perf_counter() - started
        found["write_mb"] = _peak_mb() - before
        found["file_mb"] = Path(file).stat().st_size / 1e6
        started = time.perf_counter()
        if read(library, file) != rows:
            raise RuntimeError(f"{library} lost rows")
        found["read_seconds"] = time.perf_counter() - started
        found["type"] = _type_of_embedding(file)
    return found


def _type_of_embedding(file: str) -> str:
    """Say what Arrow readers see, pyarrow for one."""
    import pyarrow.parquet

    return str(pyarrow.parquet.read_schema(file).field("embedding").type)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def installed_mb(library: str) -> float:
    """Tell what a library's distributions take on the disk."""
    files = [file for name in PACKAGES[library] for file in distribution(name).files or []]
    paths = [Path(str(file.locate())) for file in files if not str(file).endswith(".pyc")]
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


def versions_of(library: str) -> str:
    """Name a library with its version."""
    return f"{library} {distribution(PACKAGES[library][0]).version}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="the fastest count")
    parser.add_argument("--one", nargs=2, metavar=("LIBRARY", "TYPE"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        print(json.dumps(measure(asked.one[0], asked.rows, asked.one[1])))
        return
    print(f"{machine()}; {asked.rows} tracks of {EMBEDDING} + {PREDICTIONS} values\n")
    print(
        "| library | installed, MB | values | import, ms | write, s | memory to write, MB "
        "| file, MB | read, s | read by pyarrow as |\n|-|-|-|-|-|-|-|-|-|"
    )
    for library in PACKAGES:
        for dtype in ("float32", "float16"):
            print(_row(library, dtype, asked.rows, asked.rounds), flush=True)


def _row(library: str, dtype: str, rows: int, rounds: int) -> str:
    command = [sys.executable, "-m", "lab.table_libraries", "--rows", str(rows)]
    size = f"{versions_of(library)} | {installed_mb(library):.0f} | {dtype}"
    runs = []
    for _ in range(rounds):
        ran = subprocess.run(
            [*command, "--one", library, dtype], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            return f"| {size} | {ran.stderr.strip().splitlines()[-1]} | | | | | |"
        runs.append(json.loads(ran.stdout))
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    return (
        f"| {size} | {best['import_seconds'] * 1e3:.0f} | {best['write_seconds']:.2f} "
        f"| {best['write_mb']:.0f} | {best['file_mb']:.0f} | {best['read_seconds']:.2f} "
        f"| {best['type']} |"
    )


if __name__ == "__main__":
    main()
