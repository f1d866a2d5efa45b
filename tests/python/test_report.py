"""`maest report`: what is in the page, without a browser."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import essentia_maest as maest
from essentia_maest.commands.cli import main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.report import places as layout
from essentia_maest.report.directions import in_main_directions
from essentia_maest.report.label_facts import label_facts
from essentia_maest.report.near import neighbours_of_each
from essentia_maest.report.options import PageOptions
from essentia_maest.report.over_time import MOST_COLUMNS, tags_over_time
from essentia_maest.report.places import places_on_map
from essentia_maest.results.opened import SegmentPredictions
from report_results import BROKEN, FAMILIES, HOSTILE, LABELS, write_results

NAMES = [f"{'abc'[row % 3]}/{row}.mp3" for row in range(40)]
KINDS = {"u8": "u1", "u16": "<u2", "u32": "<u4", "i32": "<i4", "f32": "<f4"}


def unpacked(packed):
    content = gzip.decompress(base64.b64decode(packed["data"]))
    if packed["kind"] in KINDS:
        return np.frombuffer(content, KINDS[packed["kind"]])
    return json.loads(content) if packed["kind"] == "json" else content.decode()


def contents_in(page: Path) -> dict:
    """Read what a page holds out of it again."""
    text = page.read_text(encoding="utf-8")
    held = re.search(r'<script id="contents" type="application/json">(.*?)</script>', text, re.S)
    contents = json.loads(held[1])
    return contents | {name: unpacked(one) for name, one in contents["columns"].items()}


def page_of(folder: Path, *arguments: str) -> dict:
    page = folder / "page.html"
    assert main(["report", str(folder), "-o", str(page), *arguments]) == 0
    return contents_in(page)


def test_a_page_holds_what_the_tables_say(tmp_path, capsys):
    write_results(tmp_path, Path("/music"), NAMES)
    held = page_of(tmp_path)
    results = maest.open_results(tmp_path)
    assert capsys.readouterr().out.startswith(f"wrote {tmp_path}/page.html: 40 tracks, ")
    assert held["paths"] == NAMES
    assert held["roots"][0]["here"] == "file:///music"
    assert held["folders"] == ["a", "b", "c"]
    np.testing.assert_array_equal(held["folderOf"], np.arange(40) % 3)
    np.testing.assert_allclose(held["seconds"], 60 + np.arange(40))
    assert held["codecs"] == ["wav / pcm"]
    assert held["flags"].tolist() == [0, 1, 2] + [0] * 37
    assert held["flagWords"] == {"1": [300.0, None], "2": [None, "<i>two</i> frames"]}
    assert held["failures"] == [
        ["/music", "bad0.mp3", "decode", "<script>alert(1)</script> is no audio"]
    ]
    # Labels: track i is of genre i modulo 4, and all are calm.
    assert (held["labels"], held["families"]) == (LABELS, FAMILIES)
    leading = held["leading"].reshape(40, 2)
    np.testing.assert_array_equal(leading[:, 0], np.arange(40) % 4)
    np.testing.assert_array_equal(leading[:, 1], 4)
    assert held["leadCounts"].tolist() == [10, 10, 10, 10, 40, 0]
    np.testing.assert_allclose(held["means"], results.predictions()[0].mean(axis=0), atol=1e-6)
    # What stands out is the genre, though calm may be as strong; its rank is above all others'.
    np.testing.assert_array_equal(held["standing"].reshape(40, -1)[:, 0], np.arange(40) % 4)
    assert (held["ranks"].reshape(40, -1)[:, 0] / 655.35 > 75).all()
    assert sum(one["tracks"] for one in held["folderLabels"]) == 40


def test_neighbours_and_places_follow_the_embeddings(tmp_path):
    write_results(tmp_path, Path("/music"), NAMES)
    for kind in ("tsne", "pca"):
        held = page_of(tmp_path, "--map", kind)
        near = held["near"].reshape(40, held["neighbours"])
        assert (near[:, :9] % 4 == (np.arange(40) % 4)[:, None]).all()
        places = held["places"].reshape(40, 2) / 65534
        assert places.min() == 0 or places.max() == 1
        assert (places <= 1).all()
        _, found = NearestNeighbors(n_neighbors=5).fit(places).kneighbors(places)
        assert (found % 4 == found[:, :1] % 4).mean() > 0.9


def test_neighbours_are_those_of_whole_embeddings():
    rng = np.random.default_rng(1)
    inner = rng.normal(size=(900, 12)) @ rng.normal(size=(12, 300))
    vectors = (inner + rng.normal(0, 0.3, (900, 300)) + 1).astype(np.float32)
    directions = in_main_directions(vectors, 32)
    rows, cosines = neighbours_of_each(vectors, directions, [str(i) for i in range(900)], 10)
    oracle = NearestNeighbors(n_neighbors=11, metric="cosine").fit(vectors)
    distances, wanted = oracle.kneighbors(vectors)
    shared = [
        len(set(a) & set(b)) for a, b in zip(rows.tolist(), wanted[:, 1:].tolist(), strict=True)
    ]
    assert np.mean(shared) > 9.8
    np.testing.assert_allclose(cosines[:, 0], 1 - distances[:, 1], atol=1e-3)
    assert (np.diff(cosines, axis=1) <= 0).all()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_only_directions_count(scale):
    vectors = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
    audio = [str(i) for i in range(60)]
    wanted, near = neighbours_of_each(vectors, in_main_directions(vectors), audio, 10)
    scaled = vectors * np.float32(scale)
    rows, cosines = neighbours_of_each(scaled, in_main_directions(scaled), audio, 10)
    np.testing.assert_array_equal(rows, wanted)
    np.testing.assert_allclose(cosines, near, atol=1e-5)


def test_copies_are_not_near_each_other():
    vectors = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    vectors[7] = vectors[3]
    audio = [str(i if i != 7 else 3) for i in range(30)]
    rows, _ = neighbours_of_each(vectors, in_main_directions(vectors), audio, 10)
    assert 7 not in rows
    assert 3 not in rows[7]
    np.testing.assert_array_equal(rows[3], rows[7])


@pytest.mark.parametrize("tracks", [0, 1, 2, 3, 13])
def test_few_tracks_have_a_map_too(tracks):
    vectors = np.random.default_rng(0).normal(size=(tracks, 20)).astype(np.float32)
    directions = in_main_directions(vectors)
    rows, cosines = neighbours_of_each(vectors, directions, [str(i) for i in range(tracks)], 15)
    places = places_on_map(directions, rows, cosines)
    assert places.shape == (tracks, 2)
    assert tracks < 2 or np.isfinite(places).all()


@pytest.mark.parametrize("tracks", [12, 16, 24])
def test_tracks_that_are_all_near_do_not_fall_onto_one_spot(tracks):
    vectors = (np.random.default_rng(1).normal(size=(tracks, 64)) + 2).astype(np.float32)
    directions = in_main_directions(vectors)
    rows, cosines = neighbours_of_each(vectors, directions, [str(i) for i in range(tracks)], 15)
    places = places_on_map(directions, rows, cosines)
    away = np.linalg.norm(places[:, None] - places, axis=2) + 9 * np.eye(tracks)
    assert away.min() > 0.01
    nearest = away.argsort(axis=1)[:, :5]
    kept = np.mean([np.isin(rows[row, :5], nearest[row]).mean() for row in range(tracks)])
    assert kept > 0.5


def test_of_many_tracks_some_are_laid_out_first(monkeypatch):
    rng = np.random.default_rng(0)
    group = np.arange(400) % 4
    vectors = (4 * np.eye(24)[group] + rng.normal(0, 0.3, (400, 24))).astype(np.float32)
    vectors[5] = 0
    directions = in_main_directions(vectors)
    rows, cosines = neighbours_of_each(vectors, directions, [str(i) for i in range(400)], 15)
    monkeypatch.setattr(layout, "_MOST_FIRST", 100)
    places = places_on_map(directions, rows, cosines)
    assert np.flatnonzero(np.isnan(places[:, 0])).tolist() == [5]
    np.testing.assert_array_equal(places, places_on_map(directions, rows, cosines))
    away = np.linalg.norm(places[:, None] - places, axis=2)
    away[np.isnan(away) | np.eye(400, dtype=bool)] = np.inf
    nearest = away.argsort(axis=1)[:, :10]
    kept = group[nearest] == group[:, None]
    assert kept[np.isfinite(places[:, 0])].mean() > 0.98
    own = [np.isin(rows[row, :10], nearest[row]).mean() for row in range(400) if row != 5]
    assert np.mean(own) > 0.3  # by chance within a group: 0.1


def test_embeddings_without_direction_have_no_place():
    vectors = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    vectors[3], vectors[4] = 0, np.nan
    directions = in_main_directions(vectors)
    rows, cosines = neighbours_of_each(vectors, directions, [str(i) for i in range(30)], 15)
    places = places_on_map(directions, rows, cosines)
    assert np.flatnonzero(np.isnan(places[:, 0])).tolist() == [3, 4]
    assert (rows[[3, 4]] == -1).all()
    assert not np.isin(rows[np.isfinite(places[:, 0])], [3, 4]).any()


def test_directions_keep_products_exactly_where_there_are_few_tracks():
    vectors = np.random.default_rng(0).normal(size=(50, 200)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = in_main_directions(vectors)
    np.testing.assert_allclose(found @ found.T, unit @ unit.T, atol=1e-5)


def test_the_same_results_give_the_same_page(tmp_path):
    write_results(tmp_path, Path("/music"), NAMES)
    pages = []
    for _ in range(2):
        page_of(tmp_path)
        pages.append((tmp_path / "page.html").read_bytes())
    assert pages[0] == pages[1]


def test_tags_over_time_are_those_that_change_in_few_columns():
    count, labels = 1000, 30
    activations = np.full((count, labels), 0.3, np.float32)
    activations[:, 7] = np.linspace(0, 1, count)  # changes
    activations[:, 9] = np.tile([0, 0.09], count // 2)  # changes, but is never heard
    tracks = np.repeat([-(2**63), 2**63 - 1], [10, count])  # their difference is beyond int64
    part = SegmentPredictions(
        tracks,
        np.concatenate([np.arange(10.0), np.arange(count) * 10.0]),
        np.concatenate([activations[:10], activations]),
    )
    found = tags_over_time([2**63 - 1, 5], [part])
    assert list(found) == [2**63 - 1]
    one = found[2**63 - 1]
    assert one.labels[0] == 7
    assert 9 not in one.labels
    assert one.values.shape == (8, MOST_COLUMNS)
    np.testing.assert_allclose(one.values[0] / 255, (np.arange(64) + 0.5) / 64, atol=0.01)
    np.testing.assert_allclose(np.diff(one.starts), 156, atol=6)


def test_no_more_segments_are_read_than_are_wanted(tmp_path):
    write_results(tmp_path, Path("/music"), NAMES)
    later = sorted((tmp_path / "segments").glob("*.parquet"))[1]
    later.write_bytes(b"not read")
    held = page_of(tmp_path, "--over-time", "3")
    assert held["overTime"] == 3
    assert held["timeColumns"].tolist() == [6, 6, 6]
    assert page_of(tmp_path, "--over-time", "0")["timeColumns"].size == 0
    assert main(["report", str(tmp_path)]) == 2  # all are wanted: the damage is told


def test_activations_that_are_no_numbers_lead_nowhere():
    activations = np.full((3, 4), 0.5, np.float32)
    activations[1] = np.nan
    facts = label_facts(activations, LABELS[:4], ["Genre"], np.arange(3))
    assert facts.leading.tolist() == [[0], [0xFFFF], [0]]
    assert (facts.standing[1] == 0xFFFF).all()
    np.testing.assert_allclose(facts.means, 0.5)


def test_a_page_of_some_tracks_ranks_against_all(tmp_path):
    write_results(tmp_path, Path("/music"), NAMES)
    held = page_of(tmp_path, "--limit", "15")
    assert (held["tracks"], held["allTracks"]) == (14, 40)
    assert held["paths"] == NAMES[::3]
    assert held["leadCounts"].tolist() == [10, 10, 10, 10, 40, 0]
    assert (held["near"] < 14).all()


def test_without_embeddings_or_predictions(tmp_path):
    write_results(tmp_path / "labels", Path("/music"), NAMES, embeddings=False)
    held = page_of(tmp_path / "labels")
    assert "places" not in held
    assert held["labels"] == LABELS
    write_results(tmp_path / "vectors", Path("/music"), NAMES, predictions=False)
    held = page_of(tmp_path / "vectors")
    assert "labels" not in held
    assert len(held["places"]) == 80


def test_labels_without_families_are_one_list(tmp_path):
    write_results(tmp_path, Path("/music"), NAMES, families=False)
    held = page_of(tmp_path)
    assert held["families"] == [""]
    assert held["familyOf"] == [0] * 6


def test_only_failures(tmp_path):
    write_results(tmp_path, Path("/music"), [], failures=3)
    held = page_of(tmp_path)
    assert (held["tracks"], held["failureCount"]) == (0, 3)


def test_what_files_say_is_no_html(tmp_path):
    write_results(tmp_path, Path("/music"), [HOSTILE, BROKEN, *NAMES])
    held = page_of(tmp_path, "--title", HOSTILE)
    assert held["paths"][:2] == [HOSTILE, r"caf\xe9.wav"]
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" not in text
    assert text.count("</script>") == 2
    assert "&lt;/script&gt;&lt;img" in text  # the title


def test_the_policy_forbids_the_network_and_other_scripts(tmp_path):
    write_results(tmp_path, Path("/music"), NAMES)
    page_of(tmp_path)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_bad_usage_says_what_is_wanted(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no tables found; wanted: a folder that `maest analyze -o` wrote" in (
        capsys.readouterr().err
    )
    write_results(tmp_path, Path("/music"), NAMES)
    for arguments in (["--limit", "0"], ["--over-time", "-1"], ["-o", str(tmp_path)]):
        assert main(["report", str(tmp_path), *arguments]) == 2
        assert "wanted" in capsys.readouterr().err
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "none" / "page.html")]) == 2
    with pytest.raises(InvalidArgumentError, match="map is 'umap'; wanted: tsne, pca"):
        PageOptions("umap").check()


@pytest.mark.parametrize("missing", ["pydeck", "openTSNE"])
def test_what_is_not_installed_is_named(tmp_path, monkeypatch, capsys, missing):
    from importlib import util

    found = util.find_spec
    monkeypatch.setattr(
        f"essentia_maest.report.{'page' if missing == 'pydeck' else 'places'}.find_spec",
        lambda name: None if name == missing else found(name),
    )
    write_results(tmp_path, Path("/music"), NAMES)
    assert main(["report", str(tmp_path)]) == 2
    assert "pip install 'essentia-maest[report]'" in capsys.readouterr().err
    assert main(["report", str(tmp_path), "--map", "pca"]) == (2 if missing == "pydeck" else 0)


def test_help_loads_no_library_of_the_report():
    asked = "from essentia_maest.commands.cli import main\nimport sys\n"
    asked += "try: main(['report', '--help'])\nexcept SystemExit: pass\n"
    asked += "print({'openTSNE', 'pydeck', 'scipy', 'arro3'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "set()"
