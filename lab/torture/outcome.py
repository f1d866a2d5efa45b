"""What a torture found, kept part by part, whoever did them."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from essentia_maest.files import write_json, write_whole
from essentia_maest.machine import machine, versions
from lab.torture.figures import Figures
from lab.torture.tables import page

ROOT = Path(__file__).resolve().parents[2]
_RESULTS, _PAGE = "torture.json", "torture.md"


class Outcome:
    """The results in a folder: those of this seed and form; others go when the first are kept.

    Several commands may keep theirs at the same time.

    Parameters
    ----------
    folder : Path
        Where; it exists.
    seed : int
        Of the tries.
    short : bool
        The form.
    """

    def __init__(self, folder: Path, seed: int, short: bool) -> None:
        self._folder = folder
        self._about = {"seed": seed, "short": short}
        self._machine = {"description": machine(), "versions": versions()}

    def forget(self) -> None:
        """Begin anew."""
        (self._folder / _RESULTS).unlink(missing_ok=True)

    def read(self) -> dict[str, Any]:
        """Read what there is.

        Returns
        -------
        dict
            ``machine``, ``seed``, ``short``, and ``parts`` by their names.
        """
        try:
            kept = json.loads((self._folder / _RESULTS).read_bytes())
        except (OSError, ValueError):
            kept = {}
        if any(kept.get(name) != value for name, value in self._about.items()):
            return {"machine": self._machine, **self._about, "parts": {}}
        return dict(kept)

    def keep(
        self,
        part: str,
        figures: Figures,
        *,
        seconds: float,
        cpu_seconds: float,
        absent: Sequence[str],
    ) -> None:
        """Add what a part found.

        Parameters
        ----------
        part : str
            Its name.
        figures : Figures
            What it found.
        seconds, cpu_seconds : float
            What it took.
        absent : sequence of str
            What was not there to be tried.
        """
        with _alone(self._folder):
            results = self.read()
            results["parts"][part] = {
                **figures.as_json(),
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                "ended": datetime.now(timezone.utc).isoformat(timespec="minutes"),
                "commit": _commit(),
                "absent": list(absent),
            }
            write_json(self._folder / _RESULTS, results)
            write_whole(self._folder / _PAGE, page(results))


def faults_in(results: Mapping[str, Any]) -> int:
    """Count everything that ought to be zero.

    Parameters
    ----------
    results : mapping
        As `Outcome.read` gives them.
    """
    return sum(Figures.from_json(one).faults for one in results["parts"].values())


def teller(tell: Callable[[str], object], absent: list[str]) -> Callable[[str], object]:
    """Tell how far a part is, and keep what it says is missing.

    Parameters
    ----------
    tell : callable
        Takes each line.
    absent : list of str
        Gets those about what is missing.
    """

    def told(line: str) -> None:
        tell(line)
        if " is not here" in line or " cannot be " in line or "over after" in line:
            absent.append(line)

    return told


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _commit() -> str:
    """Name the commit of this tree, and whether something was changed since."""
    told = []
    for question in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "-uno")):
        done = subprocess.run(
            ["git", "-C", str(ROOT), *question], capture_output=True, text=True, check=False
        )
        told.append(done.stdout.strip())
    return told[0] + (" and changes" if told[1] else "")
