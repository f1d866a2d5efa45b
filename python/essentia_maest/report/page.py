"""The page itself: one HTML file with what it shows, its programs and its style."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import string
from collections.abc import Iterable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..files import write_whole
from ..results.opened import Results
from ..results.path_text import path_text
from .contents import contents_of
from .options import PageOptions
from .packed import packed_text

#: In this order; they are one script.
_SCRIPTS = (
    "data.js",
    "elements.js",
    "colours.js",
    "map.js",
    "player.js",
    "over_time.js",
    "track.js",
    "search.js",
    "sections.js",
    "main.js",
)


def write_page(
    results: Results,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    options: PageOptions | None = None,
) -> dict[str, Any]:
    """Write the page of some results, whole or not at all.

    Parameters
    ----------
    results : Results
        Of `maest analyze`.
    path : str or os.PathLike
        The page; replaced if it exists. Its folder exists.
    title : str, optional
        The name of the folder of results otherwise.
    options : PageOptions, optional

    Returns
    -------
    dict
        What was put in the page: see `contents_of`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        A table is damaged, or an option is none.
    ImportError
        What draws the map, or lays it out, is not installed.
    OSError
        It could not be written.
    """
    drawing = _map_library()
    contents = contents_of(results, options or PageOptions(), os.fspath(path))
    name = path_text(title if title is not None else results.folder.name)
    write_whole(path, _page(name, contents, drawing).encode("utf-8", "backslashreplace"))
    return contents


def _page(title: str, contents: dict[str, Any], drawing: str) -> str:
    """Put the page together.

    Nothing that comes from files is in it as HTML or as a program: it is packed, and the program
    makes text of it. The policy lets no other program run, and nothing be fetched.
    """
    programs = "\n".join(_own(name) for name in _SCRIPTS)
    # In a block of its own: no name of it meets one of the map's library.
    script = f'"use strict";\n{{\n{programs}}}\n'
    style = _own("page.css")
    held = json.dumps({**contents, "drawing": packed_text(drawing)}, allow_nan=False)
    policy = {
        "default-src": ["'none'"],
        "script-src": [_hash(script), _hash(drawing)],
        "style-src": [_hash(style)],
        # Pictures that the map's library holds, and the music itself.
        "img-src": ["data:"],
        "media-src": ["'self'", "file:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return string.Template(_own("page.html")).substitute(
        title=html.escape(title),
        policy="; ".join(f"{name} {' '.join(values)}" for name, values in policy.items()),
        style=style,
        contents=held.replace("<", "\\u003c"),
        script=script,
    )


def _own(name: str) -> str:
    return (files(__package__) / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _map_library() -> str:
    """Read deck.gl, which draws the map, as pydeck brings it."""
    found = find_spec("pydeck")
    places: Iterable[str] = (found.submodule_search_locations if found else None) or ()
    for place in places:
        library = Path(place) / "nbextension" / "static" / "index.js"
        if library.exists():
            return library.read_text(encoding="utf-8")
    raise ImportError(
        "a page wants deck.gl, of the package pydeck: pip install 'essentia-maest[report]'"
    )
