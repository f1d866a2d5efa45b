"""`python -m lab formats routes`: the engine's table of who decodes what, for docs/formats.md."""

from __future__ import annotations

from collections import defaultdict

from essentia_maest import _core

_NAMES = {"ffmpeg": "FFmpeg", "sndfile": "libsndfile", "extra": "PyAV"}


def print_routes() -> None:
    """Print the table in Markdown."""
    print(routes_table(), end="")


def routes_table() -> str:
    """Write down who decodes what.

    Returns
    -------
    str
        A Markdown table: containers, codecs, decoders in the order in which they are asked.
    """
    rows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for route in _core.routes():
        readers = ", ".join(_NAMES[reader] for reader in route.readers)
        codec = "others" if route.codec == "*" else route.codec.replace("*", "…")
        rows[route.container][readers or f"nobody: {route.way_out}"].append(codec)
    alike: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for container, of_container in rows.items():
        key = tuple((", ".join(codecs), readers) for readers, codecs in of_container.items())
        alike[key].append(container)
    lines = ["| container | codec | decoded by |", "|-|-|-|"]
    for key, containers in alike.items():
        for codecs, readers in key:
            lines.append(f"| {', '.join(containers)} | {codecs} | {readers} |")
    return "\n".join(lines) + "\n"
