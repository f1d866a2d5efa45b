"""Data sets in the exact published forms, a few rows each, into tracks tables."""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from training.cli import main
from training.data.tracks import read_tracks
from training.downstream.datasets.gtzan import read_gtzan
from training.downstream.datasets.jamendo import read_jamendo
from training.downstream.datasets.loaders import read_mirdata
from training.downstream.datasets.magnatagatune import TOP_50, read_magnatagatune
from training.downstream.datasets.making import facts_of, make_dataset
from training.downstream.datasets.million_song import CALS_TAGS, read_cals, read_usual
from training.errors import DataError

OTHERS = ("singer", "duet", "plucking", "hard rock")
JAMENDO_HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"


def write_magnatagatune(folder: Path, rows: dict[str, set[str]]) -> None:
    """Write annotations_final.csv as it is: quoted fields, tabs between, tags of 0 and 1."""
    tags = [*OTHERS, *reversed(TOP_50)]
    with (folder / "annotations_final.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(["clip_id", *tags, "mp3_path"])
        for number, (path, has) in enumerate(rows.items(), start=2):
            writer.writerow([number, *(int(tag in has) for tag in tags), path])


MAGNATAGATUNE = {
    "f/american_bach_soloists-j_s__bach__cantatas_volume_v-01-gleich-30-59.mp3": {"choir"},
    "0/dj_markitos-slower_emotions-05-intro-88-117.mp3": {"techno", "no voice", "singer"},
    "b/dj_markitos-slower_emotions-05-intro-117-146.mp3": set(),
    "c/jag-jag_leg-02-four_or_five-0-29.mp3": {"duet"},
    "d/jag-jag_leg-02-four_or_five-29-58.mp3": {"guitar", "country"},
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3": {"guitar"},
}


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"audio")


def test_magnatagatune_keeps_clips_without_tags_and_splits_by_folder(tmp_path: Path) -> None:
    write_magnatagatune(tmp_path, MAGNATAGATUNE)
    found = read_magnatagatune(tmp_path)
    assert len(found.classes) == 50
    by_id = {item.identity: item for item in found.items}
    assert {name: (item.split, len(item.labels)) for name, item in by_id.items()} == {
        "2": ("test", 1),
        "3": ("train", 2),
        "4": ("train", 0),
        "5": ("validation", 0),
        "6": ("test", 2),
    }
    assert by_id["3"].labels == ("MagnaTagATune---techno", "MagnaTagATune---no voice")
    assert by_id["3"].group == by_id["4"].group == "artist/dj_markitos"
    assert list(found.left_out) == ["7"]  # empty as it was published


def test_a_partial_copy_is_usable_and_says_so(tmp_path: Path) -> None:
    write_magnatagatune(tmp_path, MAGNATAGATUNE)
    touch(tmp_path / "mp3", *[path for path in MAGNATAGATUNE if path[0] in "f0bc"])
    table = tmp_path / "tracks.parquet"
    report = make_dataset("magnatagatune", tmp_path, table, audio=tmp_path / "mp3")
    tracks = read_tracks(table)
    assert tracks.table["id"].to_pylist() == ["2", "3", "4", "5"]
    assert [len(labels) for labels in tracks.table["labels"].to_pylist()] == [1, 2, 0, 0]
    assert report.refused == {"no such audio file": 1}
    assert report.counts["tracks with none of the classes"] == 2
    assert any("a part of the data set" in note for note in report.notes)
    assert any("other than in the paper's Table 2 (MTT" in note for note in report.notes)
    assert "d/jag" in (tmp_path / "tracks.parquet.refused.csv").read_text()
    assert facts_of(table).dataset == "magnatagatune"
    assert not facts_of(table).complete
    # a table that was changed since is not taken for what it was
    table.write_bytes(table.read_bytes() + b" ")
    assert facts_of(table).dataset == ""


def test_magnatagatune_in_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations_final.csv").write_text("clip_id,guitar,mp3_path\n1,1,0/a.mp3\n")
    with pytest.raises(DataError, match="with tabs between"):
        read_magnatagatune(tmp_path)
    write_magnatagatune(tmp_path, {"g/a-b-1-c-0-29.mp3": {"guitar"}})
    with pytest.raises(DataError, match="line 2 has mp3_path 'g/a-b"):
        read_magnatagatune(tmp_path)


JAMENDO = {
    "train": "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---punkrock",
    "validation": "track_0000215\tartist_000015\talbum_000031\t15/215.mp3\t151.4\t"
    "genre---metal\tgenre---rock",
    "test": "track_0000382\tartist_000020\talbum_000046\t82/382.mp3\t211.1\tgenre---rock",
}


def test_jamendo(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "splits" / "split-0"
    folder.mkdir(parents=True)
    for split, line in JAMENDO.items():
        (folder / f"autotagging_genre-{split}.tsv").write_text(f"{JAMENDO_HEADER}\n{line}\n")
    found = read_jamendo(tmp_path, "genre")
    assert found.classes == ("genre---metal", "genre---punkrock", "genre---rock")
    assert [item.labels for item in found.items] == [
        ("genre---punkrock",),
        ("genre---metal", "genre---rock"),
        ("genre---rock",),
    ]
    assert [item.group for item in found.items] == [
        "artist_000014",
        "artist_000015",
        "artist_000020",
    ]
    assert read_jamendo(folder, "genre") == found
    # audio of low quality has other names
    touch(tmp_path / "audio", "14/214.mp3", "15/215.low.mp3", "82/382.low.mp3")
    make_dataset("jamendo-genre", tmp_path, tmp_path / "t.parquet", audio=tmp_path / "audio")
    assert read_tracks(tmp_path / "t.parquet").table["path"].to_pylist()[1].endswith("215.low.mp3")
    with pytest.raises(DataError, match="autotagging_instrument-train.tsv"):
        read_jamendo(tmp_path, "instrument")


@pytest.mark.parametrize("missing", [0, 1])
def test_jamendo_whole_is_its_split_whole(missing: int, tmp_path: Path) -> None:
    """Table 2 has 18,486 tracks; the splits that were published have 17,982 of them."""
    shares = {"train": 9949 - missing, "validation": 3802, "test": 4231}
    number = 0
    for split, tracks in shares.items():
        lines = [JAMENDO_HEADER]
        for _ in range(tracks):
            number += 1
            tag = f"mood/theme---tag{number % 56}"
            lines.append(f"track_{number}\tartist_{number}\talbum_1\t{number}.mp3\t200.0\t{tag}")
        (tmp_path / f"autotagging_moodtheme-{split}.tsv").write_text("\n".join(lines) + "\n")
    table = tmp_path / "t.parquet"
    report = make_dataset("jamendo-moodtheme", tmp_path, table, check_files=False)
    assert facts_of(table).complete == (missing == 0)
    assert any(note.startswith("split 0 has 17,982 tracks") for note in report.notes)


MSD_TAGS = ("rock", "Mellow", "Hip-Hop")


def write_usual_split(folder: Path) -> None:
    """Write the lists as Python 2 pickled them: ids as bytes, vectors of shape [tags, 1]."""
    (folder / "50tagList.txt").write_text("\n".join(MSD_TAGS) + "\n")
    names = [f"TRABC{number:02}128F000000" for number in range(5)]

    def keep(name: str, value: object) -> None:
        with (folder / name).open("wb") as file:
            pickle.dump(value, file, protocol=2)

    keep("filtered_list_train.cP", [name.encode() for name in names[:3]])
    keep("filtered_list_test.cP", [name.encode() for name in names[3:]])
    vectors = np.eye(3, dtype=np.uint8)[[0, 1, 2, 0]]
    keep(
        "msd_id_to_tag_vector.cP",
        {n.encode(): v[:, None] for n, v in zip(names, vectors, strict=False)},
    )
    keep("MSD_id_to_7D_id.pkl", {names[0].encode(): b"8947470"})
    keep("7D_id_to_path.pkl", {b"8947470": b"8/9/8947470.clip.mp3"})


def test_million_song_usual_split(tmp_path: Path) -> None:
    write_usual_split(tmp_path)
    found = read_usual(tmp_path, training=2)
    assert found.classes == ("lastfm---rock", "lastfm---Mellow", "lastfm---Hip-Hop")
    assert [item.split for item in found.items] == ["train", "train", "validation", "test"]
    assert [item.labels[0] for item in found.items] == [
        "lastfm---rock",
        "lastfm---Mellow",
        "lastfm---Hip-Hop",
        "lastfm---rock",
    ]
    assert found.items[0].path == "8/9/8947470.clip.mp3"
    assert found.items[1].path == "A/B/C/TRABC01128F000000.mp3"
    assert list(found.left_out.values()) == ["no tags"]
    assert "unique_tracks.txt" in found.notes[0]
    (tmp_path / "unique_tracks.txt").write_text("TRABC00128F000000<SEP>SOX<SEP>Casual<SEP>Title\n")
    assert read_usual(tmp_path, training=2).items[0].group == "artist/Casual"


def test_pickles_run_nothing(tmp_path: Path) -> None:
    write_usual_split(tmp_path)
    (tmp_path / "filtered_list_test.cP").write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")
    with pytest.raises(DataError, match="wants to run os.system"):
        read_usual(tmp_path)


def test_cals(tmp_path: Path) -> None:
    for number, name in enumerate(("train", "valid", "test")):
        np.save(tmp_path / f"{name}_ids.npy", np.array([f"TRABC0{number}128F000000"]))
        np.save(tmp_path / f"{name}_binaries.npy", np.eye(50)[[number]])
    found = read_cals(tmp_path)
    assert [item.split for item in found.items] == ["train", "validation", "test"]
    assert [item.labels for item in found.items] == [(f"lastfm---{tag}",) for tag in CALS_TAGS[:3]]
    np.save(tmp_path / "test_binaries.npy", np.eye(49)[[0]])
    with pytest.raises(DataError, match=r"\[1, 49\] tags; wanted \[tracks\] and \[tracks, 50\]"):
        read_cals(tmp_path)


def test_gtzan(tmp_path: Path) -> None:
    for name, line in (("train", "blues/blues.00029"), ("valid", "pop/pop.00003")):
        (tmp_path / f"{name}_filtered.txt").write_text(f"{line}.wav\n")
    (tmp_path / "test_filtered.txt").write_text("rock/rock.00010.wav\njazz/jazz.00002.wav\n")
    found = read_gtzan(tmp_path)
    assert len(found.classes) == 10
    assert [item.split for item in found.items] == ["train", "validation", "test", "test"]
    touch(tmp_path, "blues/blues.00029.au", "pop/pop.00003.wav", "rock/rock.00010.wav")
    report = make_dataset("gtzan", tmp_path, tmp_path / "t.parquet")
    assert read_tracks(tmp_path / "t.parquet").table["path"][0].as_py() == "blues/blues.00029.au"
    assert report.refused == {"no such audio file": 1}


def test_folders_and_tables_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for genre in ("loud", "soft"):
        touch(tmp_path / "music", *(f"{genre}/album {n % 5}/{n}.wav" for n in range(10)))
    table = tmp_path / "tracks.parquet"
    assert main(["downstream", "dataset", "folders", str(tmp_path / "music"), str(table)]) == 0
    tracks = read_tracks(table)
    assert tracks.classes == ("class---loud", "class---soft")
    groups = dict.fromkeys(tracks.table["group"].to_pylist())
    assert len(groups) == 10
    assert {"train", "validation", "test"} == set(tracks.table["split"].to_pylist())
    source = tmp_path / "music" / "tags.csv"
    source.write_text("path,tags,split\nloud/album 0/0.wav,a,train\nsoft/album 0/0.wav,b,test\n")
    assert main(["downstream", "dataset", "table", str(source), str(table)]) == 0
    assert (
        json.loads(table.with_name("tracks.parquet.dataset.json").read_text())["dataset"] == "table"
    )
    capsys.readouterr()
    assert main(["downstream", "dataset", "mtat", str(tmp_path), str(table)]) == 2
    assert "wanted: magnatagatune, jamendo-genre" in capsys.readouterr().err


class StandIn(SimpleNamespace):
    """A data set of mirdata's, as far as we ask it."""

    track_ids = ("blues.00000", "0", "nothing")

    def get_track_splits(self) -> dict[str, list[str]]:
        raise NotImplementedError

    def validate(self, verbose: bool) -> tuple[dict, dict]:
        return {"tracks": {}}, {"tracks": {"0": ["0.mp3"]}}


def test_mirdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tracks, as its loaders of GTZAN and MTG-Jamendo give them."""
    tracks = {
        "blues.00000": SimpleNamespace(audio_path=str(tmp_path / "b.wav"), genre="blues"),
        "0": SimpleNamespace(
            audio_path=str(tmp_path / "0.mp3"), tags=["sad", "epic", "sad"], artist_id="artist_1"
        ),
        "nothing": SimpleNamespace(audio_path=None, genre="pop"),
    }
    loader = StandIn(load_tracks=lambda: tracks)
    module = SimpleNamespace(
        list_datasets=lambda: ["gtzan_genre"], initialize=lambda name, data_home: loader
    )
    monkeypatch.setitem(sys.modules, "mirdata", module)
    found = read_mirdata(tmp_path, "gtzan_genre")
    # labels without a family are of one together, not each of its own
    assert found.classes == ("genre---blues", "tag---epic", "tag---sad")
    assert [(item.path, item.group, item.split) for item in found.items] == [
        ("b.wav", "blues.00000", ""),
        ("0.mp3", "artist_1", ""),
    ]
    assert "0 tracks lack files, 1 have files that were not as published" in found.notes[0]
    assert read_mirdata(tmp_path, "gtzan_genre", check_files=False).notes == ()
    with pytest.raises(DataError, match="no loader 'gtzan'"):
        read_mirdata(tmp_path, "gtzan")


GTZAN_SAMPLE = {"blues.00000": "gtzan_genre/genres/blues/blues.00000.wav"}
MOOD_SAMPLE = {
    "track_0000948": ("artist_000087", "audios/48/948.mp3", "train", "mood/theme---background"),
    "track_0000950": ("artist_000088", "audios/50/950.mp3", "validation", "mood/theme---film"),
    "track_0000951": ("artist_000089", "audios/51/951.mp3", "test", "mood/theme---film"),
}


def test_mirdata_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package (200 MB with what it needs, so not among the tests' own), on a few tracks."""
    core = pytest.importorskip("mirdata.core", exc_type=ImportError)
    index = tmp_path / "index.json"
    monkeypatch.setattr(core.Index, "get_path", lambda self: str(index))
    with pytest.raises(DataError, match=r"index must be downloaded.*download\(\['index'\]\)"):
        read_mirdata(tmp_path, "gtzan_genre")

    def keep(files: dict[str, str]) -> None:
        told = {}
        for name, path in files.items():
            touch(tmp_path, path)
            told[name] = {"audio": [path, hashlib.md5(b"audio").hexdigest()]}
        index.write_text(json.dumps({"version": "1.0", "tracks": told}))

    keep(GTZAN_SAMPLE)
    told = json.loads(index.read_text())
    told["tracks"]["blues.00000"] |= {"beats": [None, None], "tempo": [None, None]}
    index.write_text(json.dumps(told))
    found = read_mirdata(tmp_path, "gtzan_genre")
    assert [(item.path, item.labels) for item in found.items] == [
        (GTZAN_SAMPLE["blues.00000"], ("genre---blues",))
    ]
    assert found.notes == ("all files of 1 tracks are as published, by mirdata's checksums",)

    keep({name: path for name, (_, path, _, _) in MOOD_SAMPLE.items()})
    lines = {
        name: f"{name}\t{artist}\talbum_1\t{path.removeprefix('audios/')}\t212.7\t{tag}\n"
        for name, (artist, path, _, tag) in MOOD_SAMPLE.items()
    }
    (tmp_path / "data").mkdir()
    whole = tmp_path / "data/autotagging_moodtheme.tsv"
    whole.write_text(f"{JAMENDO_HEADER}\n{''.join(lines.values())}")
    for number in range(5):
        folder = tmp_path / f"data/splits/split-{number}"
        folder.mkdir(parents=True)
        for name, (_, _, split, _) in MOOD_SAMPLE.items():
            table = folder / f"autotagging_moodtheme-{split}.tsv"
            table.write_text(f"{JAMENDO_HEADER}\n{lines[name]}")
    (tmp_path / MOOD_SAMPLE["track_0000951"][1]).write_bytes(b"damaged")
    found = read_mirdata(tmp_path, "mtg_jamendo_autotagging_moodtheme")
    assert found.classes == ("tag---background", "tag---film")
    assert [(item.split, item.group) for item in found.items] == [
        ("train", "artist_000087"),
        ("validation", "artist_000088"),
        ("test", "artist_000089"),
    ]
    assert "1 have files that were not as published" in found.notes[0]
    # the published tables are read from the same folder without mirdata, whole and with families
    report = make_dataset("jamendo-moodtheme", tmp_path, tmp_path / "t.parquet")
    assert report.counts["tracks"] == 3
    assert read_tracks(tmp_path / "t.parquet").table["path"][0].as_py() == "audios/48/948.mp3"
