"""Core and Python module built with ASan and UBSan: hostile models and files, once more."""

from __future__ import annotations

from collections.abc import Mapping

from essentia_maest.making.conversion import convert_random
from lab.sanitized import build, require_watched, variables_of
from lab.torture.child import MAEST, run
from lab.torture.collection import check_summary
from lab.torture.figures import Figures
from lab.torture.models import run_models
from lab.torture.odd_files import fill
from lab.torture.work import Work

_SLOWER = 10.0
_RUN_SECONDS = 3600.0


def sanitizers(work: Work) -> Figures:
    """Build with sanitizers, then open changed models and analyse an odd folder.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
        Every report of a sanitizer is a crash.

    Raises
    ------
    RuntimeError
        It cannot be built.
    """
    package = build(work.shared / "sanitizers")
    reports = work.folder / "reports"
    reports.mkdir()
    variables = variables_of(package, reports)
    require_watched(package, reports, variables)
    figures = run_models(
        work,
        work.amount(30, 200),
        arguments=["--unlimited"],
        variables=variables,
        patience=_SLOWER,
    )
    figures.add(_odd_folder(work, variables))
    for report in sorted(reports.iterdir()):
        text = report.read_text(errors="replace")
        at = max(text.find("ERROR: "), text.find("runtime error: "), 0)
        figures.fault("crashes", f"{report.name}: {' '.join(text[at : at + 600].split())}")
    return figures


def _odd_folder(work: Work, variables: Mapping[str, str]) -> Figures:
    figures = Figures()
    folder, out = work.folder / "odd", work.folder / "out"
    _, _, missing = fill(folder, work.shared / "packages", work.chance("files"), work.short)
    for reason in missing:
        work.tell(f"sanitizers: {reason}")
    model = convert_random("tiny", work.folder / "tiny.onnx", seconds=5, classes=12)
    command = [*MAEST, "analyze", str(folder), "-o", str(out), "--model", str(model)]
    ended = run([*command, "--block", "1"], work.folder, _RUN_SECONDS, variables)
    if ended.hung:
        figures.fault("hangs", f"odd folder: no end after {ended.seconds:.0f} s")
    elif ended.code not in (0, 1) or ended.traceback:
        figures.fault("crashes", f"odd folder: exit code {ended.code}; {ended.last_words}")
    else:
        summary = check_summary(figures, "odd folder", out, ended)
        figures.inputs = summary["counts"]["found"] if summary else 0
    return figures
