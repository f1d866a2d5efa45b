"""The produced music that Debian's packages carry, and who made it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import soundfile

from lab.corpus.packages import debian_package, members
from training.errors import DataError

SHORTEST_SECONDS = 20.0
"""What is shorter is a sound effect or a jingle."""


@dataclass(frozen=True)
class MusicPackage:
    """A Debian package with music.

    Parameters
    ----------
    name : str
        The package.
    soundtrack : str
        What the music belongs to, in words.
    tracks : tuple of str
        Glob patterns of the tracks, below the package's root or, where there is one, the archive's.
    licence : str
        As the package's ``copyright`` file states it; the file has the whole text.
    archive : str, optional
        A zip archive that holds the tracks, below the package's root.
    artists : tuple of (str, str)
        Pattern of the file's path -> artist; the first that fits counts.
    artist_tags : bool
        Whether the files' own artist tags are to be believed.
    stems : bool
        Whether the files of one folder are stems of one song.
    """

    name: str
    soundtrack: str
    tracks: tuple[str, ...]
    licence: str
    archive: str | None = None
    artists: tuple[tuple[str, str], ...] = ()
    artist_tags: bool = False
    stems: bool = False


@dataclass(frozen=True)
class ProducedTrack:
    """One track of a package.

    Parameters
    ----------
    identity : str
        Package and path below its root: unique, the same on every machine.
    path : Path
        The unpacked audio file.
    package : MusicPackage
    piece : str
        Identity of the composition: stems of a song share it.
    artist : str
        Who made it, as far as is known; else the soundtrack. No artist may be in two splits.
    seconds : float
    """

    identity: str
    path: Path
    package: MusicPackage
    piece: str
    artist: str
    seconds: float


def _small_game(name: str, soundtrack: str, tracks: str) -> MusicPackage:
    # Eight games by one author, who made their music too.
    everything = (("*", "Kenta Cho"),)
    return MusicPackage(f"{name}-data", soundtrack, (tracks,), "BSD-2-Clause", artists=everything)


PRODUCED_MUSIC: tuple[MusicPackage, ...] = (
    MusicPackage(
        "ufoai-music",
        "UFO Alien Invasion",
        ("music/*.ogg",),
        "GPL-2+, CC-BY-SA-3.0, CC-BY-3.0 or public domain, by track",
        archive="usr/share/games/ufoai/base/0music.pk3",
        artists=(
            ("music/Crystan*", "Crystan"),
            ("music/David*", "David"),
            ("music/Marine*", "Marine"),
            ("music/Psymong*", "Psymong"),
            ("music/van_*", "Vanethian"),
            ("music/ufo[12].ogg", "paulb"),
            ("music/dawn.ogg", "Sebastian Ahlen"),
            ("music/space.ogg", "Sebastian Ahlen"),
            ("music/*M.ogg", "Battle Themes M"),
        ),
    ),
    MusicPackage(
        "warzone2100-music",
        "Warzone 2100",
        ("usr/share/games/warzone2100/music/**/*.opus",),
        "CC-BY-SA-3.0 or GPL-2+, by album",
    ),
    MusicPackage(
        "wesnoth-1.16-music",
        "Battle for Wesnoth",
        ("usr/share/games/wesnoth/1.16/data/core/music/*.ogg",),
        "GPL-2+",
        # Rozanc's Frantic is Aubry-Carlson's anew; the two stay together.
        artists=(
            ("*/frantic.ogg", "Aleksi Aubry-Carlson"),
            ("*/northerners.ogg", "Aleksi Aubry-Carlson"),
        ),
        artist_tags=True,
    ),
    MusicPackage(
        "planetblupi-music-ogg",
        "Planet Blupi",
        ("usr/share/planetblupi/music/*.ogg",),
        "GPL-3+",
    ),
    MusicPackage(
        "nexuiz-music",
        "Nexuiz",
        ("sound/cdtracks/*.ogg",),
        "GPL-2+",
        archive="usr/share/games/nexuiz/data/music.pk3",
        artists=(
            ("*/brain*", "elysis"),
            ("*/breakdown*", "elysis"),
            ("*/cdtracks/[ci]*", "elysis"),
        ),
        artist_tags=True,
    ),
    MusicPackage(
        "colobot-common-sounds",
        "Colobot",
        ("usr/share/games/colobot/music/*.ogg",),
        "GPL-3+",
        artist_tags=True,
    ),
    MusicPackage(
        "singularity-music",
        "Endgame Singularity",
        ("usr/share/games/singularity/music/**/*.ogg",),
        "CC-BY-SA-3.0",
        artist_tags=True,
    ),
    MusicPackage(
        "pushover-data",
        "Pushover",
        ("usr/share/pushover/themes/*.ogg",),
        "GPL-3+",
        artists=(("*", "Roberto Lorenz"),),
    ),
    MusicPackage(
        "fretsonfire-songs-sectoid",
        "Frets on Fire",
        ("usr/share/games/fretsonfire/data/songs/*/*/*.ogg",),
        "MIT",
        artists=(("*", "Sectoid"),),
        stems=True,
    ),
    MusicPackage(
        "fretsonfire-songs-muldjord",
        "Frets on Fire",
        ("usr/share/games/fretsonfire/data/songs/*/*/*.ogg",),
        "CC-BY-SA-3.0",
        artists=(("*", "Muldjord"),),
        stems=True,
    ),
    MusicPackage(
        "hyperrogue-music",
        "HyperRogue",
        ("usr/share/hyperrogue/music/*.ogg",),
        "CC-BY-SA-3.0",
        artists=(("*/hr-domina-*", "Lincoln Domina"),),
        artist_tags=True,
    ),
    MusicPackage(
        "btanks-data",
        "Battle Tanks",
        ("usr/share/games/btanks/data/tunes/*.ogg",),
        "GPL-2+ with an exception",
    ),
    MusicPackage(
        "asc-music",
        "Advanced Strategic Command",
        ("usr/share/games/asc/music/*.mp3",),
        "GPL-2+",
    ),
    _small_game("noiz2sa", "Noiz2sa", "usr/share/games/noiz2sa/sounds/*.ogg"),
    _small_game("parsec47", "Parsec47", "usr/share/games/parsec47/sounds/*.ogg"),
    _small_game("gunroar", "Gunroar", "usr/share/games/gunroar/sounds/musics/*.ogg"),
    _small_game(
        "torus-trooper", "Torus Trooper", "usr/share/games/torus-trooper/sounds/musics/*.ogg"
    ),
    _small_game("titanion", "Titanion", "usr/share/games/titanion/sounds/musics/*.ogg"),
    _small_game(
        "tumiki-fighters", "Tumiki Fighters", "usr/share/games/tumiki-fighters/sounds/*.ogg"
    ),
    _small_game("mu-cade", "Mu-cade", "usr/share/games/mu-cade/sounds/musics/*.ogg"),
    _small_game("a7xpg", "A7Xpg", "usr/share/games/a7xpg/sounds/*.ogg"),
    MusicPackage(
        "frozen-bubble-data",
        "Frozen Bubble",
        ("usr/share/games/frozen-bubble/snd/*.ogg",),
        "GPL-2",
    ),
    MusicPackage(
        "extremetuxracer-data",
        "Extreme Tux Racer",
        ("usr/share/games/etr/music/*.ogg",),
        "GPL-2+",
    ),
    MusicPackage(
        "pathological",
        "Pathological",
        ("usr/share/games/pathological/music/*.ogg",),
        "GPL-2+",
    ),
)


def tracks_of(
    package: MusicPackage, cache: Path, *, shortest_seconds: float = SHORTEST_SECONDS
) -> list[ProducedTrack]:
    """List the tracks of a package, fetched if the cache lacks it.

    Parameters
    ----------
    package : MusicPackage
    cache : path
        Where packages are kept.
    shortest_seconds : float
        Shorter files are left out.

    Returns
    -------
    list of ProducedTrack
        Sorted by identity. Links are left out: they repeat a track.

    Raises
    ------
    DataError
        The package cannot be had, or has no track where it ought to.
    """
    root = debian_package(package.name, cache)
    if package.archive is not None:
        unpacked = cache / "archives" / package.name
        members(root / package.archive, (".ogg",), unpacked)
        root = unpacked.resolve()
    paths = sorted({path for pattern in package.tracks for path in root.glob(pattern)})
    tracks = []
    for path in paths:
        if path.resolve() != path or not path.is_file():
            continue
        seconds, tag = _describe(path, package)
        if seconds < shortest_seconds:
            continue
        below = path.relative_to(root)
        piece = below.parent if package.stems else below.with_suffix("")
        tracks.append(
            ProducedTrack(
                identity=f"{package.name}/{below.as_posix()}",
                path=path,
                package=package,
                piece=f"{package.name}/{piece.as_posix()}",
                artist=_artist(package, below.as_posix(), tag),
                seconds=seconds,
            )
        )
    if not tracks:
        wanted = " or ".join(package.tracks)
        raise DataError(
            f"package {package.name} has no track of {shortest_seconds:g} s or more at {wanted}; "
            "another release of Debian may keep them elsewhere"
        )
    return tracks


def _describe(path: Path, package: MusicPackage) -> tuple[float, str]:
    try:
        with soundfile.SoundFile(path) as file:
            return file.frames / file.samplerate, str(file.artist).strip()
    except soundfile.LibsndfileError as error:
        raise DataError(f"package {package.name}: {path} cannot be read: {error}") from error


def _artist(package: MusicPackage, below: str, tag: str) -> str:
    for pattern, artist in package.artists:
        if fnmatchcase(below, pattern):
            return artist
    return tag if package.artist_tags and tag else package.soundtrack
