"""Model files that were changed: each is refused, or computes what it promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from essentia_maest.making.conversion import convert_random
from lab.torture.asked import Asked, DiedError, HungError
from lab.torture.figures import Figures
from lab.torture.model_changes import ENDLESS, OUTSIDE, changed
from lab.torture.work import Work

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "models" / "maest-open-10s.onnx"
WORKER = "lab.torture.model_worker"
_SECONDS, _ENDLESS_SECONDS = 60.0, 3.0


def models(work: Work) -> Figures:
    """Open and run changed models, in processes that are asked.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
    """
    return run_models(work, work.amount(200, 10_000))


def run_models(
    work: Work,
    count: int,
    *,
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    patience: float = 1.0,
) -> Figures:
    """Open and run changed models.

    Parameters
    ----------
    work : Work
        What to work with.
    count : int
        How many.
    arguments, variables
        Of the process that opens them.
    patience : float
        How many times slower than usual it is.

    Returns
    -------
    Figures
    """
    figures = Figures()
    sources = [path.read_bytes() for path in _sources(work.folder)]
    asked: Asked | None = None
    kept = work.folder / "kept"
    kept.mkdir()
    try:
        for number in work.tries(count, figures):
            chance = work.chance(number)
            kind, content = changed(chance.choice(sources), chance)
            path = work.folder / "model.onnx"
            path.write_bytes(content)
            label = f"try {number} ({kind.strip()})"
            faults = figures.faults
            try:
                if asked is None:
                    asked = Asked(WORKER, arguments, variables)
                seconds = _ENDLESS_SECONDS if kind == ENDLESS else _SECONDS
                answer = asked.ask(str(path), seconds * patience)
            except DiedError as error:
                asked = None
                figures.fault("crashes", f"{label}: {error}")
            except HungError as error:
                asked = None
                figures.fault("hangs", f"{label}: {error}")
            else:
                _judge(figures, label, kind, answer)
            if figures.faults > faults:
                path.rename(kept / f"{number}.onnx")
    finally:
        if asked is not None:
            asked.close()
    return figures


def _sources(folder: Path) -> list[Path]:
    return [
        convert_random("tiny", folder / "fp32.onnx", classes=12),
        convert_random("tiny", folder / "int8.onnx", classes=12, precision="int8"),
        SHIPPED,
    ]


def _judge(figures: Figures, label: str, kind: str, answer: Mapping[str, str]) -> None:
    outcome, words = answer["outcome"], answer.get("words", "")
    if outcome == "raised":
        figures.fault("crashes", f"{label}: {words}")
    elif outcome == "wrong" or (kind == OUTSIDE and outcome != "refused"):
        figures.fault("let_in", f"{label}: {outcome} {words}")
    elif outcome == "interrupted" and not kind.startswith(ENDLESS):
        figures.fault("hangs", f"{label}: no end before Ctrl-C")
    elif outcome == "refused" and not words.strip():
        figures.fault("untold", f"{label}: refused without a word")
