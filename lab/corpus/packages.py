"""Fetch Debian and PyPI packages and unpack them into a folder: no root, nothing installed.

Each package ends as one folder of the cache, put there by a rename once it is whole: a killed run
leaves nothing that a later one takes for a package, and what is there is never fetched again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from essentia_maest.files import folder_written_whole
from training.errors import DataError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(==[A-Za-z0-9.!+_-]+)?")
_LAST_WORDS = 400


def default_cache() -> Path:
    """Name the folder that packages are kept in when no other is asked for.

    Returns
    -------
    pathlib.Path
        ``essentia-maest/packages`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "essentia-maest" / "packages"


def debian_package(name: str, cache: Path) -> Path:
    """Fetch and unpack a Debian package, unless the cache has it.

    Parameters
    ----------
    name : str
        The package's name, for instance ``mma``.
    cache : path
        Where packages are kept; made if need be.

    Returns
    -------
    pathlib.Path
        The folder that stands for the package's ``/``; its ``DEBIAN/control`` has the version.

    Raises
    ------
    DataError
        The package cannot be had: the message has the package's name and the tool's own words.
    """

    def fetch(downloads: Path, unpacked: Path) -> None:
        _run(["apt-get", "download", name], downloads, name, _APT_ADVICE)
        _run(["dpkg-deb", "-R", str(_only(downloads, name)), str(unpacked)], downloads, name)

    return _cached(name, cache / "debian", fetch)


def python_package(requirement: str, cache: Path) -> Path:
    """Fetch and unpack a wheel or source archive of PyPI, unless the cache has it.

    Nothing is installed, none of the package's dependencies is fetched.

    Parameters
    ----------
    requirement : str
        Name and version, for instance ``musicnn==0.1.0``.
    cache : path
        Where packages are kept; made if need be.

    Returns
    -------
    pathlib.Path
        The folder that the archive was unpacked into.

    Raises
    ------
    DataError
        The package cannot be had: the message has the package's name and pip's own words.
    """

    def fetch(downloads: Path, unpacked: Path) -> None:
        # the package is read, not run: which Python it wants does not matter
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--ignore-requires-python"]
        _run([*pip, "--dest", str(downloads), requirement], downloads, requirement)
        archive = _only(downloads, requirement)
        try:
            if archive.suffix in (".whl", ".zip"):
                with zipfile.ZipFile(archive) as opened:
                    opened.extractall(unpacked)
            else:
                with tarfile.open(archive) as opened_tar:
                    opened_tar.extractall(unpacked, filter="data")
        except (zipfile.BadZipFile, tarfile.TarError) as error:
            raise DataError(f"package {requirement}: {archive.name} is damaged: {error}") from error

    return _cached(requirement, cache / "python", fetch)


def debian_version(unpacked: Path) -> str:
    """Read the version of an unpacked Debian package.

    Parameters
    ----------
    unpacked : path
        What `debian_package` returned.

    Returns
    -------
    str

    Raises
    ------
    DataError
        The folder is no unpacked package.
    """
    control = unpacked / "DEBIAN" / "control"
    try:
        lines = control.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{unpacked} is not an unpacked Debian package: {error}") from error
    for line in lines:
        if line.startswith("Version:"):
            return line.partition(":")[2].strip()
    raise DataError(f"{control} has no Version line")


def members(archive: Path, suffixes: Sequence[str], destination: Path) -> list[Path]:
    """Unpack the files of a zip archive (also ``.pk3``) whose names end as asked.

    Parameters
    ----------
    archive : path
    suffixes : sequence of str
        Endings wanted, for instance ``(".ogg",)``, in any case of letters.
    destination : path
        Folder for the files, made by a rename once whole; taken as it is when it is there.

    Returns
    -------
    list of pathlib.Path
        The unpacked files, sorted.

    Raises
    ------
    DataError
        The archive is missing or damaged.
    """
    wanted = tuple(suffix.lower() for suffix in suffixes)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{destination}.lock"):
        if not destination.is_dir():
            try:
                with (
                    folder_written_whole(destination) as place,
                    zipfile.ZipFile(archive) as opened,
                ):
                    for name in opened.namelist():
                        if name.lower().endswith(wanted):
                            opened.extract(name, place)
            except (OSError, zipfile.BadZipFile) as error:
                raise DataError(f"{archive} cannot be read as a zip archive: {error}") from error
    return sorted(path for path in destination.rglob("*") if path.is_file())


_APT_ADVICE = "if apt does not know the package, run `apt-get update` first (needs root)"


def _cached(name: str, shelf: Path, fetch: Callable[[Path, Path], None]) -> Path:
    if not _NAME.fullmatch(name):
        raise DataError(f"{name!r} is not the name of a package")
    shelf.mkdir(parents=True, exist_ok=True)
    shelf = shelf.resolve()
    destination = shelf / name
    with FileLock(shelf / f"{name}.lock"):
        if not destination.is_dir():
            downloads = shelf / f"{name}.downloads"
            shutil.rmtree(downloads, ignore_errors=True)
            downloads.mkdir()
            with folder_written_whole(destination) as place:
                fetch(downloads, place)
            shutil.rmtree(downloads)
    return destination


def _only(folder: Path, name: str) -> Path:
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        found = ", ".join(sorted(path.name for path in files)) or "nothing"
        raise DataError(f"package {name}: one archive wanted in {folder}, found {found}")
    return files[0]


def _run(command: Sequence[str], folder: Path, package: str, advice: str = "") -> None:
    if shutil.which(command[0]) is None:
        raise DataError(
            f"package {package} cannot be had: {command[0]} is not on this machine (the corpus is "
            "made of Debian packages: run this on Debian or Ubuntu)"
        )
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        tool = "pip" if "pip" in command else command[0]
        words = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        words = "; ".join(words.splitlines())[-_LAST_WORDS:]
        told = f"package {package} cannot be had: {tool} says: {words}"
        raise DataError(f"{told} ({advice})" if advice else told)
