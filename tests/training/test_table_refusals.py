"""What of a person's table cannot be used: every bad row named, the rest kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from table_fixtures import make_rows, refused_rows, write_table_text
from training.errors import DataError


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
    rows, report = make_rows(write_table_text(tmp_path / "t.csv", "\n".join(lines) + "\n"))
    assert [row["id"] for row in rows] == ["1", "18", "2"]
    assert [row["path"] for row in rows] == ["a", "r", "s"]
    assert refused_rows(tmp_path) == {
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
    rows, report = make_rows(source)
    assert [(row["path"], row["labels"]) for row in rows] == [("ä.mp3", ["é"])]
    assert refused_rows(tmp_path) == {
        ("path is not UTF-8", "row 2"),
        ("tags is not UTF-8", "c.mp3, row 3"),
    }
    assert report.counts["rows read"] == 3


def test_blank_lines_do_not_matter(tmp_path: Path) -> None:
    source = write_table_text(tmp_path / "t.csv", "path,tags\n\n\na,x\n\nb\n\nc,x\n\nd,\n\ne\n")
    rows, report = make_rows(source)
    assert [row["path"] for row in rows] == ["a", "c"]
    assert report.refused == {"line with a wrong number of fields": 2, "no tags": 1}
    assert report.counts["rows read"] == 5


def test_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "here.mp3").write_bytes(b"")
    (tmp_path / "folder.mp3").mkdir()
    lines = ["path,tags", "here.mp3,a", "gone.mp3,a", "folder.mp3,a", f"{tmp_path}/here.mp3,b"]
    source = write_table_text(tmp_path / "t.csv", "\n".join(lines))
    rows, report = make_rows(source, check_files=True)
    assert [row["path"] for row in rows] == ["here.mp3", f"{tmp_path}/here.mp3"]
    assert report.refused == {"no such audio file": 2}


def test_nothing_left_stops_with_the_reasons(tmp_path: Path) -> None:
    source = write_table_text(tmp_path / "t.csv", "path,tags,seconds\na,x,3\nb,,40\n")
    with pytest.raises(DataError, match="left .no tags: 1; not longer than 20 s: 1"):
        make_rows(source)
    assert not (tmp_path / "tracks.parquet").exists()
    assert json.loads((tmp_path / "tracks.parquet.report.json").read_text())["refused"] == {
        "no tags": 1,
        "not longer than 20 s": 1,
    }
    with pytest.raises(DataError, match="the table is empty"):
        make_rows(write_table_text(tmp_path / "e.csv", "path,tags\n"))
