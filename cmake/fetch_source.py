"""Download a project's source archive from where pip was told to look: `fetch_source.py NAME==VERSION FOLDER`.

pip itself would run the project's own build to learn its name, and Essentia's does not run.
"""

from __future__ import annotations

import ast
import logging
import os
import ssl
import subprocess
import sys
from pathlib import Path

#: What overrules what: `pip install` gets the build's other requirements.
_SECTIONS = (":env:", "install", "global")


def _pip_configuration() -> dict[str, str]:
    """Return the options of pip's configuration files and of the variables PIP_*, by long name."""
    # -E: where pip runs a build, PYTHONPATH hides the environment that pip itself is in.
    listed = subprocess.run(
        [sys.executable, "-E", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed.stdout.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if equals and section in found:
            found[section][name] = str(ast.literal_eval(value))
    for key, value in os.environ.items():  # without pip, these can still be had
        if key.startswith("PIP_") and value:
            found[":env:"][key[4:].lower().replace("_", "-")] = value
    return {
        name: value
        for section in reversed(_SECTIONS)
        for name, value in found[section].items()
    }


def _sources(options: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the indexes and the places of links, in the order that pip has them."""
    indexes = [options.get("index-url", "https://pypi.org/simple")]
    indexes += options.get("extra-index-url", "").split()
    if options.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        indexes = []
    links = [
        place
        for place in options.get("find-links", "").split()
        if "://" in place or Path(place).expanduser().exists()
    ]
    return indexes, [place if "://" in place else str(Path(place).expanduser()) for place in links]


def fetch(requirement: str, folder: Path) -> None:
    """Download the source archive of `requirement` into `folder`.

    Raises
    ------
    LookupError
        If no place that pip knows has it; what each one said is in the message.
    """
    from unearth import PackageFinder
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers import PyPIClient

    options = _pip_configuration()
    indexes, links = _sources(options)
    for variable in ("http_proxy", "https_proxy") if "proxy" in options else ():
        os.environ[variable] = os.environ[variable.upper()] = options["proxy"]
    certificates = options.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE")
    trusted = options.get("trusted-host", "").split()
    settings = {"verify": ssl.create_default_context(cafile=certificates)} if certificates else {}
    session = PyPIClient(trusted_hosts=trusted, **settings)
    session.auth = MultiDomainBasicAuth(index_urls=indexes)

    complaints = _Complaints()
    logging.getLogger("unearth").addHandler(complaints)
    finder = PackageFinder(
        session=session,
        index_urls=indexes,
        find_links=links,
        no_binary=[requirement.partition("==")[0]],
    )
    # With neither, unearth would ask PyPI.
    found = finder.find_best_match(requirement).best if indexes or links else None
    if found is None:
        places = ", ".join([*links, *indexes]) or "no place: pip's no-index is set"
        said = "".join(f"; {each}" for each in complaints.said)
        raise LookupError(f"no source archive of {requirement} in {places}{said}")
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{found.link.filename}.partial"
    with session.get_stream(found.link.normalized) as answer, partial.open("wb") as file:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            file.write(piece)
    partial.replace(folder / found.link.filename)


class _Complaints(logging.Handler):
    """Keeps what unearth warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def main() -> int:
    """Run as a command: one sentence on standard error says why it failed."""
    try:
        fetch(sys.argv[1], Path(sys.argv[2]))
    except ModuleNotFoundError as error:
        print(f"the Python module {error.name} is not installed in {sys.executable}", file=sys.stderr)
    except Exception as error:  # whatever the network and the libraries above it raise
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
