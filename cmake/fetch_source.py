"""Downloads a source archive from where pip was told to look: fetch_source.py NAME==VERSION FOLDER.

pip itself would run the project's own build to learn its name, and Essentia's does not run.
"""

from __future__ import annotations

import ast
import importlib
import logging
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unearth import Link
    from unearth.fetchers import PyPIClient

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
    for line in listed.stdout.splitlines():  # global.index-url='https://...'
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if equals and section in found:
            found[section][name] = str(ast.literal_eval(value))
    for key, value in os.environ.items():  # without pip, these can still be had
        if key.startswith("PIP_") and value:
            found[":env:"][key[4:].lower().replace("_", "-")] = value
    return {
        name: value for section in reversed(_SECTIONS) for name, value in found[section].items()
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


def _session(options: dict[str, str], indexes: list[str]) -> PyPIClient:
    """Return a client that goes through pip's proxy, with pip's certificates and trusted hosts."""
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers import PyPIClient

    proxy = options.get("proxy") or None
    certificates = options.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE")
    verify = ssl.create_default_context(cafile=certificates) if certificates else True
    # unearth asks trusted hosts past the proxy.
    http = importlib.import_module(PyPIClient.__mro__[1].__module__.partition(".")[0])
    usual = proxy or urllib.request.getproxies().get("https")
    trusted = options.get("trusted-host", "").split()
    mounts = {
        f"all://{host}": http.HTTPTransport(
            verify=False, proxy=None if urllib.request.proxy_bypass(host) else usual
        )
        for host in trusted
    }
    session = PyPIClient(trusted_hosts=trusted, verify=verify, proxy=proxy, mounts=mounts)
    session.auth = MultiDomainBasicAuth(index_urls=indexes)
    return session


def fetch(requirement: str, folder: Path) -> None:
    """Download the source archive of `requirement` into `folder`, from the first place that has it.

    Raises
    ------
    LookupError
        If no place that pip knows has it; what each one said is in the message.
    """
    from unearth import PackageFinder

    options = _pip_configuration()
    indexes, links = _sources(options)
    session = _session(options, indexes)
    warnings = _Warnings()
    logging.getLogger("unearth").addHandler(warnings)
    said = []
    places = [("find_links", link) for link in links] + [("index_urls", url) for url in indexes]
    for kind, place in places:
        finder = PackageFinder(
            session=session, no_binary=[requirement.partition("==")[0]], **{kind: [place]}
        )
        try:
            found = finder.find_best_match(requirement).best
            if found is not None:
                return _download(session, found.link, folder)
            said.append(f"{place} has none" + warnings.taken())
        except Exception as error:  # whatever the network and the libraries above it raise
            said.append(f"{place} says {type(error).__name__}: {error}")
    raise LookupError("; ".join(said) or "pip's no-index is set, and no find-links")


def _download(session: PyPIClient, link: Link, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{link.filename}.partial"
    with session.get_stream(link.normalized) as answer, partial.open("wb") as file:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            file.write(piece)
    partial.replace(folder / link.filename)


class _Warnings(logging.Handler):
    """Keeps what unearth warns of: an index that does not answer is no exception to it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._texts.append(record.getMessage())

    def taken(self) -> str:
        texts, self._texts = self._texts, []
        return f" ({', '.join(texts)})" if texts else ""


def main() -> int:
    """Run as a command: one sentence on standard error says why it failed."""
    requirement, folder = sys.argv[1:]
    try:
        fetch(requirement, Path(folder))
    except ModuleNotFoundError as error:
        print(
            f"the Python module {error.name} is not installed in {sys.executable} "
            "(pip install unearth)",
            file=sys.stderr,
        )
    except LookupError as error:
        print(f"no source archive of {requirement}: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
