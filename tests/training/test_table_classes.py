"""Which tags of a person's table are classes, and what a track says of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from table_fixtures import make_rows, refused_rows, write_table_text
from training.data.labels import Labels
from training.data.tracks import read_tracks
from training.errors import DataError


def test_most_frequent_tags_become_classes(tmp_path: Path) -> None:
    source = write_table_text(
        tmp_path / "t.csv",
        # c: 3 tracks (twice in one of them), b: 2, a: 2, d: 1
        "id,path,tags\n1,1,c;b\n2,2,c;c;b\n3,3,c;a\n4,4,a;d\n5,5,d;d;d;d\n",
    )
    rows, report = make_rows(source, classes=2)
    # b and a are equally frequent: the alphabet decides
    assert read_tracks(tmp_path / "tracks.parquet").classes == ("a", "c")
    assert [row["labels"] for row in rows] == [["c"], ["c"], ["c", "a"], ["a"]]
    assert ("none of its tags is a class", "5, row 5") in refused_rows(tmp_path)
    assert report.refused["tag is not among the 2 most frequent (left out)"] == 2
    assert report.counts["tags given twice for a track"] == 4
    assert report.counts["classes without a track in train"] == 0


def test_labels_file_fixes_classes_and_order(tmp_path: Path) -> None:
    source = write_table_text(tmp_path / "t.csv", "id,path,tags\n1,1,c;b\n2,2,a;zz\n3,3,zz\n")
    labels = write_table_text(tmp_path / "labels.txt", "b\n\nunused\nc\n a \n")
    rows, report = make_rows(source, labels=labels)
    assert read_tracks(tmp_path / "tracks.parquet").classes == ("b", "unused", "c", "a")
    assert [row["labels"] for row in rows] == [["c", "b"], ["a"]]
    assert refused_rows(tmp_path) == {
        ("tag is no class (left out)", "zz"),
        ("none of its tags is a class", "3, row 3"),
    }
    assert "1 classes have no track in train: unused" in report.notes
    labels = write_table_text(tmp_path / "labels.json", json.dumps({"classes": ["c", "a", "b"]}))
    make_rows(source, labels=labels)
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
    source = write_table_text(tmp_path / "t.csv", "path,tags\n1,a\n")
    with pytest.raises(DataError, match=message):
        make_rows(source, labels=write_table_text(tmp_path / name, text))
    with pytest.raises(DataError, match="cannot be read"):
        make_rows(source, labels=tmp_path / "absent.txt")


def test_rows_without_weights_have_plain_tags(tmp_path: Path) -> None:
    source = write_table_text(tmp_path / "t.csv", "path,tags,weights\na,x;y,\nb,y;x,.5;1\nc,x,\n")
    rows, _ = make_rows(source)
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
    labels = write_table_text(tmp_path / "labels.txt", "R---x\nJ---y\n")
    rows, report = make_rows(write_table_text(tmp_path / "t.csv", "\n".join(lines)), labels=labels)
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
    rows, report = make_rows(tmp_path / "t.parquet")
    assert [(row["path"], row["labels"]) for row in rows] == [("a", ["x"]), ("b", []), ("c", [])]
    assert report.refused == {"no tags": 1}


def test_splits_of_tracks_with_none_of_the_tags(tmp_path: Path) -> None:
    """As published, a fifth of MagnaTagATune has none of its 50 tags."""
    lines = ["path,tags,families", *(f"{n},{'' if n % 5 == 0 else 'x'},x" for n in range(200))]
    source = write_table_text(tmp_path / "t.csv", "\n".join(lines))
    rows, report = make_rows(source, validation_share=0.1, test_share=0.1)
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
    labels = write_table_text(tmp_path / "labels.txt", "R---x\nJ---z\nR---y\n")
    rows, report = make_rows(write_table_text(tmp_path / "t.csv", "\n".join(lines)), labels=labels)
    assert report.refused["a tag lies outside its families"] == 1
    assert [
        (row["path"], row["labels"], [round(weight, 3) for weight in row["weights"]])
        for row in rows
    ] == [
        ("a", ["R---x", "R---y"], [0.1, 0.2]),
        ("c", ["R---y", "R---x", "J---z"], [0.5, 0.6, 0.7]),
        ("d", ["R---x"], [0.9]),
    ]
