"""A person's table: every rule on small tables worked out by hand, and every bad row named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.labels import Labels
from training.data.report import Report
from training.data.table import make_table
from training.data.tracks import read_tracks
from training.errors import ConfigError, DataError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def make(source: Path, **options: object) -> tuple[list[dict[str, object]], Report]:
    options = {"check_files": False, "validation_share": 0.0, "test_share": 0.0, **options}
    report = make_table(source, source.parent / "tracks.parquet", **options)  # type: ignore[arg-type]
    return read_tracks(source.parent / "tracks.parquet").table.to_pylist(), report


def refused(folder: Path) -> set[tuple[str, str]]:
    rows = pyarrow.csv.read_csv(
        folder / "tracks.parquet.refused.csv",
        convert_options=pyarrow.csv.ConvertOptions(column_types={"subject": pa.string()}),
    ).to_pylist()
    return {(row["reason"], row["subject"]) for row in rows}


def test_smallest_table(tmp_path: Path) -> None:
    rows, report = make(write(tmp_path / "t.csv", "path,tags\na.mp3,rock; pop\n/b.mp3,jazz|rock\n"))
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
    rows, report = make(tmp_path / "t.parquet")
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
    rows, _ = make(write(tmp_path / f"t{suffix}", text))
    assert as_tuples(rows) == EXPECTED
    assert rows[1]["path"] == "b.mp3"


def test_most_frequent_tags_become_classes(tmp_path: Path) -> None:
    source = write(
        tmp_path / "t.csv",
        # c: 3 tracks (twice in one of them), b: 2, a: 2, d: 1
        "id,path,tags\n1,1,c;b\n2,2,c;c;b\n3,3,c;a\n4,4,a;d\n5,5,d;d;d;d\n",
    )
    rows, report = make(source, classes=2)
    # b and a are equally frequent: the alphabet decides
    assert read_tracks(tmp_path / "tracks.parquet").classes == ("a", "c")
    assert [row["labels"] for row in rows] == [["c"], ["c"], ["c", "a"], ["a"]]
    assert ("none of its tags is a class", "5, row 5") in refused(tmp_path)
    assert report.refused["tag is not among the 2 most frequent (left out)"] == 2
    assert report.counts["tags given twice for a track"] == 4
    assert report.counts["classes without a track in train"] == 0


def test_labels_file_fixes_classes_and_order(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "id,path,tags\n1,1,c;b\n2,2,a;zz\n3,3,zz\n")
    labels = write(tmp_path / "labels.txt", "b\n\nunused\nc\n a \n")
    rows, report = make(source, labels=labels)
    assert read_tracks(tmp_path / "tracks.parquet").classes == ("b", "unused", "c", "a")
    assert [row["labels"] for row in rows] == [["c", "b"], ["a"]]
    assert refused(tmp_path) == {
        ("tag is no class (left out)", "zz"),
        ("none of its tags is a class", "3, row 3"),
    }
    assert "1 classes have no track in train: unused" in report.notes
    labels = write(tmp_path / "labels.json", json.dumps({"classes": ["c", "a", "b"]}))
    make(source, labels=labels)
    assert read_tracks(tmp_path / "tracks.parquet").classes == ("c", "a", "b")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", "a\nb\na\n", "each once; found repeated: a"),
        ("l.txt", "\n \n", "found none"),
        ("l.json", "[1, 2]", "wanted a JSON list of names"),
        ("l.json", "[", "not JSON"),
    ],
)
def test_unusable_labels_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    source = write(tmp_path / "t.csv", "path,tags\n1,a\n")
    with pytest.raises(DataError, match=message):
        make(source, labels=write(tmp_path / name, text))
    with pytest.raises(DataError, match="cannot be read"):
        make(source, labels=tmp_path / "absent.txt")


def test_bad_rows_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    lines = [
        "id,path,tags,split,weights,families,seconds",
        "1,a,R---x,train,1,,30",
        "2,,R---x,train,1,,30",
        ",c,R---x,train,1,,30",
        "4,d,,train,,,30",
        "5,e,;|,train,,,30",
        "6,f,R---x;J---y,train,1,,30",
        "7,g,R---x,train,1.5,,30",
        "8,h,R---x,train,0,,30",
        "9,i,R---x,train,much,,30",
        "10,j,R---x,training,1,,30",
        "11,k,R---x,train,1,Folk,30",
        "12,l,R---x,train,1,J,30",
        "13,m,R---x,train,1,,20",
        "14,n,R---x,train,1,,long",
        "1,o,R---x,train,1,,30",
        "16,p",
        "17,q,R---x,,1,,30",
        "18,r,J---y,test,1,R;J,20.5",
        "2,s,R---x,train,1,,30",
    ]
    rows, report = make(write(tmp_path / "t.csv", "\n".join(lines) + "\n"))
    assert [row["id"] for row in rows] == ["1", "18", "2"]
    assert [row["path"] for row in rows] == ["a", "r", "s"]
    assert refused(tmp_path) == {
        ("no path", "2, row 2"),
        ("no id", "c, row 3"),
        ("no tags", "4, row 4"),
        ("no tags", "5, row 5"),
        ("weights and tags differ in number", "6, row 6"),
        ("a weight is not above 0 and up to 1", "7, row 7"),
        ("a weight is not above 0 and up to 1", "8, row 8"),
        ("weights is not a number", "9, row 9"),
        ("split is none of train, validation, test", "10, row 10"),
        ("a family is that of no class", "11, row 11"),
        ("a tag lies outside its families", "12, row 12"),
        ("not longer than 20 s", "13, row 13"),
        ("seconds is not a number", "14, row 14"),
        ("id is used by an earlier row", "1, row 15"),
        ("line with a wrong number of fields", "row 16"),
        ("split is none of train, validation, test", "17, row 17"),
    }
    assert report.counts["rows read"] == 19
    assert sum(report.refused.values()) + report.counts["tracks"] == 19


def test_rows_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_bytes("path,tags\nä.mp3,é\n".encode() + b"\xe9.mp3,a\nc.mp3,\xe9\n")
    rows, report = make(source)
    assert [(row["path"], row["labels"]) for row in rows] == [("ä.mp3", ["é"])]
    assert refused(tmp_path) == {
        ("path is not UTF-8", "row 2"),
        ("tags is not UTF-8", "c.mp3, row 3"),
    }
    assert report.counts["rows read"] == 3


def test_blank_lines_do_not_matter(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "path,tags\n\n\na,x\n\nb\n\nc,x\n\nd,\n\ne\n")
    rows, report = make(source)
    assert [row["path"] for row in rows] == ["a", "c"]
    assert report.refused == {"line with a wrong number of fields": 2, "no tags": 1}
    assert report.counts["rows read"] == 5


def test_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "here.mp3").write_bytes(b"")
    (tmp_path / "folder.mp3").mkdir()
    lines = ["path,tags", "here.mp3,a", "gone.mp3,a", "folder.mp3,a", f"{tmp_path}/here.mp3,b"]
    source = write(tmp_path / "t.csv", "\n".join(lines))
    rows, report = make(source, check_files=True)
    assert [row["path"] for row in rows] == ["here.mp3", f"{tmp_path}/here.mp3"]
    assert report.refused == {"no such audio file": 2}


def test_nothing_left_stops_with_the_reasons(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "path,tags,seconds\na,x,3\nb,,40\n")
    with pytest.raises(DataError, match="left .no tags: 1; not longer than 20 s: 1"):
        make(source)
    assert not (tmp_path / "tracks.parquet").exists()
    assert json.loads((tmp_path / "tracks.parquet.report.json").read_text())["refused"] == {
        "no tags": 1,
        "not longer than 20 s": 1,
    }
    with pytest.raises(DataError, match="the table is empty"):
        make(write(tmp_path / "e.csv", "path,tags\n"))


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
        make(tmp_path / name)


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
    rows, report = make(tmp_path / "t.parquet")
    assert [(row["id"], row["path"], row["labels"]) for row in rows] == [
        ("7", "a", ["x", "y"]),
        ("8", "b", ["z", "x"]),
    ]
    assert report.refused == {"no tags": 1}


def test_rows_without_weights_have_plain_tags(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "path,tags,weights\na,x;y,\nb,y;x,.5;1\nc,x,\n")
    rows, _ = make(source)
    assert [row["weights"] for row in rows] == [[1.0, 1.0], [0.5, 1.0], [1.0]]


def test_tracks_with_none_of_the_tags(tmp_path: Path) -> None:
    """Known of those that say what they were annotated for; the others say nothing."""
    lines = [
        "path,tags,families",
        "a,R---x,R;J",
        "b,,R;J",
        "c,,",
        "d,Folk---q,R",
        "e,Folk---q,",
        "f,J---y,",
        "g,,R;Folk",
    ]
    labels = write(tmp_path / "labels.txt", "R---x\nJ---y\n")
    rows, report = make(write(tmp_path / "t.csv", "\n".join(lines)), labels=labels)
    assert [(row["path"], row["labels"], row["families"]) for row in rows] == [
        ("a", ["R---x"], ["R", "J"]),
        ("b", [], ["R", "J"]),
        ("d", [], ["R"]),
        ("f", ["J---y"], None),
    ]
    assert report.refused == {
        "tag is no class (left out)": 1,
        "no tags": 1,
        "none of its tags is a class": 1,
        "a family is that of no class": 1,
    }
    read = read_tracks(tmp_path / "tracks.parquet")  # as any other table
    labelled = Labels(
        *(read.table[name] for name in ("labels", "weights", "families")), read.classes
    )
    np.testing.assert_array_equal(labelled.targets(1), [0, 0])
    np.testing.assert_array_equal(labelled.targets(2), [0, np.nan])


def test_empty_lists_of_parquet(tmp_path: Path) -> None:
    lists = pa.list_(pa.string())
    columns = {
        "path": ["a", "b", "c", "d"],
        "tags": pa.array([["x"], [], None, []], lists),
        "families": pa.array([["x"], ["x"], ["x"], []], lists),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    rows, report = make(tmp_path / "t.parquet")
    assert [(row["path"], row["labels"]) for row in rows] == [("a", ["x"]), ("b", []), ("c", [])]
    assert report.refused == {"no tags": 1}


def test_splits_of_tracks_with_none_of_the_tags(tmp_path: Path) -> None:
    """As published, a fifth of MagnaTagATune has none of its 50 tags."""
    lines = ["path,tags,families", *(f"{n},{'' if n % 5 == 0 else 'x'},x" for n in range(200))]
    source = write(tmp_path / "t.csv", "\n".join(lines))
    rows, report = make(source, validation_share=0.1, test_share=0.1)
    assert len(rows) == 200
    bare = [row["split"] for row in rows if not row["labels"]]
    assert len(bare) == 40
    for split, tracks in (("train", 160), ("validation", 20), ("test", 20)):
        assert report.counts[f"tracks in {split}"] == tracks
        assert bare.count(split) == pytest.approx(tracks / 5, abs=2)


def test_weights_stay_with_their_tags(tmp_path: Path) -> None:
    lines = [
        "path,tags,weights,families",
        "a,R---x;R---y,.1;.2,R",
        "b,R---x;J---z,.3;.4,J",
        "c,R---y;R---x;J---z,.5;.6;.7,",
        "d,q;R---x,.8;.9,R",
    ]
    labels = write(tmp_path / "labels.txt", "R---x\nJ---z\nR---y\n")
    rows, report = make(write(tmp_path / "t.csv", "\n".join(lines)), labels=labels)
    assert report.refused["a tag lies outside its families"] == 1
    assert [
        (row["path"], row["labels"], [round(weight, 3) for weight in row["weights"]])
        for row in rows
    ] == [
        ("a", ["R---x", "R---y"], [0.1, 0.2]),
        ("c", ["R---y", "R---x", "J---z"], [0.5, 0.6, 0.7]),
        ("d", ["R---x"], [0.9]),
    ]


def test_wrong_types_in_parquet(tmp_path: Path) -> None:
    source = tmp_path / "t.parquet"
    with pytest.raises(DataError, match="no such file"):
        make(source)
    pq.write_table(pa.table({"path": ["a"], "tags": [1.5]}), source)
    with pytest.raises(DataError, match="column tags has type double; wanted lists of texts"):
        make(source)
    pq.write_table(pa.table({"path": ["a"], "tags": ["x"], "weights": [["y"]]}), source)
    with pytest.raises(DataError, match="no usable row left .weights is not a number: 1"):
        make(source)


def test_contradicting_arguments(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "path,tags\na,b\n")
    with pytest.raises(ConfigError, match="not both"):
        make(source, classes=3, labels=tmp_path / "l.txt")
    with pytest.raises(ConfigError, match="classes=0"):
        make(source, classes=0)
    with pytest.raises(ConfigError, match="together below 1"):
        make(source, validation_share=0.6, test_share=0.4)


def test_groups_are_dealt_out(tmp_path: Path) -> None:
    lines = [f"{i},{i}.mp3,tag{i % 3},artist {i // 4}" for i in range(400)]
    source = write(tmp_path / "t.csv", "\n".join(["id,path,tags,group", *lines]))
    rows, report = make(source, validation_share=0.1, test_share=0.2, seed=3)
    assert report.counts["groups"] == 100
    assert report.counts["tracks in validation"] == 40
    assert report.counts["tracks in test"] == 80
    assert len({(row["group"], row["split"]) for row in rows}) == 100
    splits = {row["id"]: row["split"] for row in rows}
    write(source, "\n".join(["id,path,tags,group", *reversed(lines)]))
    again, _ = make(source, validation_share=0.1, test_share=0.2, seed=3)
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
            make(folder / "t.parquet")
        return
    rows, report = make(folder / "t.parquet", validation_share=0.2, test_share=0.2)
    assert {row["id"]: row["group"] for row in rows} == usable
    assert len(rows) == len(usable)
    assert report.counts["classes without a track in train"] == 0
