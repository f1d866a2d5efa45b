"""`python -m lab fifty files`: a fine-tuning as a new user types it, timed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from essentia_maest.files import write_whole
from essentia_maest.machine import machine, versions
from lab.corpus.packages import default_cache
from lab.corpus.produced_music import tracks_of
from lab.finetuning.unheard import UNHEARD
from lab.typed_commands import Ran, run_typed

CLASSES, EACH = 5, 10
"""The largest of the soundtracks, and files of each: fifty."""
_ROOT = Path(__file__).resolve().parents[2]
_FINETUNE = "python -m training finetune music --from default -o mine.onnx"
_ANALYZE = "maest analyze music -o results --model mine.onnx"


def fifty_files(output: Path, *, cache: Path | None = None) -> Path:
    """Do what docs/finetune.md says, in a fresh folder, with fifty whole files; and time it.

    Parameters
    ----------
    output : path
        Folder for ``fifty_files.md``, and for what the commands make.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        A package cannot be had, or a command failed.
    """
    began = machine()
    fresh = output / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    seconds = _write_music(fresh / "music", cache or default_cache())
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    ran = [run_typed(typed, fresh, environment=environment) for typed in (_FINETUNE, _ANALYZE)]
    scores = json.loads((fresh / "mine.training" / "scores.json").read_text(encoding="utf-8"))
    size = sum(path.stat().st_size for path in (fresh / "mine.training").rglob("*"))
    path = output / "fifty_files.md"
    write_whole(path, _page(ran, scores, seconds, size, began))
    return path


def _write_music(folder: Path, cache: Path) -> float:
    """Copy the files, a folder for each soundtrack; gives their length in seconds."""
    found = {package.soundtrack: tracks_of(package, cache) for package in UNHEARD}
    largest = sorted(found, key=lambda name: (-len(found[name]), name))[:CLASSES]
    seconds = 0.0
    for name in largest:
        (folder / name).mkdir(parents=True)
        for track in sorted(found[name], key=lambda track: track.piece)[:EACH]:
            shutil.copy(track.path, folder / name / track.path.name)
            seconds += track.seconds
    return seconds


def _page(ran: list[Ran], scores: dict[str, float], seconds: float, size: int, began: str) -> str:
    lines = [
        "# Fifty files, fine-tuned",
        "",
        f"`python -m lab fifty files`: {EACH} whole files of each of {CLASSES} soundtracks out of "
        f"Debian's packages, {seconds / 3600:.1f} hours, a folder for each; the commands are those "
        "of docs/finetune.md, in a fresh folder.",
        "",
        "| command | s | CPU s |",
        "|-|-|-|",
        *(f"| `{one.typed}` | {one.clock:.0f} | {one.cpu:.0f} |" for one in ran),
        "",
        f"On the {scores['tracks']} files of the test split: mAP "
        f"{scores['mean_average_precision']:.3f}, ROC-AUC {scores['roc_auc']:.3f}. The folder "
        f"`mine.training` took {size / 1e6:.0f} MB.",
        "",
        "What the first command told:",
        "",
        "```text",
        ran[0].told.strip(),
        ran[0].said.strip(),
        "```",
    ]
    load = os.getloadavg()[0]
    return "\n".join([*lines, "", f"Machine: {began}, {load:.1f} after; {versions()}.", ""])
