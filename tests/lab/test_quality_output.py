"""What was measured, for people and programs: tables, JSON, the figure, the listing."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from lab.quality.agreement import Agreement
from lab.quality.figure import draw_patchouts
from lab.quality.listing import listing, spread
from lab.quality.tables import PatchoutScores, Results, markdown, write_results
from training.data.ragged import Ragged
from training.data.tracks import make_tracks
from training.downstream.scores import ALL, Difference, FamilyScores
from training.errors import DataError
from training.recipe.bootstrap import Interval

SCORE = Interval(0.5, 0.4, 0.62)
AREA = Interval(0.8, 0.7, 0.9)
UNDEFINED = Interval(np.nan, np.nan, np.nan)


def _scores(mean_average_precision=SCORE):
    return FamilyScores(mean_average_precision, AREA, 0.1, classes=30, tracks=200, groups=40)


def _results() -> Results:
    agreement = Agreement(50, 190, 19, SCORE, SCORE, SCORE, SCORE, SCORE, SCORE, SCORE, AREA, 0.1)
    return Results(
        about={"model": "small.onnx", "machine": "two CPUs"},
        predictions={
            "int8 F0T0": {ALL: _scores(), "Genre": _scores()},
            "fp32 F0T0": {"Genre": _scores(), "Metre": _scores(UNDEFINED)},
        },
        probes={"int8 F0T0": {"Genre": _scores()}, "mel statistics": {"Genre": _scores()}},
        probe_differences={"int8 F0T0": {"Genre": Difference(Interval(0.1, -0.05, 0.2), AREA)}},
        agreement={"int8 F0T0": {"MillionSong": agreement}},
        patchout=[
            PatchoutScores("int8", "F0T0", 500, 120.4, SCORE, SCORE, 0.99954),
            PatchoutScores("int8", "F3T2", 200),
        ],
    )


def _tables(text: str) -> dict[str, list[list[str]]]:
    """Cells of each table, by the heading above it; every row as wide as the header."""
    tables: dict[str, list[list[str]]] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| "):
            tables.setdefault(heading, []).append([cell.strip() for cell in line.split("|")[1:-1]])
    for rows in tables.values():
        assert {len(row) for row in rows} == {len(rows[0])}
    return tables


def test_tables_have_what_was_measured():
    text = markdown(_results())
    assert "- model: small.onnx\n- machine: two CPUs\n" in text
    tables = _tables(text)
    one, area, none = "0.500 (0.400 to 0.620)", "0.800 (0.700 to 0.900)", "–"  # noqa: RUF001
    assert tables["Predictions against true labels, mAP"] == [
        ["", "Genre", "Metre", ALL],
        ["int8 F0T0", one, none, one],
        ["fp32 F0T0", one, none, none],
        ["chance", "0.100", none, "0.100"],
        ["classes", "30", none, "30"],
        ["tracks", "200", none, "200"],
    ]
    assert tables["Predictions against true labels, ROC-AUC"][1:] == [
        ["int8 F0T0", area, none, area],
        ["fp32 F0T0", area, area, none],
    ]
    assert tables["Linear probes on features, mAP"] == [
        ["", "Genre"],
        ["int8 F0T0", one],
        ["mel statistics", one],
        ["chance", "0.100"],
        ["classes", "30"],
        ["tracks", "200"],
    ]
    assert tables["Linear probes on features, ROC-AUC"][1:] == [
        ["int8 F0T0", area],
        ["mel statistics", area],
    ]
    assert tables["Linear probes, mAP above mel statistics (same draws)"][1:] == [
        ["int8 F0T0", "+0.100 (-0.050 to +0.200)"]
    ]
    (row,) = tables["Agreement with the teacher on produced music"][1:]
    assert row == ["int8 F0T0", "MillionSong", *[one] * 7, "0.100", area]
    assert tables["Patchout"][1:] == [
        ["int8", "F0T0", "500", "120", one, one, "0.9995"],
        ["int8", "F3T2", "200", "–", "–", "–", "–"],  # noqa: RUF001
    ]


def test_what_was_not_measured_has_no_table():
    results = Results(probes={"int8 F0T0": {"Genre": _scores()}})
    assert list(_tables(markdown(results))) == [
        "Linear probes on features, mAP",
        "Linear probes on features, ROC-AUC",
    ]


def test_results_are_written_for_programs(tmp_path):
    folder = tmp_path / "new" / "results"
    write_results(_results(), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["quality.json", "quality.md"]
    assert (folder / "quality.md").read_text(encoding="utf-8") == markdown(_results())
    found = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    score = {"value": 0.5, "low": 0.4, "high": 0.62}
    assert found["predictions"]["int8 F0T0"]["Genre"]["mean_average_precision"] == score
    undefined = found["predictions"]["fp32 F0T0"]["Metre"]["mean_average_precision"]
    assert undefined == {"value": None, "low": None, "high": None}
    below = found["probe_differences"]["int8 F0T0"]["Genre"]["mean_average_precision"]["low"]
    assert below == -0.05
    assert found["agreement"]["int8 F0T0"]["MillionSong"]["tags"] == 50
    assert found["patchout"][1]["patchout"] == "F3T2"
    assert found["patchout"][1]["times_real_time"] is None


def test_the_figure_shows_every_patchout_measured(tmp_path):
    rows = [
        PatchoutScores("int8", "F0T0", 500, 120.0, SCORE, SCORE),
        PatchoutScores("int8", "F3T2", 200, 300.0, SCORE, None),
        PatchoutScores("fp32", "F4T10", 50, 500.0, SCORE, SCORE),
        PatchoutScores("fp32", "F3T5", 90, None, SCORE, SCORE),
        PatchoutScores("fp32", "F3T3", 90, 200.0, UNDEFINED, UNDEFINED),
    ]
    output = draw_patchouts(rows, tmp_path / "figures" / "quality.svg")
    drawn = output.read_text(encoding="utf-8")
    # matplotlib draws text as outlines, and says in a comment what they spell
    counts = {row.patchout: drawn.count(f"<!-- {row.patchout} -->") for row in rows}
    assert counts == {"F0T0": 2, "F3T2": 1, "F4T10": 2, "F3T5": 0, "F3T3": 0}
    assert drawn.count("<!-- int8 -->") == drawn.count("<!-- fp32 -->") == 2
    picture = draw_patchouts(rows, tmp_path / "quality.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_figure_of_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match="none of 1 rows has a speed and a score"):
        draw_patchouts([PatchoutScores("int8", "F0T0", 500, 120.0)], tmp_path / "quality.png")
    rows = [PatchoutScores("int8", "F0T0", 500, 120.0, SCORE)]
    with pytest.raises(DataError, match=r"quality\.bmp: wanted .* png"):
        draw_patchouts(rows, tmp_path / "quality.bmp")


CLASSES = (
    "Genre---Folk",
    "Genre---Rock",
    "Instrument---bass",
    "Instrument---flute",
    "Instrument---organ",
    "Instrument---piano",
    "MillionSong---a|b",
)


def _tracks(tmp_path):
    return make_tracks(
        ids=pa.chunked_array([["game/song-0", "game/song-1", "rendered/tune-0"]]),
        paths=pa.chunked_array([["a.flac", "b.flac", "c.flac"]]),
        labels=Ragged(np.array([0, 1, 2, 3]), np.array([0, 1, 2])),
        weights=None,
        families=None,
        group=pa.chunked_array([["artist/Somebody", "artist/Somebody", "work/Tune"]]),
        split=np.array([2, 2, 2]),
        classes=CLASSES,
        folder=tmp_path,
    )


def test_the_listing_has_the_strongest_of_each_family(tmp_path):
    activations = np.array(
        [[0.1, 0.2, 0, 0, 0, 0, 0], [0.9, 0.1, 0.1, 0.8, 0.25, 0.7, 0.3], [0.1, 0.6, 0, 0, 0, 0, 1]]
    )
    text = listing(
        _tracks(tmp_path), activations, CLASSES, wanted=["rendered/tune-0", "game/song-1"]
    )
    assert text.splitlines() == [
        "| track | MillionSong | Genre | Instrument |",
        "|-|-|-|-|",
        r"| rendered/tune-0 | a\|b 1.00 | Rock 0.60 | bass 0.00, flute 0.00, organ 0.00 |",
        r"| game/song-1 (Somebody) | a\|b 0.30 | Folk 0.90 | flute 0.80, piano 0.70, organ 0.25 |",
    ]


def test_each_piece_and_each_artist_is_listed_before_any_twice():
    names = ["a/x-0", "a/x-1", "a/y-0", "b/z-0", "b/z-1", "a/w-0"]
    groups = ["a", "a", "a", "b", "b", "a"]
    assert spread(names, groups, 9) == [0, 3, 2, 5, 1, 4]
    assert spread(names, groups, 2) == [0, 3]


def test_the_listing_refuses_what_does_not_fit(tmp_path):
    tracks = _tracks(tmp_path)
    activations = np.zeros((3, len(CLASSES)))
    with pytest.raises(DataError, match="1 of 2 wanted ids are no track's, for instance 'x'"):
        listing(tracks, activations, CLASSES, wanted=["game/song-0", "x"])
    with pytest.raises(DataError, match=r"activations are \[2, 7\]; wanted \[3 tracks, 7 classes"):
        listing(tracks, activations[1:], CLASSES, wanted=["game/song-0"])


def test_families_that_nobody_asked_for_are_listed_last(tmp_path):
    text = listing(
        _tracks(tmp_path),
        np.zeros((3, len(CLASSES))),
        CLASSES,
        wanted=["game/song-0"],
        strongest={"Mood": 1, "Instrument": 1},
    )
    assert text.splitlines()[0].startswith("| track | Instrument | ")
    assert {"Genre", "MillionSong"} <= set(text.splitlines()[0].strip("| ").split(" | "))
    assert "Mood" not in text
