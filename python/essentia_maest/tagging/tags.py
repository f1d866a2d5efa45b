"""Tags inside audio files, through mutagen's interfaces that are alike for all containers."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import MaestError
from ..files import written_whole
from ..results.audio_hash import audio_hash

FIELDS = ("genre", "mood", "instrument")
"""What can be written. ID3v2 has TCON, TMOO and TXXX:INSTRUMENT for it, MP4 ``©gen`` and free-form
atoms, Vorbis comments and APEv2 the names themselves."""

Values = list[str] | None


class TagError(MaestError):
    """A file's tags cannot be read or written; the message says why, without the file's name."""


def require_mutagen() -> None:
    """See that mutagen is here, and knows our fields.

    Raises
    ------
    ImportError
        It is not installed.
    """
    try:
        from mutagen.easyid3 import EasyID3
        from mutagen.easymp4 import EasyMP4Tags
    except ImportError as error:
        raise ImportError(
            "tags are read and written by mutagen, which is not installed: "
            "pip install 'essentia-maest[tag]'"
        ) from error
    # The names that MusicBrainz Picard gives them.
    if "instrument" not in EasyID3.valid_keys:
        EasyID3.RegisterTXXXKey("instrument", "INSTRUMENT")
    for field in ("mood", "instrument"):
        if field not in EasyMP4Tags.Get:
            EasyMP4Tags.RegisterFreeformKey(field, field.upper())


def read_tags(file: str | os.PathLike[str], fields: Sequence[str]) -> dict[str, Values]:
    """Read fields of a file.

    Parameters
    ----------
    file : str or os.PathLike
        An audio file.
    fields : sequence of str
        Names that mutagen's easy interfaces have.

    Returns
    -------
    dict
        Field -> its values; None where the file has none.

    Raises
    ------
    TagError
        It has a container that is not supported, or cannot be read.
    """
    opened = _opened(file)
    return {field: _values(opened, field) for field in fields}


def artist_of(file: str | os.PathLike[str]) -> str | None:
    """Give the artist of a file by its tags; None where they say nothing.

    Raises
    ------
    ImportError
        mutagen is not installed.
    """
    require_mutagen()
    try:
        found = read_tags(file, ["artist"])["artist"]
    except TagError:
        return None
    return "; ".join(found).casefold() if found else None


def write_tags(file: str | os.PathLike[str], changes: Mapping[str, Values]) -> None:
    """Change fields of a file, and nothing else.

    A copy is changed, its audio compared with the file's, and then given the file's name: whatever
    happens, the earlier file or the new one is there, whole. Permissions, owner, extended
    attributes and time of change stay. Of a symbolic link the file behind it is changed; hard
    links keep the earlier file.

    Parameters
    ----------
    file : str or os.PathLike
        An audio file.
    changes : mapping
        Field -> its new values; None removes it.

    Raises
    ------
    TagError
        It has a container that is not supported, cannot be written, or its audio would change.
    OSError
        There is no room, or no right to write beside it.
    """
    target = Path(os.path.realpath(file))
    status = os.stat(target)
    if not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(
        target, os.W_OK
    ):
        raise TagError("is read-only")
    kind = type(_opened(target))
    before = audio_hash(target)
    with written_whole(target) as copy:
        shutil.copyfile(target, copy)
        _change(kind, copy, changes)
        if audio_hash(copy) != before:
            raise TagError("its audio would not be the same afterwards; nothing was written")
        _keep_what_surrounds(target, copy, status)


def _keep_what_surrounds(target: Path, copy: Path, status: os.stat_result) -> None:
    with contextlib.suppress(OSError):  # only root gives files away
        os.chown(copy, status.st_uid, status.st_gid)
    shutil.copystat(target, copy)


def _opened(file: str | os.PathLike[str]) -> Any:
    """Open a file's tags as a mapping of fields to lists of texts."""
    import mutagen

    try:
        opened = mutagen.File(file, easy=True)
    except (mutagen.MutagenError, OSError) as error:
        raise TagError(f"its tags cannot be read: {error}") from error
    if opened is None:
        raise TagError("mutagen knows no tags of such a file")
    if not _is_supported(opened):
        raise TagError(
            f"{type(opened).__name__} has no tags that are supported; supported are ID3v2 (MP3, "
            "TTA), Vorbis comments (FLAC, Ogg), MP4 and APEv2"
        )
    return opened


def _is_supported(opened: Any) -> bool:
    from mutagen.apev2 import APEv2File
    from mutagen.easymp4 import EasyMP4
    from mutagen.flac import FLAC
    from mutagen.mp3 import EasyMP3
    from mutagen.ogg import OggFileType
    from mutagen.trueaudio import EasyTrueAudio

    return isinstance(opened, EasyMP3 | EasyMP4 | EasyTrueAudio | FLAC | OggFileType | APEv2File)


def _values(opened: Any, field: str) -> Values:
    if opened.tags is None:
        return None
    try:
        found = opened.tags[field]
    except KeyError:
        return None
    return [str(value) for value in found]


def _change(kind: Any, copy: Path, changes: Mapping[str, Values]) -> None:
    import mutagen

    try:
        opened = kind(copy)
        if opened.tags is None:
            opened.add_tags()
        for field, values in changes.items():
            if values is None:
                with contextlib.suppress(KeyError):
                    del opened.tags[field]
            else:
                opened.tags[field] = values
        _save(kind, opened, copy)
        written = kind(copy)
    except mutagen.MutagenError as error:
        if isinstance(cause := error.__context__ or error.__cause__, OSError):
            raise cause from error  # a full disk, for one
        raise TagError(f"its tags cannot be written: {error}") from error
    lost = [field for field, values in changes.items() if _values(written, field) != values]
    if lost:
        raise TagError(f"its tags do not keep {', '.join(lost)}; nothing was written")


def _save(kind: Any, opened: Any, copy: Path) -> None:
    """Save tags; ID3v2.3, which more players read, stays that where it holds all frames."""
    frames = getattr(opened.tags, "_EasyID3__id3", None)
    if frames is None or frames.version[:2] != (2, 3):
        opened.save()
        return
    opened.save(v2_version=3, v23_sep=None)  # None: values of other frames stay apart as they are
    if set(getattr(kind(copy).tags, "_EasyID3__id3", ())) != set(frames):  # TMOO is of 2.4
        opened.save()
