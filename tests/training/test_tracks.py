"""The tracks table: what is written is read back, and every broken rule is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.data.ragged import Ragged, product, ragged_from_pairs
from training.data.report import Report
from training.data.tracks import CLASSES_KEY, SCHEMA, Tracks, family_of, read_tracks, write_tracks
from training.errors import DataError

CLASSES = ("Jazz---Bop", "Rock---Punk", "Rock---Surf", "spoken")


def columns() -> dict[str, list[object]]:
    return {
        "id": ["a", "b", "c"],
        "path": ["one.mp3", "deep/er/two.ogg", "/far/away.flac"],
        "labels": [["Rock---Surf", "Jazz---Bop"], ["spoken"], ["Rock---Punk"]],
        "weights": [[1.0, 0.25], [1.0], [0.5]],
        "families": [None, ["spoken", "Jazz"], ["Rock"]],
        "group": ["x", "x", "y"],
        "split": ["train", "train", "test"],
    }


def tracks(folder: Path, **changes: list[object]) -> Tracks:
    return Tracks(pa.table({**columns(), **changes}, schema=SCHEMA), CLASSES, folder)


def test_written_table_is_read_back(tmp_path: Path) -> None:
    write_tracks(tracks(tmp_path), tmp_path / "t.parquet")
    back = read_tracks(tmp_path / "t.parquet")
    assert back.table.to_pydict() == columns()
    assert back.table.schema.equals(SCHEMA)
    assert back.classes == CLASSES
    assert back.folder == tmp_path
    assert len(back) == 3
    assert json.loads(pq.read_schema(tmp_path / "t.parquet").metadata[CLASSES_KEY]) == list(CLASSES)
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_relative_paths_survive_another_folder(tmp_path: Path) -> None:
    write_tracks(tracks(tmp_path / "music"), tmp_path / "made" / "t.parquet")
    back = read_tracks(tmp_path / "made" / "t.parquet")
    assert back.table["path"].to_pylist() == [
        str(tmp_path / "music/one.mp3"),
        str(tmp_path / "music/deep/er/two.ogg"),
        "/far/away.flac",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ["a", "b", "a"]}, "'a' .2 times.*unique ids"),
        ({"id": ["a", "", "c"]}, "id is empty in 1 rows, first row 2"),
        ({"path": ["x", None, "z"]}, "path is empty in 1 rows, first row 2 .id 'b'"),
        ({"group": ["x", "y", ""]}, "group is empty.*row 3"),
        ({"split": ["train", "valid", "test"]}, "split is none of train, validation, test.*'b'"),
        ({"labels": [[], ["spoken"], ["spoken"]]}, "labels is empty in 1 .*'a'"),
        ({"labels": [["spoken"], None, ["spoken"]]}, "labels is empty in 1 .*'b'"),
        ({"labels": [["Rock---Surf", "x"], ["spoken"], ["spoken"]]}, "not a class in 1 .*'a'"),
        ({"labels": [["spoken", "spoken"], ["spoken"], ["spoken"]]}, "a label appears twice"),
        ({"labels": [["Rock---Surf"], ["spoken"], ["spoken"]]}, "differ in length.*'a'"),
        ({"weights": [[1.0, 0.0], [1.0], [1.0]]}, "weight is not above 0.*'a'"),
        ({"weights": [[1.0, 0.5], [1.5], [1.0]]}, "weight is not above 0.*'b'"),
        ({"weights": [[1.0, 0.5], [1.0], [float("nan")]]}, "weight is not above 0.*'c'"),
        ({"weights": [[1.0, None], [1.0], [1.0]]}, "weight is not above 0.*'a'"),
        ({"families": [None, None, ["Folk"]]}, "family is that of no class.*'c'"),
    ],
)
def test_broken_rules_are_named(
    tmp_path: Path, changes: dict[str, list[object]], message: str
) -> None:
    broken = tracks(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        write_tracks(broken, tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())
    metadata = {CLASSES_KEY: json.dumps(CLASSES)}
    pq.write_table(broken.table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=message):
        read_tracks(tmp_path / "t.parquet")


def test_rows_are_counted_across_chunks(tmp_path: Path) -> None:
    whole = tracks(tmp_path, labels=[["spoken", "Rock---Surf"], ["spoken"], ["nothing"]]).table
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 1), whole.slice(2, 1)])
    with pytest.raises(DataError, match="a label is not a class in 1 rows, first row 3"):
        write_tracks(Tracks(chunked, CLASSES, tmp_path), tmp_path / "t.parquet")


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    with pytest.raises(DataError, match="no such file"):
        read_tracks(file)
    file.write_text("id,path\n")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_tracks(file)
    pq.write_table(tracks(tmp_path).table, file)
    with pytest.raises(DataError, match="no class names"):
        read_tracks(file)
    pq.write_table(tracks(tmp_path).table.replace_schema_metadata({CLASSES_KEY: b"{}"}), file)
    with pytest.raises(DataError, match="not a JSON list"):
        read_tracks(file)
    fewer = tracks(tmp_path).table.drop_columns(["group"])
    pq.write_table(fewer.replace_schema_metadata({CLASSES_KEY: json.dumps(CLASSES)}), file)
    with pytest.raises(DataError, match=r"columns are(.|\n)*wanted(.|\n)*group: string"):
        read_tracks(file)
    write_tracks(tracks(tmp_path), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_tracks(file)


def test_class_names_are_unique_and_there_are_tracks(tmp_path: Path) -> None:
    table = tracks(tmp_path).table
    with pytest.raises(DataError, match="unique and not empty"):
        write_tracks(Tracks(table, (*CLASSES, "spoken"), tmp_path), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="no tracks"):
        write_tracks(Tracks(table.slice(0, 0), CLASSES, tmp_path), tmp_path / "t.parquet")


def test_failed_write_keeps_the_old_table(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    write_tracks(tracks(tmp_path), file)
    with pytest.raises(DataError):
        write_tracks(tracks(tmp_path, id=["a", "a", "a"]), file)
    assert read_tracks(file).table.to_pydict() == columns()


def test_family_is_the_text_before_the_dashes() -> None:
    assert family_of("Funk / Soul---Rhythm & Blues") == "Funk / Soul"
    assert family_of("spoken") == "spoken"


def test_report_counts_lists_and_notes(tmp_path: Path) -> None:
    report = Report()
    report.count("rows", 30)
    report.count("rows", 2)
    report.add("too short", "a", "3 s")
    report.add_many("no path", pa.chunked_array([[f"row {i}" for i in range(25)]]))
    report.add("too short", 'b, "quoted"')
    report.note("no class is left in test")
    assert report.counts == {"rows": 32, "too short": 2, "no path": 25}
    report.write(tmp_path / "t.parquet")
    content = json.loads((tmp_path / "t.parquet.report.json").read_text())
    assert content["counts"] == {"rows": 32}
    assert content["refused"] == {"too short": 2, "no path": 25}
    assert content["examples"]["no path"] == [
        {"subject": f"row {i}", "detail": ""} for i in range(10)
    ]
    assert content["notes"] == ["no class is left in test"]
    import pyarrow.csv

    rows = pyarrow.csv.read_csv(tmp_path / "t.parquet.refused.csv").to_pylist()
    assert len(rows) == 27
    assert {"reason": "too short", "subject": 'b, "quoted"', "detail": ""} in rows
    assert {"reason": "too short", "subject": "a", "detail": "3 s"} in rows
    text = report.summary()
    assert "rows: 32" in text
    assert "refused, too short: 2, for instance a (3 s)" in text
    assert "note: no class is left in test" in text

    Report().write(tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet.refused.csv").exists()


def test_ragged_rows() -> None:
    rows = Ragged(np.array([0, 2, 2, 5]), np.array([7, 8, 4, 5, 6]))
    assert rows.parents.tolist() == [0, 0, 2, 2, 2]
    taken = rows.take(np.array([2, 1, 0, 2]))
    assert taken.offsets.tolist() == [0, 3, 3, 5, 8]
    assert taken.values.tolist() == [4, 5, 6, 7, 8, 4, 5, 6]
    kept = rows.keep(rows.values % 2 == 0)
    assert kept.offsets.tolist() == [0, 1, 1, 3]
    assert kept.values.tolist() == [8, 4, 6]
    part = rows.slice(1, 3)
    assert part.offsets.tolist() == [0, 0, 3]
    assert part.values.tolist() == [4, 5, 6]
    made = ragged_from_pairs(np.array([2, 0, 2, 2]), np.array([5, 1, 3, 5]), 4)
    assert made.offsets.tolist() == [0, 1, 1, 3, 3]
    assert made.values.tolist() == [1, 3, 5]
    places, values = product(rows, Ragged(np.array([0, 1, 3, 5]), np.array([1, 2, 3, 4, 5])))
    assert list(zip(rows.values[places].tolist(), values.tolist(), strict=True)) == [
        (7, 1), (8, 1), (4, 4), (4, 5), (5, 4), (5, 5), (6, 4), (6, 5),
    ]  # fmt: skip
