"""What peers are given, made once and kept."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

import essentia_maest
from essentia_maest.files import folder_written_whole
from lab.peers.environments import HERE, python_of, run_once
from lab.peers.process import ROOT, PeerError, environment_variables
from lab.peers.sizes import Size

_PACKAGE = "lab.peers.material"
_TIMEOUT = 1800


@dataclass(frozen=True)
class Item:
    """Files made by one module of `lab.peers.material`.

    Attributes
    ----------
    environment : str
        In which they are made.
    needs : tuple of str
        Other items.
    options : tuple of str
        What else than the size it depends on.
    sources : tuple of str
        Files of the engine's Python that it is made by: when they change, it is made anew.
    """

    environment: str = HERE
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


ITEMS = {
    "sound": Item(),
    "tracks": Item(options=("few_tracks", "many_tracks", "track_seconds", "durations")),
    "reference": Item(),
    "engine": Item(
        needs=("reference",),
        sources=("making/*.py", "making/checkpoints/*.py"),
    ),
    "exported": Item(needs=("reference",)),
    "quantized": Item(environment="nncf", needs=("exported", "sound")),
    "baselines": Item(),
    "tensorflow_graph": Item(environment="tensorflow", needs=("reference",)),
}


class Materials:
    """Makes items when they are first asked for.

    Parameters
    ----------
    cache : Path
    size : Size
        The network's shape.
    options : dict
        For the items' modules: lengths of tracks.
    """

    def __init__(self, cache: Path, size: Size, options: dict[str, Any]) -> None:
        self._cache = cache
        self._size = size.as_json()
        self._options = options
        self._made: dict[str, Path | PeerError] = {}

    def folder(self, name: str) -> Path:
        """Give the folder of an item.

        Parameters
        ----------
        name : str
            One of `ITEMS`.

        Returns
        -------
        Path

        Raises
        ------
        PeerError
            If it cannot be made; asked again, it is not tried again.
        """
        if name not in self._made:
            try:
                self._made[name] = self._make(name)
            except PeerError as error:
                self._made[name] = error
        made = self._made[name]
        if isinstance(made, PeerError):
            raise made
        return made

    def _make(self, name: str) -> Path:
        item = ITEMS[name]
        needs = {needed: str(self.folder(needed)) for needed in item.needs}
        options = {option: self._options[option] for option in item.options}
        request = json.dumps({**options, "size": self._size, "needs": needs}, sort_keys=True)
        source = Path(__file__).parent / "material" / f"{name}.py"
        content = [request.encode(), source.read_bytes()]
        package = Path(essentia_maest.__file__).parent
        for pattern in item.sources:
            content += [path.read_bytes() for path in sorted(package.glob(pattern))]
        key = hashlib.sha256(b"\0".join(content)).hexdigest()[:12]
        folder = self._cache / "material" / f"{name}-{key}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                python = python_of(item.environment, self._cache)
                with folder_written_whole(folder) as place:
                    run_once(
                        f"{name} cannot be made",
                        [str(python), "-m", f"{_PACKAGE}.{name}", str(place), request],
                        seconds=_TIMEOUT,
                        environment=environment_variables(len(os.sched_getaffinity(0))),
                        folder=ROOT,
                    )
        return folder
