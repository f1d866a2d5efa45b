"""A person's table: its columns, its kinds of file, its types, and who goes into which split."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from table_fixtures import make_rows, write_table_text
from training.data.tracks import read_tracks
from training.errors import ConfigError, DataError


def test_smallest_table(tmp_path: Path) -> None:
    rows, report = make_rows(
        write_table_text(tmp_path / "t.csv", "path,tags\na.mp3,rock; pop\n/b.mp3,jazz|rock\n")
    )
    assert rows == [
        {
            "id": "a.mp3",
            "path": "a.mp3",
            "labels": ["rock", "pop"],
            "weights": [1.0, 1.0],
            "families": None,
            "group": "a.mp3",
            "split": "train",
        },
        {
            "id": "/b.mp3",
            "path": "/b.mp3",
            "labels": ["jazz", "rock"],
            "weights": [1.0, 1.0],
            "families": None,
            "group": "/b.mp3",
            "split": "train",
        },
    ]
    assert read_tracks(tmp_path / "tracks.parquet").classes == ("jazz", "pop", "rock")
    assert report.counts["rows read"] == 2
    assert report.counts["tracks"] == 2
    assert not (tmp_path / "tracks.parquet.refused.csv").exists()


FULL = {
    "id": ["007", "8", "9"],
    "path": ["a.mp3", "b.mp3", "c.mp3"],
    "tags": [["R---x", "J---y"], ["J---y"], ["R---x", "R---z"]],
    "group": ["artist", None, "artist"],
    "split": ["train", "validation", "test"],
    "weights": [[1.0, 0.25], [0.5], [1.0, 1.0]],
    "families": [None, ["J"], ["R", "J"]],
    "seconds": [21.5, None, 200.0],
}


EXPECTED = [
    ("007", ["R---x", "J---y"], [1.0, 0.25], None, "artist", "train"),
    ("8", ["J---y"], [0.5], ["J"], "8", "validation"),
    ("9", ["R---x", "R---z"], [1.0, 1.0], ["R", "J"], "artist", "test"),
]


def as_tuples(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [
        tuple(row[name] for name in ("id", "labels", "weights", "families", "group", "split"))
        for row in rows
    ]


def test_every_column_from_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table(FULL), tmp_path / "t.parquet")
    rows, report = make_rows(tmp_path / "t.parquet")
    assert as_tuples(rows) == EXPECTED
    assert any("1 groups have tracks in more than one split" in note for note in report.notes)


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_every_column_from_text(tmp_path: Path, suffix: str, delimiter: str) -> None:
    lines = [
        "\ufeffid,path,tags,group,split,weights,families,seconds,comment",
        "007,a.mp3,R---x;J---y,artist,train,1;0.25,,21.5,nothing",
        '8, b.mp3 ,"J---y",,validation,.5,J,,"a ""quoted"" one"',
        "9,c.mp3,R---x||R---z,artist,test,1|1,R;J,200,",
    ]
    text = "\n".join(line.replace(",", delimiter) for line in lines)
    rows, _ = make_rows(write_table_text(tmp_path / f"t{suffix}", text))
    assert as_tuples(rows) == EXPECTED
    assert rows[1]["path"] == "b.mp3"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"file,tags\na,b\n", "no column path; found file, tags"),
        ("t.csv", b"", "no column path and no column tags"),
        ("t.csv", b"path,tags,path\na,b,c\n", "column path appears more than once"),
        ("t.csv", b"\xffpath,tags\na,b\n", "no column path"),
        ("t.xlsx", b"", "unknown kind of table"),
        ("t.parquet", b"PAR1", "cannot be read as a table"),
    ],
)
def test_unusable_tables(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        make_rows(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        (pa.string(), pa.list_(pa.string())),
        (pa.large_string(), pa.large_list(pa.large_string())),
        (pa.string_view(), pa.list_(pa.string_view())),
        (pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        (pa.binary(), pa.list_(pa.string(), 2)),
    ],
)
def test_types_that_other_programs_write(
    tmp_path: Path, text: pa.DataType, lists: pa.DataType
) -> None:
    paths = pa.array(["a", "b", "c"]).cast(text)
    tags = pa.array([["x", "y"], ["z", "x"], None], pa.list_(pa.string())).cast(lists)
    numbers = pa.array([40, None, 2], pa.int16())
    columns = {"path": paths, "tags": tags, "id": pa.array([7, 8, 9]), "seconds": numbers}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=2)
    rows, report = make_rows(tmp_path / "t.parquet")
    assert [(row["id"], row["path"], row["labels"]) for row in rows] == [
        ("7", "a", ["x", "y"]),
        ("8", "b", ["z", "x"]),
    ]
    assert report.refused == {"no tags": 1}


def test_wrong_types_in_parquet(tmp_path: Path) -> None:
    source = tmp_path / "t.parquet"
    with pytest.raises(DataError, match="no such file"):
        make_rows(source)
    pq.write_table(pa.table({"path": ["a"], "tags": [1.5]}), source)
    with pytest.raises(DataError, match="column tags has type double; wanted lists of texts"):
        make_rows(source)
    pq.write_table(pa.table({"path": ["a"], "tags": ["x"], "weights": [["y"]]}), source)
    with pytest.raises(DataError, match="no usable row left .weights is not a number: 1"):
        make_rows(source)


def test_contradicting_arguments(tmp_path: Path) -> None:
    source = write_table_text(tmp_path / "t.csv", "path,tags\na,b\n")
    with pytest.raises(ConfigError, match="not both"):
        make_rows(source, classes=3, labels=tmp_path / "l.txt")
    with pytest.raises(ConfigError, match="classes=0"):
        make_rows(source, classes=0)
    with pytest.raises(ConfigError, match="together below 1"):
        make_rows(source, validation_share=0.6, test_share=0.4)


def test_groups_are_dealt_out(tmp_path: Path) -> None:
    lines = [f"{i},{i}.mp3,tag{i % 3},artist {i // 4}" for i in range(400)]
    source = write_table_text(tmp_path / "t.csv", "\n".join(["id,path,tags,group", *lines]))
    rows, report = make_rows(source, validation_share=0.1, test_share=0.2, seed=3)
    assert report.counts["groups"] == 100
    assert report.counts["tracks in validation"] == 40
    assert report.counts["tracks in test"] == 80
    assert len({(row["group"], row["split"]) for row in rows}) == 100
    splits = {row["id"]: row["split"] for row in rows}
    write_table_text(source, "\n".join(["id,path,tags,group", *reversed(lines)]))
    again, _ = make_rows(source, validation_share=0.1, test_share=0.2, seed=3)
    assert {row["id"]: row["split"] for row in again} == splits


pieces = st.text("ab ;|,\"'\n\tñ√", max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(pieces, pieces, pieces, pieces), min_size=1, max_size=12))
def test_any_text_gives_a_checked_table_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, fields: list[tuple[str, str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    names = ("id", "path", "tags", "group")
    columns = dict(zip(names, map(list, zip(*fields, strict=True)), strict=True))
    pq.write_table(pa.table(columns), folder / "t.parquet")
    # the same rules, said once more for a single row
    usable: dict[str, str] = {}
    for id_, path, tags, group in fields:
        if path.strip() and id_.strip() and tags.replace("|", ";").replace(";", " ").strip():
            usable.setdefault(id_.strip(), group.strip() or id_.strip())
    if not usable:
        with pytest.raises(DataError, match="no usable row left"):
            make_rows(folder / "t.parquet")
        return
    rows, report = make_rows(folder / "t.parquet", validation_share=0.2, test_share=0.2)
    assert {row["id"]: row["group"] for row in rows} == usable
    assert len(rows) == len(usable)
    assert report.counts["classes without a track in train"] == 0
