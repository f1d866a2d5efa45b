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
from lab.sanitized import build, require_watched, variables_of

from .damage_worker import MOST_MEMORY, damaged_file
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
    "wma": r"^asf_(wmav[12]__(22050|44100)|mp3|pcm|wmav2_streamed)",
    "matroska": r"^(matroska|webm)_(opus|flac|aac|vorbis|mp3|wavpack)_",
    "adts": r"^adts_aac_(_(22050|44100)|HE|joined-[0-3])",
    "others": r"^(ape_.*-2000_44100|wavpack_.*PCM_16_44100|tta_|ac3_|au_PCM_16|musepack"
    r"|dsf_|avi_mp3|flv_aac)",
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
    other_in_part: int = 0

    def add(self, name: dict[str, Any], answer: dict[str, Any]) -> None:
        """Count what came of a file."""
        self.files += 1
        self.endings[answer["outcome"]] += 1
        self.most_memory = max(self.most_memory, answer.get("memory", 0))
        self.other_in_part += answer.get("other in part", False)
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
    *,
    workers: int = 1,
    sanitize: bool = False,
    minutes: float | None = None,
) -> Path:
    """Decode damaged files with `essentia_maest.AudioFile`, and write a table of figures.

    What was done is kept: repeated, it goes on where it was. Formats take turns, so that each has
    its share of a run that ends early.

    Parameters
    ----------
    output : path
        Folder for the sound files, what came of damaged ones, those that crash a decoder, and the
        table (damage.md).
    count : int
        Damaged files of each format.
    seed : int
        Others give other files.
    only : str, optional
        A regular expression: names in `FORMATS`; default: all.
    workers : int
        Processes at the same time.
    sanitize : bool
        Build the engine with AddressSanitizer and UndefinedBehaviorSanitizer (in a folder of
        `output`), and decode with it. Decoders are as they are, but for the memory that they take,
        which is the sanitizer's.
    minutes : float, optional
        Begin nothing later.

    Returns
    -------
    path
        The table.
    """
    names = [name for name in FORMATS if re.fullmatch(only or ".*", name)]
    variables = _sanitized(output) if sanitize else {}
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    runs = {name: _Damaging(name, output, seed, variables) for name in names}
    table = output / "damage.md"
    kind = "Engine under AddressSanitizer and UndefinedBehaviorSanitizer." if sanitize else ""
    for done in range(0, count, _AT_ONCE * workers):
        for run in runs.values():
            if time.monotonic() > end:
                break
            run.go_on(min(done + _AT_ONCE * workers, count), workers)
            found = {name: one.outcomes for name, one in runs.items() if one.outcomes.files}
            write_whole(table, _report(found, seed, kind))
    return table


def _sanitized(output: Path) -> dict[str, str]:
    package = build(output / "sanitizers")
    reports = output / "sanitizers" / "reports"
    reports.mkdir(exist_ok=True)
    require_watched(package, reports, variables_of(package, reports))
    variables = variables_of(package)
    limit = f"max_allocation_size_mb={MOST_MEMORY >> 20}"
    return {**variables, "ASAN_OPTIONS": f"{variables['ASAN_OPTIONS']}:{limit}"}


def _report(results: dict[str, Outcomes], seed: int, kind: str) -> str:
    lines = [f"Machine: {machine()}; {versions()}. Seed {seed}. {kind}".rstrip() + "\n"]
    lines += [*_table(results), ""]
    for name, outcomes in results.items():
        for what in ("crashes", "hangs", "greedy", "odd"):
            lines += [f"- {name}, {what}: {json.dumps(each)}" for each in getattr(outcomes, what)]
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
    run = _Damaging(name, output, seed, {})
    run.go_on(count, workers)
    return run.outcomes


Answers = list[tuple[dict[str, Any], dict[str, Any]]]


class _Damaging:
    """The damaged files of one format: those that were decoded, in this run or before."""

    def __init__(self, name: str, output: Path, seed: int, variables: dict[str, str]) -> None:
        self._name = name
        self._folder = output / "sound" / name
        self._crashes = output / "crashes"
        self._seed = seed
        self._variables = variables
        self._kept = output / "answers" / f"{name}-{seed}.jsonl"
        self.outcomes = Outcomes()
        self._done = 0
        if self._kept.exists():
            for line in self._kept.read_text().splitlines():
                self._count(json.loads(line))

    def go_on(self, count: int, workers: int) -> None:
        """Decode files up to a number."""
        starts = range(self._done, count, _AT_ONCE)
        if not starts:
            return
        self._make_sound()
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(workers) as pool, open(self._kept, "a") as kept:
            for answers in pool.map(lambda first: self._decode(first, count), starts):
                kept.write(json.dumps(answers) + "\n")
                kept.flush()
                self._count(answers)

    def _make_sound(self) -> None:
        if self._folder.exists():
            return
        recipes = [
            replace(recipe, seconds=_SECONDS_OF_SOUND)
            for recipe in all_recipes()
            if re.search(FORMATS[self._name], recipe.name)
        ]
        make_files(recipes, self._folder)

    def _decode(self, first: int, count: int) -> Answers:
        """Decode some files from `first` on, in a new process after each crash."""
        answers: Answers = []
        end = min(first + _AT_ONCE, count)
        with tempfile.TemporaryDirectory(prefix="formats-") as scratch:
            while first < end:
                with open(Path(scratch, "stderr"), "wb") as words:
                    process = subprocess.Popen(
                        [sys.executable, "-m", "lab.formats.damage_worker", str(self._folder),
                         str(self._seed), str(first), str(end), scratch],
                        stdout=subprocess.PIPE,
                        stderr=words,
                        env={**os.environ, **self._variables},
                    )  # fmt: skip
                found = _follow(process) or [({"number": first}, {"outcome": "crashed"})]
                answers += found
                number, answer = found[-1]
                first = number["number"] + 1
                if answer["outcome"] in ("crashed", "hung"):
                    answer["words"] = _last_words(Path(scratch, "stderr"))
                    _keep(self._folder, self._seed, number["number"], self._crashes)
        return answers

    def _count(self, answers: Answers) -> None:
        self._done += len(answers)
        for number, answer in answers:
            self.outcomes.add(number, answer)


def _follow(process: subprocess.Popen[bytes]) -> Answers:
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


def _last_words(said: Path) -> str:
    words = said.read_text(errors="replace")
    sanitizer = max(words.find("ERROR: "), words.find("runtime error: "))
    return words[sanitizer : sanitizer + 2000] if sanitizer >= 0 else words[-2000:]


def _keep(folder: Path, seed: int, number: int, crashes: Path) -> None:
    sound = sorted(path for path in folder.iterdir() if path.is_file())
    path, content = damaged_file(sound, [each.read_bytes() for each in sound], seed, number)
    crashes.mkdir(parents=True, exist_ok=True)
    (crashes / f"{folder.name}-{seed}-{number}{path.suffix}").write_bytes(content)


def _table(results: dict[str, Outcomes]) -> list[str]:
    kinds = ("complete", "truncated", "damaged", "refused", "without end", "odd error")
    lines = [
        "| format | files | "
        + " | ".join(kinds)
        + " | other in part | crashes | hangs | over 64 MiB | most MiB |",
        "|-|-|" + "-|" * len(kinds) + "-|-|-|-|-|",
    ]
    for name, of in results.items():
        cells = [of.files, *(of.endings[kind] for kind in kinds)]
        cells += [of.other_in_part, len(of.crashes), len(of.hangs), len(of.greedy)]
        cells.append(of.most_memory >> 20)
        lines.append(f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |")
    return lines
