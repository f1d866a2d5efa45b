"""Discogs' dumps to the paper's training set, rule by rule on dumps worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from discogs_fixtures import Master, Release, no_refusal, write_masters, write_releases
from training.data.artists import group_works
from training.data.discogs import make_discogs_table
from training.data.discogs_dump import Entries, Vocabulary, read_dump
from training.data.discogs_styles import Taxonomy, Works, gather_works
from training.data.report import Report
from training.data.tracks import read_tracks
from training.errors import ConfigError, DataError


class Collection:
    """Dumps and a tracks table in one folder, and the table made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(
        self,
        masters: Sequence[Master],
        releases: Sequence[Release],
        tracks: str,
        **options: object,
    ) -> tuple[dict[str, dict[str, object]], Report]:
        write_masters(self.folder / "m.xml.gz", masters or [Master(999_999)])
        write_releases(self.folder / "r.xml.gz", releases)
        (self.folder / "t.csv").write_text(tracks)
        options = {"validation_tracks": 0, "test_tracks": 0, "check_files": False, **options}
        report = make_discogs_table(
            self.folder / "m.xml.gz",
            self.folder / "r.xml.gz",
            self.folder / "t.csv",
            self.folder / "tracks.parquet",
            **options,  # type: ignore[arg-type]
        )
        made = read_tracks(self.folder / "tracks.parquet")
        assert len(set(made.table["id"].to_pylist())) == len(made)
        return {row["id"]: row for row in made.table.to_pylist()}, report

    @property
    def classes(self) -> tuple[str, ...]:
        return read_tracks(self.folder / "tracks.parquet").classes

    @property
    def refused(self) -> set[tuple[str, str]]:
        path = self.folder / "tracks.parquet.refused.csv"
        return {(row["reason"], row["subject"]) for row in pyarrow.csv.read_csv(path).to_pylist()}


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(tmp_path)


# --- reading dumps


def test_styles_are_united_over_a_master(collection: Collection) -> None:
    tracks, report = collection.make(
        [Master(10, styles=("Techno",))],
        [
            Release(1, 10, styles=("House",)),
            Release(2, 10, styles=("Techno", "Dub")),
            Release(3, 11, styles=("Ambient",)),
        ],
        "id,release,path\na,1,a.mp3\nb,2,b.mp3\n",
    )
    # both tracks have what the master and both releases say, and nothing of the other master
    expected = ["Electronic---Dub", "Electronic---House", "Electronic---Techno"]
    assert sorted(tracks["a"]["labels"]) == sorted(tracks["b"]["labels"]) == expected
    assert collection.classes == tuple(expected)
    assert tracks["a"]["weights"] == [1.0, 1.0, 1.0]
    assert tracks["a"]["families"] is None
    assert report.counts["masters"] == 1


def test_release_without_a_master_is_its_own(collection: Collection) -> None:
    tracks, report = collection.make(
        [Master(1, styles=("Techno",))],
        # release 1 is not master 1
        [
            Release(1, None, styles=("House",)),
            Release(2, None, styles=("Dub",)),
            Release(3, 77, styles=("IDM",)),
        ],
        "id,release,path\na,1,a.mp3\nb,2,b.mp3\nc,3,c.mp3\n",
    )
    assert [tracks[i]["labels"] for i in "abc"] == [
        ["Electronic---House"],
        ["Electronic---Dub"],
        ["Electronic---IDM"],
    ]
    assert "1 masters of the tracks are not in m.xml.gz" in report.notes[0]


def test_masters_with_more_than_five_styles_or_none_are_dropped(collection: Collection) -> None:
    five = ("A", "B", "C", "D", "E")
    tracks, _ = collection.make(
        [Master(10, styles=five), Master(20, styles=five), Master(30)],
        # the sixth style comes from a release that has no track
        [Release(1, 10), Release(2, 20), Release(3, 20, styles=("F",)), Release(4, 30)],
        "id,release,path\na,1,a.mp3\nb,2,b.mp3\nd,4,d.mp3\n",
    )
    assert set(tracks) == {"a"}
    assert collection.refused == {
        ("its master has more than 5 styles", "b, row 2"),
        ("its master has no style", "d, row 3"),
    }
    # F is in the pool, but no usable track has it
    assert collection.classes == tuple(f"Electronic---{name}" for name in five)


def test_most_frequent_styles_are_counted_over_tracks(collection: Collection) -> None:
    tracks, report = collection.make(
        [
            Master(10, styles=("Rare",)),
            Master(20, styles=("Rare", "Widespread")),
            Master(30, styles=("Rare",)),
            Master(40, styles=("Widespread", "Third")),
        ],
        [Release(i, i * 10) for i in (1, 2, 3, 4)],
        # three masters have Rare, but four tracks have Widespread
        "id,release,path\na,1,1\nb,2,2\nc,3,3\nd,4,4\ne,4,5\nf,4,6\n",
        classes=1,
    )
    assert collection.classes == ("Electronic---Widespread",)
    assert set(tracks) == {"b", "d", "e", "f"}
    assert all(track["labels"] == ["Electronic---Widespread"] for track in tracks.values())
    assert report.refused == {"none of its master's styles is among the 1 most frequent": 2}
    assert report.counts["classes without a track in train"] == 0


def test_short_and_unusable_tracks_are_dropped(collection: Collection) -> None:
    lines = [
        "id,release,path,seconds",
        "a,1,a.mp3,20",
        "b,1,b.mp3,20.1",
        "c,1,c.mp3,",
        "d,404,d.mp3,60",
        "e,one,e.mp3,60",
        "f,1.5,f.mp3,60",
        "g,,g.mp3,60",
        "h,1.0,h.mp3,60",
        ",1,i.mp3,60",
        "j,1,,60",
        "b,1,k.mp3,60",
        "l,-1,l.mp3,60",
    ]
    tracks, report = collection.make(
        [], [Release(1, None, styles=("Techno",))], "\n".join(lines) + "\n"
    )
    assert set(tracks) == {"b", "c", "h"}
    assert collection.refused == {
        ("not longer than 20 s", "a, row 1"),
        ("its release is not in the dump", "d, row 4"),
        ("release is not a number", "e, row 5"),
        ("release is not a number of Discogs", "f, row 6"),
        ("release is not a number of Discogs", "g, row 7"),
        ("no id", "i.mp3, row 9"),
        ("no path", "j, row 10"),
        ("id is used by an earlier row", "b, row 11"),
        ("release is not a number of Discogs", "l, row 12"),
    }
    assert report.counts["tracks"] + sum(report.refused.values()) == report.counts["rows read"]


def test_missing_audio_is_refused(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"")
    tracks, report = collection.make(
        [],
        [Release(1, None, styles=("Techno",))],
        "id,release,path\na,1,a.mp3\nb,1,b.mp3\n",
        check_files=True,
    )
    assert set(tracks) == {"a"}
    assert report.refused == {"no such audio file": 1}


def test_nothing_left_stops(collection: Collection) -> None:
    with pytest.raises(DataError, match=r"no usable row left \(its release is not in the dump: 1"):
        collection.make([], [Release(1)], "id,release,path\na,2,a.mp3\n")
    with pytest.raises(DataError, match="no column release; found id, path"):
        collection.make([], [Release(1)], "id,path\na,a.mp3\n")
    with pytest.raises(ConfigError, match="classes=0"):
        collection.make([], [Release(1)], "id,release,path\na,1,a.mp3\n", classes=0)


# --- which genre a style belongs to


def labels_of(folder: Path, masters: Sequence[Master]) -> list[list[str]]:
    """Labels of each master, in the order of their ids."""
    genres, styles = Vocabulary(), Vocabulary()
    works, dumps = works_of(folder, masters, genres, styles)
    taxonomy = Taxonomy(dumps, genres.names, styles.names)
    labels = taxonomy.labels(works)
    rows = [labels.row(work) for work in range(len(works))]
    return [sorted(taxonomy.name(int(label)) for label in row) for row in rows]


def works_of(
    folder: Path, masters: Sequence[Master], genres: Vocabulary, styles: Vocabulary
) -> tuple[Works, tuple[Entries, Entries]]:
    """Read masters, beside a dump of releases that says nothing."""
    path = write_masters(folder / "m.xml", masters)
    read = read_dump(path, "master", genres, styles, no_refusal)
    path = write_releases(folder / "r.xml", [Release(1, None, (), (), ())])
    empty = read_dump(path, "release", genres, styles, no_refusal)
    return gather_works(np.sort(read.ids), read, empty), (read, empty)


def test_style_belongs_to_the_genre_it_stands_alone_with(tmp_path: Path) -> None:
    labels = labels_of(
        tmp_path,
        [
            *(Master(i, ("Electronic",), ("Techno",)) for i in range(1, 6)),
            Master(6, ("Rock",), ("Techno",)),
            Master(7, ("Electronic", "Rock"), ("Techno", "Punk")),
            Master(8, ("Rock",), ("Punk",)),
        ],
    )
    assert labels[0] == ["Electronic---Techno"]
    # a slip of one in six is below a fifth: the style stands under its own genre
    assert labels[5] == ["Electronic---Techno"]
    assert labels[6] == ["Electronic---Techno", "Rock---Punk"]
    assert labels[7] == ["Rock---Punk"]


def test_style_of_two_genres_has_two_labels(tmp_path: Path) -> None:
    labels = labels_of(
        tmp_path,
        [
            *(Master(i, ("Electronic",), ("Experimental",)) for i in range(1, 5)),
            Master(5, ("Rock",), ("Experimental",)),
            Master(6, ("Electronic", "Rock"), ("Experimental",)),
            Master(7, ("Jazz", "Rock"), ("Experimental",)),
            Master(8, ("Jazz", "Latin"), ("Experimental",)),
        ],
    )
    assert labels[0] == ["Electronic---Experimental"]
    assert labels[4] == ["Rock---Experimental"]
    assert labels[5] == ["Electronic---Experimental", "Rock---Experimental"]
    assert labels[6] == ["Rock---Experimental"]
    assert labels[7] == ["Electronic---Experimental"]


def test_entries_of_one_genre_outweigh_all_others(tmp_path: Path) -> None:
    labels = labels_of(
        tmp_path,
        [
            *(Master(i, ("Pop", "Rock"), ("Surf",)) for i in range(1, 6)),
            Master(6, ("Rock",), ("Surf",)),
            Master(7, ("Latin",), ("Salsa",)),
            Master(8, ("Latin", "Pop"), ("Surf",)),
        ],
    )
    assert labels[0] == ["Rock---Surf"]
    assert labels[7] == ["Rock---Surf"]


def test_style_never_beside_one_genre_takes_the_most_frequent(tmp_path: Path) -> None:
    labels = labels_of(
        tmp_path,
        [
            Master(1, ("Rock", "Pop"), ("Mix",)),
            Master(2, ("Jazz", "Pop"), ("Mix",)),
            # a tie: the alphabet decides, not the order of the dump
            Master(3, ("Rock", "Blues"), ("Tie",)),
            Master(4, (), ("Homeless",)),
        ],
    )
    assert labels == [["Pop---Mix"], ["Pop---Mix"], ["Blues---Tie"], []]


# --- artists and splits


def groups_of(folder: Path, masters: Sequence[Master], chosen: list[int]) -> list[str]:
    works, _ = works_of(folder, masters, Vocabulary(), Vocabulary())
    return group_works(works, np.array(chosen))


def test_works_are_connected_through_artists(tmp_path: Path) -> None:
    masters = [
        Master(1, artists=(50,)),
        Master(2, artists=(50, 40)),
        Master(3, artists=(40, 60)),
        Master(4, artists=(70,)),
        Master(5, artists=(194,)),
        Master(6, artists=(194, 355)),
        Master(7, artists=(194, 70)),
        Master(8, artists=()),
    ]
    assert groups_of(tmp_path, masters, list(range(8))) == [
        "artist 40",
        "artist 40",
        "artist 40",
        "artist 70",
        "master 5",
        "master 6",
        "artist 70",
        "master 8",
    ]
    # without the second work nothing connects the first and the third
    assert groups_of(tmp_path, masters, [0, 2, 6]) == ["artist 50", "artist 40", "artist 70"]


def test_artists_of_every_release_count_for_the_master(collection: Collection) -> None:
    tracks, _ = collection.make(
        [Master(10, styles=("House",), artists=(5,))],
        [
            Release(1, 10, artists=(5, 6)),
            Release(2, None, styles=("House",), artists=(6,)),
            Release(3, None, styles=("House",), artists=(7,)),
            Release(4, None, styles=("House",), artists=(194,)),
        ],
        "id,release,path\na,1,1\nb,2,2\nc,3,3\nd,4,4\n",
    )
    assert {name: track["group"] for name, track in tracks.items()} == {
        "a": "artist 5",
        "b": "artist 5",
        "c": "artist 7",
        "d": "release 4",
    }


def large(count: int) -> tuple[list[Release], str]:
    releases = [
        Release(i, None, styles=(f"Style {i % 7}",), artists=(1000 + i // 3,))
        for i in range(1, count + 1)
    ]
    return releases, "id,release,path\n" + "".join(
        f"t{i},{i},{i}.mp3\n" for i in range(1, count + 1)
    )


def test_splits_have_the_asked_sizes_and_share_no_artist(collection: Collection) -> None:
    releases, table = large(1500)
    tracks, report = collection.make([], releases, table, validation_tracks=100, test_tracks=50)
    sizes = {name: report.counts[f"tracks in {name}"] for name in ("train", "validation", "test")}
    assert sizes["train"] + sizes["validation"] + sizes["test"] == 1500
    assert abs(sizes["validation"] - 100) <= 3
    assert abs(sizes["test"] - 50) <= 3
    splits = {(track["group"], track["split"]) for track in tracks.values()}
    assert len(splits) == len({track["group"] for track in tracks.values()}) == 501
    assert report.notes == ()
    again, _ = collection.make([], releases, table, validation_tracks=100, test_tracks=50)
    assert again == tracks
    other, _ = collection.make([], releases, table, validation_tracks=100, test_tracks=50, seed=1)
    assert {i for i in tracks if tracks[i]["split"] != other[i]["split"]}


def test_small_collections_scale_the_splits_down(collection: Collection) -> None:
    releases, table = large(600)
    _, report = collection.make([], releases, table, validation_tracks=40_000, test_tracks=20_000)
    assert abs(report.counts["tracks in validation"] - 80) <= 3
    assert abs(report.counts["tracks in test"] - 40) <= 3
    assert report.notes[0].endswith("a fifth of the 600 tracks: scaled down to about 80 and 40")
