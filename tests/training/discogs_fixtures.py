"""Small Discogs dumps in the schema of the real ones."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Master:
    id: int
    genres: Sequence[str] = ("Electronic",)
    styles: Sequence[str] = ()
    artists: Sequence[int] = (1,)


@dataclass(frozen=True)
class Release:
    id: int
    master: int | None = None
    genres: Sequence[str] = ("Electronic",)
    styles: Sequence[str] = ()
    artists: Sequence[int] = (1,)
    tracks: Sequence[tuple[str, Sequence[int]]] = (("A", (990001,)),)


def write_masters(path: Path, masters: Iterable[Master]) -> Path:
    return _write(path, "masters", map(master_xml, masters))


def write_releases(path: Path, releases: Iterable[Release]) -> Path:
    return _write(path, "releases", map(release_xml, releases))


def master_xml(master: Master) -> str:
    return (
        f'<master id="{master.id}"><main_release>{master.id * 10}</main_release>'
        '<images><image height="588" type="primary" uri="" uri150="" width="600"/></images>'
        f"<artists>{_artists(master.artists)}</artists>"
        f"{_names('genre', master.genres)}{_names('style', master.styles)}"
        f"<year>2001</year><title>Master {master.id}</title><data_quality>Correct</data_quality>"
        '<videos><video duration="489" embed="true" src="https://example.org/v">'
        "<title>Video</title><description>Video</description></video></videos></master>"
    )


def release_xml(release: Release) -> str:
    master = (
        ""
        if release.master is None
        else f'<master_id is_main_release="false">{release.master}</master_id>'
    )
    # artists of single tracks and credits do not make a release's artists
    credits = f"<extraartists>{_artists([990002])}</extraartists>"
    return (
        f'<release id="{release.id}" status="Accepted">'
        '<images><image height="600" type="primary" uri="" uri150="" width="600"/></images>'
        f"<artists>{_artists(release.artists)}</artists><title>Release &amp; {release.id}</title>"
        '<labels><label catno="SK 032" id="5" name="Svek"/></labels>'
        f"{credits}"
        '<formats><format name="Vinyl" qty="2" text=""><descriptions>'
        "<description>12&quot;</description></descriptions></format></formats>"
        f"{_names('genre', release.genres)}{_names('style', release.styles)}"
        "<country>Sweden</country><released>1999-03-00</released><notes>Östermalm</notes>"
        f"<data_quality>Correct</data_quality>{master}"
        f"<tracklist>{''.join(_track(*track, credits) for track in release.tracks)}</tracklist>"
        '<identifiers><identifier description="A-Side" type="Matrix / Runout" value="A1"/>'
        "</identifiers><companies><company><id>271046</id><name>The Globe Studios</name>"
        "<entity_type>23</entity_type></company></companies></release>"
    )


def _track(position: str, artists: Sequence[int], credits: str) -> str:
    own = f"<artists>{_artists(artists)}</artists>" if artists else ""
    return (
        f"<track><position>{position}</position><title>Östermalm</title>"
        f"<duration>4:45</duration>{own}{credits}</track>"
    )


def _artists(ids: Iterable[int]) -> str:
    return "".join(
        f"<artist><id>{id_}</id><name>Artist {id_}</name><anv></anv><join>,</join>"
        "<role></role><tracks></tracks></artist>"
        for id_ in ids
    )


def _names(tag: str, names: Sequence[str]) -> str:
    # the real dumps leave the list out when it is empty
    if not names:
        return ""
    return f"<{tag}s>{''.join(f'<{tag}>{escape(name)}</{tag}>' for name in names)}</{tag}s>"


def _write(path: Path, root: str, entries: Iterator[str]) -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.write(f"<{root}>\n")
        for entry in entries:
            file.write(entry + "\n")
        file.write(f"</{root}>\n")
    return path


def no_refusal(text: str) -> None:
    """For reading a dump in which nothing may be refused."""
    raise AssertionError(text)
