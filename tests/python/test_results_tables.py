"""Tables of results: what was written comes back, whole, and other libraries read it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas
import polars
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import essentia_maest as maest
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.results.columns import TABLES, VECTOR_TYPES, Vectors, is_vector, page
from essentia_maest.results.csv_files import write_csv
from essentia_maest.results.parquet import Rows, read_table, rows_of, vectors_of, write_rows
from essentia_maest.results.parts import PartsFolder
from essentia_maest.results.path_text import path_of_text, path_text

DIM, CLASSES = 6, 4
LABELS = ["Genre---jazz", "Genre---rock", "Metre---triple", "Metre---duple"]
DOCS = Path(__file__).resolve().parents[2] / "docs"


def values_of(kind: str):
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    number = st.floats(width=32, allow_nan=False, allow_infinity=False)
    label = st.fixed_dictionaries(
        {"family": st.none() | texts, "label": texts, "activation": number}
    )
    return {
        "int64": st.integers(-(2**63), 2**63 - 1),
        "int32": st.integers(-(2**31), 2**31 - 1),
        "float64": st.floats(allow_nan=False),
        "bool": st.booleans(),
        "text": texts,
        "labels": st.lists(label, max_size=3),
    }[kind]


@st.composite
def some_rows(draw, table: str, vectors: Vectors) -> Rows:
    count = draw(st.integers(1, 5))
    values, arrays = {}, {}
    for column in TABLES[table]:
        if is_vector(column):
            length = vectors.length_of(column.kind)
            seed = draw(st.integers(0, 2**32 - 1))
            numbers = np.random.default_rng(seed).standard_normal((count, length))
            arrays[column.name] = numbers.astype(vectors.type_of(column.kind))
        else:
            one = values_of(column.kind)
            one = st.none() | one if column.gaps else one
            values[column.name] = draw(st.lists(one, min_size=count, max_size=count))
    return Rows(values, arrays, {"labels": LABELS, "path": os.fsdecode(b"\xff")})


@pytest.mark.parametrize("kind", VECTOR_TYPES)
@pytest.mark.parametrize("table", TABLES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_come_back(tmp_path_factory, table, kind, data):
    vectors = Vectors(DIM, CLASSES, kind)
    rows = data.draw(some_rows(table, vectors))
    path = tmp_path_factory.mktemp("rows") / os.fsdecode(b"n\xff.parquet")
    write_rows(path, table, rows, vectors)
    found = read_table(path)
    back = rows_of(found, table)
    assert back.values == rows.values
    assert back.told == rows.told
    for name, values in rows.vectors.items():
        assert back.vectors[name].dtype == values.dtype
        np.testing.assert_array_equal(back.vectors[name], values)
    if rows.vectors:
        assert vectors_of({table: found.schema}) == vectors


@given(st.binary(max_size=250).filter(lambda name: b"\0" not in name))
def test_paths_come_back_to_the_byte(name):
    text = path_text(os.fsdecode(name))
    text.encode("utf-8")  # raises where it is no text
    assert path_of_text(text) == os.fsdecode(name)


@given(st.text("\\xf5c9e8", max_size=30))
def test_names_that_look_escaped_come_back(name):
    assert path_of_text(path_text(name)) == name


def test_paths_that_are_text_stay_as_they_are():
    assert path_text("Björk/Jóga \\ x.mp3") == "Björk/Jóga \\ x.mp3"
    assert path_text(os.fsdecode(b"caf\xe9.mp3")) == r"caf\xe9.mp3"
    assert path_text("a\\xe9") == r"a\x5cxe9"


# --- a folder of tables -------------------------------------------------------------------------


def write_part(folder: Path, ids: list[int], kind: str = "float32") -> None:
    vectors = Vectors(DIM, CLASSES, kind)
    rng = np.random.default_rng(abs(ids[0]))
    plain = {"int64": 7, "int32": 2, "float64": 1.5, "bool": False, "text": "text"}
    values = {
        column.name: [None if column.gaps else plain.get(column.kind)] * len(ids)
        for column in TABLES["tracks"]
        if not is_vector(column)
    }
    values["id"] = ids
    values["path"] = [f"{number}.mp3" for number in ids]
    values["root"] = ["/music"] * len(ids)
    values["top"] = [[{"family": "Genre", "label": LABELS[0], "activation": 0.5}]] * len(ids)
    told = {"labels": LABELS, "options": {"top_k": 1}}
    arrays = {
        "embedding": rng.standard_normal((len(ids), DIM), np.float32),
        "predictions": rng.random((len(ids), CLASSES), np.float32),
    }
    tracks = Rows(values, arrays, told)
    segments = Rows(
        {"track": ids * 2, "start": [0.0] * 2 * len(ids), "seconds": [1.0] * 2 * len(ids)},
        {name: np.concatenate([array, array]) for name, array in arrays.items()},
        told,
    )
    PartsFolder(folder).write(tracks, segments, vectors)


@pytest.fixture(params=VECTOR_TYPES)
def folder(request, tmp_path) -> Path:
    for ids in ([1, 2, 3], [-4, 5]):
        write_part(tmp_path, ids, request.param)
    failure = {"path": "bad", "root": "/music", "stage": "decode", "reason": "no", "error": None}
    row = {name: [value] for name, value in {**failure, "size": 3, "mtime": None}.items()}
    PartsFolder(tmp_path).write_failures(Rows(row, {}, {"labels": LABELS}))
    return tmp_path


def test_results_are_opened(folder):
    results = maest.open_results(folder)
    assert results.tracks.num_rows == 5
    assert results.segments.num_rows == 10
    assert results.failures.num_rows == 1
    assert results.labels == tuple(LABELS)
    assert results.info["options"] == {"top_k": 1}
    embeddings, ids = results.embeddings()
    predictions, same = results.predictions()
    assert ids.tolist() == same.tolist() == [1, 2, 3, -4, 5]
    assert embeddings.shape == (5, DIM)
    assert predictions.shape == (5, CLASSES)
    assert embeddings.dtype == predictions.dtype == np.float32
    assert results.files == [f"/music/{number}.mp3" for number in ids]


def test_pandas_reads_them_in_a_line(folder):
    found = pandas.read_parquet(folder / "tracks")
    assert found["id"].tolist() == [1, 2, 3, -4, 5]
    np.testing.assert_array_equal(
        np.stack(found["embedding"]).astype(np.float32), maest.open_results(folder).embeddings()[0]
    )
    assert len(pandas.read_parquet(folder / "segments")) == 10
    assert pandas.read_parquet(folder / "failures")["reason"].tolist() == ["no"]


def test_polars_reads_them_in_a_line(folder):
    found = polars.read_parquet(folder / "tracks" / "*.parquet")
    assert found["id"].to_list() == [1, 2, 3, -4, 5]
    np.testing.assert_array_equal(
        found["predictions"].to_numpy(), maest.open_results(folder).predictions()[0]
    )
    tracks = maest.open_results(folder).tracks
    assert polars.DataFrame(tracks)["top"][0][0]["label"] == LABELS[0]


def test_duckdb_reads_them_in_a_line(folder):
    sql = f"SELECT path, top[1].label, len(embedding) FROM '{folder}/tracks/*.parquet' ORDER BY id"
    found = duckdb.sql(sql).fetchall()
    assert found[0] == ("-4.mp3", LABELS[0], DIM)
    joined = duckdb.sql(
        f"SELECT count(*) FROM '{folder}/segments/*.parquet' s "
        f"JOIN '{folder}/tracks/*.parquet' t ON s.track = t.id"
    )
    assert joined.fetchall() == [(10,)]


def test_metadata_are_in_every_file(folder):
    for table in TABLES:
        for path in (folder / table).iterdir():
            assert b"essentia_maest" in pyarrow.parquet.read_schema(path).metadata


def test_arrow_readers_see_lists_of_one_length(folder):
    path = next((folder / "tracks").iterdir())
    kind = pyarrow.parquet.read_schema(path).field("embedding").type
    assert pyarrow.types.is_fixed_size_list(kind)
    assert kind.list_size == DIM


def test_segments_that_no_tracks_name_do_not_count(folder):
    whole = maest.open_results(folder).segments.num_rows
    first = sorted((folder / "tracks").iterdir())[0]
    first.unlink()  # as if a run had been killed before it was written
    results = maest.open_results(folder)
    assert results.tracks.num_rows == 2
    assert results.segments.num_rows == whole - 6


def test_what_is_no_table_is_told(tmp_path):
    with pytest.raises(InvalidArgumentError, match="no tables found; wanted: a folder that"):
        maest.open_results(tmp_path)
    (tmp_path / "tracks").mkdir()
    path = tmp_path / "tracks" / "part-00001-a.parquet"
    write_part(tmp_path / "good", [1, 2])
    good = next((tmp_path / "good" / "tracks").iterdir()).read_bytes()
    for content in (
        b"",
        b"PAR1 no",
        good[:-1],
        good[:50] + good[-50:],
        b"PAR1" + b"\xff" * 40 + b"PAR1",
    ):
        path.write_bytes(content)
        with pytest.raises(InvalidArgumentError, match="is no whole Parquet file"):
            _ = maest.open_results(tmp_path).tracks


def test_sheets_have_a_column_for_each_label(folder):
    write_csv(folder)
    found = pandas.read_csv(folder / "tracks.csv")
    assert found["top"].tolist() == ["Genre---jazz 0.5000"] * 5
    np.testing.assert_allclose(
        found[LABELS].to_numpy(), maest.open_results(folder).predictions()[0], atol=5.1e-5
    )
    assert pandas.read_csv(folder / "failures.csv")["path"].tolist() == ["bad"]


def test_large_values_are_cut_off_in_float16(tmp_path):
    vectors = Vectors(1, None, "float16")
    values = {"track": [1, 1], "start": [0.0, 1.0], "seconds": [1.0, 1.0]}
    rows = Rows(values, {"embedding": np.array([[1e6], [-1e6]], np.float32)}, {})
    write_rows(tmp_path / "x", "segments", rows, vectors)
    assert rows_of(read_table(tmp_path / "x"), "segments").vectors["embedding"].tolist() == [
        [65504.0],
        [-65504.0],
    ]


def test_the_page_has_every_column():
    assert page() in (DOCS / "results_tables.md").read_text(encoding="utf-8")


def test_importing_the_package_loads_no_tables():
    code = "import sys, essentia_maest; essentia_maest.open_results; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"arro3", "polars", "pandas", "duckdb", "pyarrow"})
