"""`maest export`, and what is read back of it by what it is for."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.commands.cli import ALL_DONE, BAD_USAGE, main
from essentia_maest.results import exporting
from results_folders import LABELS, on_a_circle, write_results
from untrained import UNTRAINED

NAMES = ["a/one.mp3", 'b/"two", three.mp3', os.fsdecode(b"caf\xe9\nnew line.mp3"), "Björk.mp3"]


@pytest.fixture(params=["float32", "float16"])
def out(request, tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for begin in (0, 2):  # two parts
        write_results(
            tmp_path / "out",
            NAMES[begin : begin + 2],
            embeddings=rng.standard_normal((2, 3)).astype(request.param),
            predictions=rng.random((2, 4), np.float32),
            kind=request.param,
        )
    return tmp_path / "out"


def asked(capsys, *arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["export", *map(os.fspath, arguments)])
    return (code, *capsys.readouterr())


def test_lines_of_json(out, capsys):
    assert asked(capsys, out, "--to", "jsonl")[0] == ALL_DONE
    text = (out / "tracks.jsonl").read_text(encoding="utf-8")
    assert asked(capsys, out, "--to", "jsonl", "-o", "-")[1] == text
    rows = [json.loads(line) for line in text.splitlines()]
    results = maest.open_results(out)
    assert [row["path"] for row in rows] == results.tracks["path"].to_pylist()
    assert set(rows[0]) == set(results.tracks.column_names)
    kind = np.float16 if "16" in str(results.tracks.field("embedding").type) else np.float32
    for row, embedding, activations in zip(
        rows, results.embeddings(as_kept=True)[0], results.predictions()[0], strict=True
    ):
        np.testing.assert_array_equal(np.array(row["embedding"], kind), embedding)
        assert tuple(row["predictions"]) == LABELS
        values = np.array(list(row["predictions"].values()), np.float32)
        np.testing.assert_array_equal(values, activations)
        assert row["top"][0]["label"] == LABELS[0]
    assert len(pandas.read_json(out / "tracks.jsonl", lines=True)) == 4
    assert duckdb.sql(f"SELECT count(*) FROM '{out}/tracks.jsonl'").fetchall() == [(4,)]


def test_what_is_not_finite_is_null_in_json(tmp_path, capsys):
    out = write_results(
        tmp_path, ["a.mp3"], embeddings=np.array([[1, np.nan, -np.inf]], np.float32)
    )
    found = asked(capsys, out, "--to", "jsonl", "-o", "-")[1]
    assert json.loads(found, parse_constant=pytest.fail)["embedding"] == [1, None, None]


def test_sheets(out, capsys):
    assert asked(capsys, out, "--to", "csv", "-o", out / "own.csv")[0] == ALL_DONE
    text = (out / "own.csv").read_bytes().decode()
    printed = asked(capsys, out, "--to", "csv", "-o", "-")[1]
    assert printed.replace("\r\n", "\n") == text.replace("\r\n", "\n")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    results = maest.open_results(out)
    assert [row["path"] for row in rows] == results.tracks["path"].to_pylist()
    assert "embedding_0" not in rows[0]
    for row, activations in zip(rows, results.predictions()[0], strict=True):
        found = [float(row[label]) for label in LABELS]
        np.testing.assert_allclose(found, activations, atol=1e-4)
        assert row["top"].startswith("Genre---jazz 0.5000; ")
    asked(capsys, out, "--to", "csv", "--embeddings")
    frame = pandas.read_csv(out / "tracks.csv")
    values = frame[[f"embedding_{number}" for number in range(3)]].to_numpy(np.float32)
    np.testing.assert_allclose(values, results.embeddings()[0], rtol=1e-3)


@pytest.mark.slow
def test_the_store_finds_what_is_near(out, tmp_path, capsys):
    lancedb = pytest.importorskip("lancedb")
    code, _, told = asked(capsys, out, "--to", "lancedb", "-o", tmp_path / "store")
    assert code == ALL_DONE, told
    database = lancedb.connect(tmp_path / "store")
    table = database.open_table("tracks")
    results = maest.open_results(out)
    assert table.count_rows() == 4
    assert json.loads(table.schema.metadata[b"essentia_maest"])["labels"] == list(LABELS)
    assert database.open_table("labels").to_arrow()["label"].to_pylist() == list(LABELS)
    vectors = results.embeddings()[0]
    found = table.search(vectors[1], vector_column_name="embedding").metric("cosine").limit(4)
    near = [entry["path"] for entry in found.to_list()]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    paths = results.tracks["path"].to_pylist()
    assert near == [paths[row] for row in np.argsort(-(unit @ unit[1]))]
    code, _, told = asked(capsys, out, "--to", "lancedb", "-o", tmp_path / "store")
    assert code == BAD_USAGE
    assert "has a table 'tracks' already; wanted: another -o" in told


@pytest.mark.slow
def test_a_store_that_was_not_finished_has_no_table(out, tmp_path, monkeypatch):
    lancedb = pytest.importorskip("lancedb")
    tables = exporting.tables_of(out, "tracks")
    first = next(tables)

    def breaking():
        yield first
        raise OSError("the tables went away")

    with pytest.raises(Exception, match="went away"):
        exporting.write_store(breaking(), "tracks", tmp_path / "store")
    assert lancedb.connect(tmp_path / "store").list_tables().tables == []


def test_without_lancedb_it_is_said_what_to_install(out, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lancedb", None)
    code, _, told = asked(capsys, out, "--to", "lancedb", "-o", tmp_path / "store")
    assert code == BAD_USAGE
    assert "pip install 'essentia-maest[lancedb]'" in told


def test_other_tables(tmp_path, capsys):
    for number in range(2):
        write_audio(tmp_path / "music" / f"{number}.wav", 3.0, 16000, 1, seed=number)
    (tmp_path / "music" / "bad.wav").write_bytes(b"bad")
    out = tmp_path / "out"
    options = ["--quiet", "--workers", "1", "--block", "1", "--hop", "1.5"]
    main(["analyze", *map(str, [tmp_path / "music", "-o", out, "--model", UNTRAINED]), *options])
    found = asked(capsys, out, "--to", "jsonl", "--table", "segments", "-o", "-")[1]
    rows = [json.loads(line) for line in found.splitlines()]
    results = maest.open_results(out)
    assert [row["start"] for row in rows] == results.segments["start"].to_pylist()
    assert {row["track"] for row in rows} == set(results.ids.tolist())
    found = asked(capsys, out, "--to", "csv", "--table", "failures", "-o", "-")[1]
    assert [row["path"] for row in csv.DictReader(io.StringIO(found))] == ["bad.wav"]


def test_one_part_is_in_memory_at_a_time(out, monkeypatch):
    read = []
    monkeypatch.setattr(
        "essentia_maest.results.parts.read_table",
        lambda path: (read.append(path), exporting.read_table(path))[1],
    )
    tables = exporting.tables_of(out, "tracks")
    next(tables)
    assert len(read) == 1
    next(tables)
    assert len(read) == 2


def test_what_cannot_be_asked(out, tmp_path, capsys):
    assert "no tables found" in asked(capsys, tmp_path / "no", "--to", "csv")[2]
    assert "--embeddings is for csv" in asked(capsys, out, "--to", "jsonl", "--embeddings")[2]
    assert "is a folder; wanted: a file" in asked(capsys, out, "--to", "csv", "-o", tmp_path)[2]
    assert "wanted: -o FOLDER" in asked(capsys, out, "--to", "lancedb", "-o", "-")[2]
    before = sorted(tmp_path.rglob("*"))
    code, _, told = asked(capsys, out, "--to", "csv", "-o", tmp_path / "no" / "a.csv")
    assert code == BAD_USAGE
    assert "a.csv" in told
    write_results(out, ["other.mp3"], embeddings=on_a_circle([0]), sha256="1" * 64)
    code, _, told = asked(capsys, out, "--to", "csv")
    assert code == BAD_USAGE
    assert "results of several models" in told
    assert not (out / "tracks.csv").exists()
    assert set(tmp_path.rglob("*")) - set(before) == {path for path in out.rglob("part-00003*")}


def test_results_without_rows(tmp_path, capsys):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "bad.wav").write_bytes(b"bad")
    out = tmp_path / "out"
    main(["analyze", str(tmp_path / "music"), "-o", str(out), "--quiet", "--workers", "1"])
    code, found, _ = asked(capsys, out, "--to", "csv", "-o", "-")
    assert (code, len(found.splitlines())) == (ALL_DONE, 1)
    assert asked(capsys, out, "--to", "jsonl", "-o", "-")[:2] == (ALL_DONE, "")
