"""Makes the files, lets each decoder read each, and keeps what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.progress import tracked

from .comparison import RATE, largest_difference, likeness_of_parts
from .decoders import OWN, Sound, mixed
from .recipe import NotMadeError, Recipe
from .signals import signal

Record = dict[str, Any]


class Worker:
    """A decoder in its process.

    Parameters
    ----------
    decoder : str
        Its name in `lab.formats.decoders.DECODERS`.
    """

    def __init__(self, decoder: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.formats.worker", decoder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, path: Path, result: Path) -> None:
        """Have a file decoded; its samples, if any, go to `result`, an .npy file."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(path), str(result)]) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Record:
        """Wait for the file that was begun."""
        assert self._process.stdout is not None
        answer: Record = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def make_files(recipes: Iterable[Recipe], folder: Path) -> dict[str, str]:
    """Make the files that are not there yet.

    Parameters
    ----------
    recipes : iterable of Recipe
    folder : path

    Returns
    -------
    dict
        Names of those that cannot be made, and why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refused = {}
    for recipe in tracked(list(recipes), "files"):
        path = folder / recipe.name
        if path.exists():
            continue
        try:
            recipe.make(recipe, path)
        except NotMadeError as error:
            path.unlink(missing_ok=True)
            refused[recipe.name] = str(error)
    return refused


def wanted_sound(recipe: Recipe) -> list[NDArray[np.float32]]:
    """Give what was encoded, mono at 16 kHz, part by part."""
    parts = recipe.parts or ((recipe.rate, recipe.channels),)
    begin = round(recipe.cut * RATE)
    return [
        mixed(Sound(signal(rate, channels, recipe.quiet, recipe.seconds), rate))[begin:]
        for rate, channels in parts
    ]


def measure(
    recipes: Sequence[Recipe], folder: Path, decoders: Sequence[str], references: Sequence[str]
) -> dict[str, dict[str, Record]]:
    """Let each decoder read each file.

    Parameters
    ----------
    recipes : sequence of Recipe
        Those whose files are in `folder`.
    folder : path
    decoders : sequence of str
    references : sequence of str
        Those of them that others are compared with, the first that reads a file being taken.

    Returns
    -------
    dict
        File name -> decoder -> outcome, words, and where there are samples: seconds, offset and
        correlation with what was encoded, reference, difference.
    """
    workers = {name: Worker(name) for name in decoders}
    results: dict[str, dict[str, Record]] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="formats-") as scratch:
            for recipe in tracked(recipes, "decoded"):
                answers, signals = _answers(folder / recipe.name, workers, Path(scratch))
                results[recipe.name] = compared(recipe, answers, signals, references)
    finally:
        for worker in workers.values():
            worker.close()
    return results


def _answers(
    path: Path, workers: dict[str, Worker], scratch: Path
) -> tuple[dict[str, Record], dict[str, NDArray[np.float32]]]:
    """Let all decoders read a file; what others than our own made of it is kept."""
    answers: dict[str, Record] = {}
    signals: dict[str, NDArray[np.float32]] = {}
    others = [name for name in workers if name not in OWN]
    kept = {name: path.parent.parent / "decoded" / name / path.name for name in others}
    places = {name: kept.get(name, scratch / name) for name in workers}
    known = {
        name: json.loads(Path(f"{place}.json").read_text())
        for name, place in kept.items()
        if Path(f"{place}.json").exists()
    }
    for name, worker in workers.items():
        if name not in known:
            places[name].parent.mkdir(parents=True, exist_ok=True)
            worker.begin(path, Path(f"{places[name]}.npy"))
    for name, worker in workers.items():
        answers[name] = known[name] if name in known else worker.finish()
        if name in kept:
            Path(f"{kept[name]}.json").write_text(json.dumps(answers[name]))
        if answers[name]["outcome"] == "samples":
            signals[name] = np.load(f"{places[name]}.npy")
    return answers, signals


def compared(
    recipe: Recipe,
    answers: dict[str, Record],
    signals: dict[str, NDArray[np.float32]],
    references: Sequence[str],
) -> dict[str, Record]:
    """Compare what decoders made of a file with what was encoded, and with one another.

    Parameters
    ----------
    recipe : Recipe
    answers : dict
        Decoder -> outcome and words.
    signals : dict
        Decoder -> float32 [samples], mono at 16 kHz.
    references : sequence of str

    Returns
    -------
    dict
        See `measure`, of one file.
    """
    wanted = wanted_sound(recipe)
    records = {name: dict(answer) for name, answer in answers.items()}
    for name, found in signals.items():
        there = likeness_of_parts(found, wanted)
        records[name] |= {
            "seconds": len(found) / RATE,
            "offset": there.offset,
            "correlation": there.correlation,
            "gain": _gain(found, wanted),
        }
    _compare_with_references(records, signals, references)
    _compare_with_monoloader(records, signals)
    for record in records.values():
        record["wanted"] = sum(len(part) for part in wanted) / RATE
    return records


def _gain(found: NDArray[np.float32], wanted: list[NDArray[np.float32]]) -> float:
    power = sum(float((part.astype(np.float64) ** 2).sum()) for part in wanted)
    own = float((found.astype(np.float64) ** 2).sum())
    return float(np.sqrt(own / power)) if power and np.isfinite(own) else 0.0


def _compare_with_references(
    records: dict[str, Record],
    signals: dict[str, NDArray[np.float32]],
    references: Sequence[str],
) -> None:
    best = max(
        (record["correlation"] for record in records.values() if 0.5 < record.get("gain", 0) < 2),
        default=0.0,
    )
    good = [
        name
        for name in references
        if name in signals and abs(records[name]["correlation"] - best) < 0.005
    ]
    for name, found in signals.items():
        record = records[name]
        record["best"] = best
        others = [other for other in good if other != name]
        same = [o for o in others if records[o]["offset"] == record["offset"]]
        if others:
            record["reference"] = reference = (same or others)[0]
            record["shift"] = record["offset"] - records[reference]["offset"]
            record["longer"] = len(found) - len(signals[reference])
            if not record["shift"]:
                record["difference"] = largest_difference(found, signals[reference])


def _compare_with_monoloader(
    records: dict[str, Record], signals: dict[str, NDArray[np.float32]]
) -> None:
    """Tell how far our own samples are from those that the installed Essentia gives."""
    for name in OWN:
        if name in signals and "MonoLoader" in signals:
            own, other = signals[name], signals["MonoLoader"]
            records[name]["from MonoLoader"] = largest_difference(own, other)
            records[name]["longer than MonoLoader"] = len(own) - len(other)
