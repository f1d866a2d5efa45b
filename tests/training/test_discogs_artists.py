"""Compilations: their tracks stay with their artists, by the dump's own words or the table's."""

from __future__ import annotations

from pathlib import Path

import pytest

from discogs_fixtures import Master, Release
from test_discogs import Collection
from training.data.artists import PLACEHOLDERS
from training.data.discogs_dump import name_key, position_key

VARIOUS = PLACEHOLDERS[0]
STYLES = ("Techno",)
ALBUMS = [Master(n, styles=STYLES, artists=(n,)) for n in range(1, 6)]
RELEASES = [Release(10 * n, n, styles=STYLES, artists=(n,)) for n in range(1, 6)]
COMPILATION = Release(
    900, None, styles=STYLES, artists=(VARIOUS,),
    tracks=[("A1", (1,)), ("A2", (2, 3)), ("B1", ()), ("B2", (VARIOUS,))],
)  # fmt: skip
MIX = Release(
    901, None, styles=STYLES, artists=(5,), tracks=[("1-01", (4,)), ("02", (7,)), ("3", ())]
)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(tmp_path)


def groups(collection: Collection, header: str, *lines: str) -> dict[str, object]:
    albums = [f"album {n},{n}.mp3,{10 * n}" + "," * (header.count(",") - 2) for n in range(1, 6)]
    tracks = "\n".join([header, *albums, *lines]) + "\n"
    made, _ = collection.make(ALBUMS, [*RELEASES, COMPILATION, MIX], tracks, classes=1)
    return {name: row["group"] for name, row in made.items()}


def test_a_position_tells_whose_a_track_is(collection: Collection) -> None:
    found = groups(
        collection,
        "id,path,release,position",
        "one,a.mp3,900,A1", "two,b.mp3,900, a2", "none,c.mp3,900,B1", "various,d.mp3,900,B2",
        "nowhere,e.mp3,900,Z9", "unsaid,f.mp3,900,", "mixed,g.mp3,901,1-1",
        "guest,h.mp3,901,2", "own,i.mp3,901,3",
    )  # fmt: skip
    assert found["one"] == found["album 1"] == "artist 1"
    assert found["two"] == found["album 2"] == found["album 3"] == "artist 2"
    # Whose it is, is not known: a group of the compilation's own.
    for name in ("none", "various", "nowhere", "unsaid"):
        assert found[name] == "release 900"
    # Not who mixed it, but who made it; of a track without artists, the release's.
    assert found["mixed"] == found["album 4"] == "artist 4"
    assert found["guest"] == "artist 7"
    assert found["own"] == found["album 5"] == "artist 5"


def test_the_table_may_name_artists(collection: Collection) -> None:
    found = groups(
        collection,
        "id,path,release,artist,position",
        "named,a.mp3,900,ARTIST 4 (2),A1", "number,b.mp3,900,3,",
        "both,c.mp3,900,Artist 1;Artist 5,",
        "stranger,d.mp3,900,Nobody Known,", "again,e.mp3,901,nobody known,", "silent,f.mp3,900,,A1",
    )  # fmt: skip
    assert found["named"] == found["album 4"]
    assert found["number"] == found["album 3"]
    assert found["both"] == found["album 1"] == found["album 5"] == found["silent"] == "artist 1"
    assert found["stranger"] == found["again"]
    assert found["stranger"] not in {found[f"album {n}"] for n in range(1, 6)}


def test_without_either_a_compilation_is_a_group_and_it_is_said(collection: Collection) -> None:
    tracks = "id,path,release\none,a.mp3,900\ntwo,b.mp3,900\nalbum,c.mp3,10\n"
    made, report = collection.make(ALBUMS, [*RELEASES, COMPILATION], tracks, classes=1)
    assert made["one"]["group"] == made["two"]["group"] == "release 900"
    assert report.counts["tracks of compilations and unknown artists"] == 2
    assert any(note.startswith("2 tracks are of compilations") for note in report.notes)


def test_no_artist_of_a_compilation_is_in_two_splits(collection: Collection) -> None:
    artists = range(1, 61)
    compilation = Release(
        9000, None, styles=STYLES, artists=(VARIOUS,), tracks=[(str(n), (n,)) for n in artists]
    )
    masters = [Master(n, styles=STYLES, artists=(n,)) for n in artists]
    releases = [Release(10 * n, n, styles=STYLES, artists=(n,)) for n in artists]
    lines = [f"album {n},{n}.mp3,{10 * n}," for n in artists]
    lines += [f"track {n},c{n}.mp3,9000,{n}" for n in artists]
    tracks = "\n".join(["id,path,release,position", *lines]) + "\n"
    made, report = collection.make(
        masters, [*releases, compilation], tracks, classes=1, validation_tracks=12, test_tracks=12
    )
    assert {row["split"] for row in made.values()} == {"train", "validation", "test"}
    for n in artists:
        assert made[f"album {n}"]["split"] == made[f"track {n}"]["split"]
    assert report.counts["tracks whose own artists are known"] == 60


def test_keys() -> None:
    assert position_key(" A1") == position_key("a1")
    assert position_key("07") == position_key("7")
    assert position_key("1-01") == position_key("1-1") != position_key("1-10")
    assert position_key("0") == "0"
    assert name_key("Prince (2)") == name_key(" prince ")
    assert name_key("Sunn O)))") == "sunn o)))"
