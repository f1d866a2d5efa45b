"""What names of audio files end with, as far as some decoder here reads them."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from .. import _core

#: What files are whose names end so, in lower case: containers as the engine's table of routes has
#: them (`_core.routes`). Where none of them has a route that is open here, folders are not searched
#: for it.
_CONTAINERS = {
    ".3g2": "mp4", ".3ga": "mp4", ".3gp": "mp4", ".aa": "", ".aa3": "", ".aac": "adts latm adif",
    ".aax": "mp4", ".ac3": "ac3", ".adts": "adts", ".aif": "aiff aifc", ".aifc": "aiff aifc",
    ".aiff": "aiff aifc", ".amr": "amr", ".ape": "ape", ".at3": "", ".au": "au", ".awb": "amr",
    ".caf": "caf", ".dff": "dff", ".dsf": "dsf", ".dts": "dts", ".eac3": "ac3", ".flac": "flac",
    ".la": "", ".m4a": "mp4", ".m4b": "mp4", ".m4p": "mp4", ".m4r": "mp4", ".mid": "", ".midi": "",
    ".mka": "matroska", ".mlp": "", ".mod": "", ".mp1": "mpeg", ".mp2": "mpeg", ".mp3": "mpeg",
    ".mp4": "mp4", ".mpc": "musepack", ".mpga": "mpeg", ".mp+": "musepack", ".ofr": "optimfrog",
    ".ofs": "optimfrog", ".oga": "ogg", ".ogg": "ogg", ".oma": "", ".opus": "ogg",
    ".ra": "realmedia", ".rf64": "rf64", ".rm": "realmedia", ".s3m": "", ".shn": "shorten",
    ".snd": "au", ".spx": "ogg", ".tak": "tak", ".thd": "", ".tta": "tta", ".voc": "voc",
    ".vqf": "", ".w64": "w64", ".wav": "wav", ".wave": "wav", ".weba": "webm", ".webm": "webm",
    ".wma": "asf", ".wv": "wavpack", ".xm": "",
}  # fmt: skip


@cache
def audio_endings() -> frozenset[str]:
    """Tell what names of files end with that are taken from folders.

    Returns
    -------
    frozenset of str
        In lower case, with their dots: those of what some decoder that is installed reads.
    """
    there = {"ffmpeg", "sndfile"} | ({"extra"} if find_spec("av") else set())
    read = {route.container for route in _core.routes() if there.intersection(route.readers)}
    return frozenset(
        ending for ending, names in _CONTAINERS.items() if read.intersection(names.split())
    )


def sounds_like_audio(ending: str) -> bool:
    """Tell whether files whose names end so hold music, whether or not anybody here reads them."""
    return ending in _CONTAINERS
