"""The default corpus, whole, from packages that stand in for the real ones."""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from pathlib import Path

import pytest
import soundfile

from corpus_fixtures import Shelf
from lab.corpus import default, sources
from lab.corpus.fluidsynth import TEST_FONT, TRAINING_FONTS
from lab.corpus.plans import plan_produced
from lab.corpus.produced_music import MusicPackage, ProducedTrack
from lab.corpus.rendered import Recipe
from musicnn_fixtures import make_musicnn
from rendering_fixtures import make_fonts, make_programs
from training.data.table import make_table
from training.data.tracks import read_tracks
from training.errors import DataError

PACKAGE = MusicPackage("tiny-music", "Tiny", ("music/*.ogg",), "GPL-2", artist_tags=True)


def produced(artist: str, number: int, minutes: float) -> ProducedTrack:
    name = f"{artist}-{number}"
    return ProducedTrack(name, Path(f"{name}.ogg"), PACKAGE, name, artist, 60 * minutes)


def test_artists_are_dealt_out_whole_and_the_largest_are_for_training() -> None:
    tracks = [produced(f"artist {n}", k, 4) for n in range(30) for k in range(1 + n % 3)]
    tracks += [produced("prolific", k, 9) for k in range(20)]
    jobs = plan_produced(tracks, excerpts=12, seed=0)
    assert [job.identity for job in jobs] == [track.identity for track in tracks]
    splits, minutes = defaultdict(set), defaultdict(float)
    for job, track in zip(jobs, tracks, strict=True):
        splits[job.group].add(job.split)
        # of a long track only twelve excerpts are heard
        minutes[job.split] += min(6, track.seconds / 60)
    assert all(len(found) == 1 for found in splits.values())
    assert splits["artist/prolific"] == {"train"}
    total = sum(minutes.values())
    assert 0.1 <= minutes["test"] / total <= 0.17
    assert 0.1 <= minutes["validation"] / total <= 0.17
    assert plan_produced(tracks, excerpts=12, seed=0) == jobs
    assert plan_produced(tracks, excerpts=12, seed=1) != jobs


def test_the_test_split_is_whole_and_first_beside_a_sample_of_the_rest() -> None:
    splits = [("train", "train", "test", "validation")[number % 4] for number in range(80)]
    jobs = [Recipe("style", f"s{n}", 0, f"style/s{n}", split) for n, split in enumerate(splits)]
    assert default.choose(jobs) == jobs
    assert default.choose(jobs, most_tracks=10) == jobs[::8]
    chosen = default.choose(jobs, most_learnt=15)
    assert chosen[:20] == [job for job in jobs if job.split == "test"]
    assert len(chosen) == 20 + 15
    assert {job.split for job in chosen[20:]} == {"train", "validation"}


@pytest.mark.slow
def test_the_corpus_is_made_resumed_and_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, folder = tmp_path / "cache", tmp_path / "music"
    shelf = Shelf(tmp_path / "shelf", monkeypatch)
    shelf.add_music(PACKAGE, tmp_path / "tree", count=2, seconds=61)
    make_programs(cache, tmp_path / "tools")
    make_fonts(cache, {font.package: font.path for font in (*TRAINING_FONTS, TEST_FONT)})
    make_musicnn(cache)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(default, "PRODUCED_MUSIC", (PACKAGE,))
    monkeypatch.setattr(sources, "PRODUCED_MUSIC", (PACKAGE,))

    def make(workers: int) -> tuple[bytes, default.Report]:
        report = default.make_default_corpus(
            folder, cache=cache, style_tracks=1, tunes_of_a_kind=2, excerpts=1, workers=workers
        )
        return (folder / "collection.csv").read_bytes(), report

    table, report = make(workers=2)
    with (folder / "collection.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    # two produced tracks, five styles that play, two reels and the slip jig
    assert len(rows) == 2 + 5 + 3
    assert report.refused == {"cannot be made": 1}
    assert "casio/broken" in (folder / "collection.refused.csv").read_text()
    for row in rows.values():
        assert soundfile.info(folder / row["path"]).duration == pytest.approx(30)
        families = set(row["families"].split(";"))
        assert {tag.split("---")[0] for tag in row["tags"].split(";")} <= families
    heard = rows["tiny-music/music/track0.ogg-0"]
    assert heard["families"] == "MagnaTagATune;MillionSong"
    assert any(0 < float(weight) < 1 for weight in heard["weights"].split(";"))

    listed = {row["package"]: row for row in json.loads((folder / "sources.json").read_text())}
    assert listed["tiny-music"]["version"] == "1.2-3"
    assert listed["tiny-music"]["licence"] == "GPL-2"
    assert listed["musicnn"]["version"] == "0.1.0"
    assert {font.package for font in (*TRAINING_FONTS, TEST_FONT)} <= listed.keys()

    made = make_table(folder / "collection.csv", tmp_path / "tracks.parquet")
    assert not made.refused
    tracks = read_tracks(tmp_path / "tracks.parquet")
    assert tracks.table.num_rows == len(rows)
    assert "MillionSong---Hip-Hop" in tracks.classes

    # what a killed run had not finished is made, the same; what it had is not touched
    gone = folder / heard["path"]
    stale = folder / "records/rendered/style/stdlib/rock1-0.json"
    whole = gone.read_bytes()
    gone.unlink()
    record = json.loads(stale.read_text())
    stale.write_text(json.dumps({**record, "job": {**record["job"], "seed": 5}}))
    kept = folder / "audio/rendered/style/stdlib/rock2-0.flac"
    remade = folder / "audio/rendered/style/stdlib/rock1-0.flac"
    before = (kept.stat().st_mtime_ns, remade.stat().st_mtime_ns)
    again, _ = make(workers=1)
    assert again == table
    assert gone.read_bytes() == whole
    assert kept.stat().st_mtime_ns == before[0]
    assert remade.stat().st_mtime_ns > before[1]


def test_a_corpus_without_a_single_track_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    make_programs(cache, tmp_path / "tools")
    make_fonts(cache, {font.package: font.path for font in (*TRAINING_FONTS, TEST_FONT)})
    make_musicnn(cache)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "tools" / "fluidsynth").write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(default, "PRODUCED_MUSIC", ())
    with pytest.raises(DataError, match="no track could be made"):
        default.make_default_corpus(
            tmp_path / "music", cache=cache, style_tracks=1, tunes_of_a_kind=1, workers=1
        )
    assert "fluidsynth refuses" in (tmp_path / "music" / "collection.refused.csv").read_text()
    assert not (tmp_path / "music" / "collection.csv").exists()
