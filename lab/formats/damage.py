"""`python -m lab formats damage`: damaged files of every main format, and what came of them."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from essentia_maest.files import write_whole
from essentia_maest.machine import machine, versions

from .damage_worker import damaged_file
from .measuring import make_files
from .recipes import all_recipes

_SECONDS_OF_SOUND = 0.4
_SECONDS_FOR_A_FILE = 20.0
_MUCH_MEMORY = 64 << 20
_AT_ONCE = 500  # files that one process decodes

FORMATS = {
    "mp3": r"^mp3_mp3_((default|vbr-V2)_(22050|44100)_|cbr-128|abr|vbr-V5|free|joined.*0"
    r"|behind-ID3)",
    "flac": r"^flac_flac_((16|24)-bit_44100_(1|2|6)ch|16-bit_96000|streamed|behind-ID3)",
    "ogg": r"^ogg_(vorbis_oggenc_(22050|44100)_[126]ch.ogg|flac_16|vorbis_chained-[12])",
    "opus": r"^ogg_opus_(opusenc_(16000|44100)_[126]ch.opus|chained-1|opusenc-speech)",
    "m4a": r"^mp4_(aac_(_44100_[126]ch.m4a|frag|index|HE.*_44100)"
    r"|alac_(16|24)-bit_44100_[126]ch.m4a)",
    "wav": r"^(wav|rifx|w64|rf64)_(PCM_16|PCM_24|FLOAT|pcm_u8|ULAW|IMA|MS_|GSM)\w*_44100_[12]ch",
    "aiff": r"^aiff_(PCM_16|PCM_24|FLOAT|ULAW|pcm_s16le)_\w+_44100_[126]ch.aiff",
    "caf": r"^caf_(PCM_16|PCM_24|FLOAT|ULAW|ALAC_16)_libsndfile_44100_[126]ch.caf",
    "others": r"^(asf_wmav2__|matroska_(opus|flac|aac|vorbis)_|adts_aac__44100"
    r"|wavpack_.*PCM_16_44100|tta_|ac3_|au_PCM_16|musepack)",
}
"""The files of each format that are damaged, by their names."""


@dataclass
class Outcomes:
    """What came of the damaged files of one format."""

    files: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    crashes: list[dict[str, Any]] = field(default_factory=list)
    hangs: list[dict[str, Any]] = field(default_factory=list)
    greedy: list[dict[str, Any]] = field(default_factory=list)
    odd: list[dict[str, Any]] = field(default_factory=list)
    most_memory: int = 0

    def add(self, name: dict[str, Any], answer: dict[str, Any]) -> None:
        """Count what came of a file."""
        self.files += 1
        self.endings[answer["outcome"]] += 1
        self.most_memory = max(self.most_memory, answer.get("memory", 0))
        both = name | answer
        if answer["outcome"] in ("crashed", "hung"):
            (self.crashes if answer["outcome"] == "crashed" else self.hangs).append(both)
        if answer.get("memory", 0) > _MUCH_MEMORY or "alloc" in answer.get("words", ""):
            self.greedy.append(both)
        if answer["outcome"] == "odd error":
            self.odd.append(both)


def damage_formats(
    output: Path,
    count: int = 1000,
    seed: int = 0,
    only: str | None = None,
    workers: int = 1,
) -> Path:
    """Decode damaged files with `essentia_maest.AudioFile`, and write a table of figures.

    Under AddressSanitizer: build the package with ``-C cmake.define.MAEST_SANITIZE=address``, and
    set LD_PRELOAD to its run-time library.

    Parameters
    ----------
    output : path
        Folder for the sound files, those that crash a decoder, and the table (damage.md).
    count : int
        Damaged files of each format.
    seed : int
        Others give other files.
    only : str, optional
        A regular expression: names in `FORMATS`; default: all.
    workers : int
        Processes at the same time.

    Returns
    -------
    path
        The table.
    """
    results = {}
    table = output / "damage.md"
    for name in FORMATS:
        if re.fullmatch(only or ".*", name):
            results[name] = damage_format(name, output, count, seed, workers)
            write_whole(table, _report(results, seed))
    return table


def _report(results: dict[str, Outcomes], seed: int) -> str:
    lines = [f"Machine: {machine()}; {versions()}. Seed {seed}.\n", *_table(results), ""]
    for name, outcomes in results.items():
        for kind in ("crashes", "hangs", "greedy", "odd"):
            lines += [f"- {name}, {kind}: {json.dumps(each)}" for each in getattr(outcomes, kind)]
    return "\n".join(lines) + "\n"


def damage_format(name: str, output: Path, count: int, seed: int, workers: int = 1) -> Outcomes:
    """Decode damaged files of one format.

    Parameters
    ----------
    name : str
        In `FORMATS`.
    output, count, seed, workers
        See `damage_formats`.

    Returns
    -------
    Outcomes
    """
    folder = output / "sound" / name
    recipes = [
        replace(recipe, seconds=_SECONDS_OF_SOUND)
        for recipe in all_recipes()
        if re.search(FORMATS[name], recipe.name)
    ]
    make_files(recipes, folder)
    outcomes = Outcomes()
    ranges = [(first, min(first + _AT_ONCE, count)) for first in range(0, count, _AT_ONCE)]

    def run(numbers: tuple[int, int]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        return _run(folder, seed, *numbers, output / "crashes")

    with ThreadPoolExecutor(workers) as pool:
        for answers in pool.map(run, ranges):
            for number, answer in answers:
                outcomes.add(number, answer)
    return outcomes


def _run(
    folder: Path, seed: int, first: int, end: int, crashes: Path
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Decode files `first` to `end`, in a new process after each crash."""
    answers = []
    with tempfile.TemporaryDirectory(prefix="formats-") as scratch:
        while first < end:
            with open(Path(scratch, "stderr"), "wb") as words:
                process = subprocess.Popen(
                    [sys.executable, "-m", "lab.formats.damage_worker", str(folder), str(seed),
                     str(first), str(end), scratch],
                    stdout=subprocess.PIPE,
                    stderr=words,
                )  # fmt: skip
            found = _follow(process)
            answers += found
            last = found[-1] if found else ({"number": first}, {"outcome": "crashed"})
            if not found:
                answers.append(last)
            first = last[0]["number"] + 1
            if last[1]["outcome"] in ("crashed", "hung"):
                last[1]["words"] = Path(scratch, "stderr").read_text(errors="replace")[-4000:]
                _keep(folder, seed, last[0]["number"], crashes)
    return answers


def _follow(process: subprocess.Popen[bytes]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Read what a process says, until it ends or takes too long for a file."""
    assert process.stdout is not None
    answers = []
    begun: dict[str, Any] | None = None
    decoder = ""
    left = b""
    until = time.monotonic() + 4 * _SECONDS_FOR_A_FILE  # it has to start
    while True:
        ready, _, _ = select.select([process.stdout], [], [], max(until - time.monotonic(), 0))
        got = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
        if not got:
            break
        *lines, left = (left + got).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "number" in said:
                begun, decoder = said, ""
                until = time.monotonic() + _SECONDS_FOR_A_FILE
            elif "open" in said:
                decoder = said["open"]
            elif begun is not None:
                answers.append((begun, said))
                begun = None
    hung = not ready
    if hung:
        process.kill()
    code = process.wait()
    if begun is not None:
        died = signal.Signals(-code).name if code < 0 else f"exit {code}"
        outcome = "hung" if hung else "crashed"
        answers.append((begun, {"outcome": outcome, "decoder": decoder, "died": died}))
    return answers


def _keep(folder: Path, seed: int, number: int, crashes: Path) -> None:
    sound = sorted(path for path in folder.iterdir() if path.is_file())
    path, content = damaged_file(sound, [each.read_bytes() for each in sound], seed, number)
    crashes.mkdir(parents=True, exist_ok=True)
    (crashes / f"{folder.name}-{seed}-{number}{path.suffix}").write_bytes(content)


def _table(results: dict[str, Outcomes]) -> list[str]:
    kinds = ("complete", "truncated", "damaged", "refused", "without end", "odd error")
    lines = [
        "| format | files | " + " | ".join(kinds) + " | crashes | hangs | over 64 MiB | most MiB |",
        "|-|-|" + "-|" * len(kinds) + "-|-|-|-|",
    ]
    for name, of in results.items():
        cells = [of.files, *(of.endings[kind] for kind in kinds)]
        cells += [len(of.crashes), len(of.hangs), len(of.greedy), of.most_memory >> 20]
        lines.append(f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |")
    return lines
