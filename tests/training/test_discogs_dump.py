"""Discogs' dumps read: entries, damage, memory."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from discogs_fixtures import Master, Release, no_refusal, release_xml, write_masters, write_releases
from training.data.discogs_dump import Entry, Kind, Vocabulary, iterate_dump, read_dump
from training.errors import DataError


def entries(path: Path, kind: Kind) -> list[Entry]:
    return list(iterate_dump(path, kind, no_refusal))


@pytest.mark.parametrize("name", ["r.xml.gz", "r.xml"])
def test_release_entries(tmp_path: Path, name: str) -> None:
    path = write_releases(
        tmp_path / name,
        [
            Release(1, 5427, ("Electronic",), ("Deep House", "Drum n Bass"), (1, 239)),
            Release(3, None, ("Funk / Soul", "Folk, World, & Country"), (), ()),
        ],
    )
    assert entries(path, "release") == [
        Entry(1, 5427, (1, 239), ("Electronic",), ("Deep House", "Drum n Bass")),
        Entry(3, 0, (), ("Funk / Soul", "Folk, World, & Country"), ()),
    ]


def test_master_entries(tmp_path: Path) -> None:
    path = write_masters(tmp_path / "m.xml.gz", [Master(18500, ("Rock",), ("Punk",), (212070,))])
    assert entries(path, "master") == [Entry(18500, 18500, (212070,), ("Rock",), ("Punk",))]


def test_columns_share_vocabularies(tmp_path: Path) -> None:
    genres, styles = Vocabulary(), Vocabulary()
    masters = write_masters(tmp_path / "m.xml", [Master(1, ("A",), ("x",)), Master(2, ("B",), ())])
    releases = write_releases(tmp_path / "r.xml", [Release(7, 2, ("B", "A"), ("y", "x"), (4, 9))])
    first = read_dump(masters, "master", genres, styles, no_refusal)
    second = read_dump(releases, "release", genres, styles, no_refusal)
    assert genres.names == ["A", "B"]
    assert styles.names == ["x", "y"]
    assert first.ids.tolist() == first.masters.tolist() == [1, 2]
    assert first.styles.offsets.tolist() == [0, 1, 1]
    assert second.masters.tolist() == [2]
    assert second.genres.values.tolist() == [1, 0]
    assert second.styles.values.tolist() == [1, 0]
    assert second.artists.values.tolist() == [4, 9]


def test_entries_without_a_usable_id_are_left_out(tmp_path: Path) -> None:
    good = release_xml(Release(5))
    path = tmp_path / "r.xml"
    broken = [good.replace('id="5"', new) for new in ("", 'id=""', 'id="x"', 'id="99999999999"')]
    path.write_text(f"<releases>{''.join(broken)}{good}</releases>")
    refusals: list[str] = []
    read = list(iterate_dump(path, "release", refusals.append))
    assert [entry.id for entry in read] == [5]
    assert len(refusals) == 4
    assert refusals[2].startswith('<release> number 3: <release id="x" status="Accepted">')


def test_only_entries_right_below_the_root_count(tmp_path: Path) -> None:
    inner = release_xml(Release(9))
    outer = release_xml(Release(1)).replace("<tracklist>", f"<other>{inner}</other><tracklist>")
    path = tmp_path / "r.xml"
    path.write_text(f"<releases>{outer}{release_xml(Release(2))}</releases>")
    assert [entry.id for entry in entries(path, "release")] == [1, 2]


def thousand(tmp_path: Path) -> Path:
    return write_releases(tmp_path / "r.xml.gz", (Release(i, i) for i in range(1, 1001)))


def cut_gzip(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damage_gzip(data: bytes) -> bytes:
    middle = len(data) // 2
    damaged = bytes(byte ^ 0x55 for byte in data[middle : middle + 50])
    return data[:middle] + damaged + data[middle + 50 :]


def cut_xml(data: bytes) -> bytes:
    return gzip.compress(gzip.decompress(data)[:-500])


def cut_plain(data: bytes) -> bytes:
    return gzip.decompress(data)[:600_000]


def control_character(data: bytes) -> bytes:
    return gzip.compress(gzip.decompress(data).replace(b"Release &amp; 700<", b"Release &#1; 700<"))


@pytest.mark.parametrize("spoil", [cut_gzip, damage_gzip, cut_xml, cut_plain, control_character])
def test_damage_is_named_with_its_place(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = thousand(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    read: list[int] = []

    def read_all() -> None:
        for entry in iterate_dump(path, "release", no_refusal):
            read.append(entry.id)

    with pytest.raises(DataError, match="r.xml.gz: cut short or damaged after <release>") as info:
        read_all()
    assert read == list(range(1, len(read) + 1))
    assert f"number {len(read)}, id {len(read)}: " in str(info.value)
    assert 200 < len(read) < 1000


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"no xml", b"\x1f\x8b\x08\x00garbage" * 9])
def test_files_that_are_no_dump(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.xml.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged at its beginning"):
        entries(path, "release")


def test_wrong_and_empty_dumps(tmp_path: Path) -> None:
    path = write_masters(tmp_path / "m.xml.gz", [Master(1)])
    with pytest.raises(DataError, match="begins with <masters>; wanted Discogs' dump of releases"):
        entries(path, "release")
    with pytest.raises(DataError, match="no such file; wanted discogs_YYYYMMDD_masters"):
        entries(tmp_path / "absent.xml.gz", "master")
    path = write_masters(tmp_path / "m.xml.gz", [])
    with pytest.raises(DataError, match="no <master> in it"):
        read_dump(path, "master", Vocabulary(), Vocabulary(), no_refusal)


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = write_releases(tmp_path / "r.xml.gz", (Release(i, i) for i in range(1, 20_001)))
    resident: list[int] = []
    pages = os.sysconf("SC_PAGE_SIZE")
    for entry in iterate_dump(path, "release", no_refusal):
        if entry.id in (2_000, 20_000):
            fields = Path("/proc/self/statm").read_text().split()
            resident.append(int(fields[1]) * pages)
    # 18,000 releases are 25 MB of XML, and several times that as a tree
    assert resident[1] - resident[0] < 4_000_000


# --- the paper's rules
