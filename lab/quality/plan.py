"""Which systems are measured: first those that matter most, last the teacher, which is slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import essentia_maest as maest
from essentia_maest.files import sha256_of
from lab.corpus.teacher import MUSICNN
from lab.quality.references import MelStatistics, TeacherSystem
from lab.quality.untrained import write_untrained
from training.downstream.extraction import MakeSystem
from training.downstream.systems import BLOCK, MaestSystem
from training.errors import DataError

WHOLE = "F0T0"
"""No patchout."""


@dataclass(frozen=True)
class Subject:
    """A system to measure, and what is asked of it.

    Attributes
    ----------
    name : str
    make : callable
        Makes the system; can be sent to another process.
    key : str
        What its features depend on.
    precision, patchout : str
        Of the model that is measured; empty for what it is compared with, whose activations are
        not scored.
    probed : bool
        Whether its features of training and validation tracks are wanted, too.
    """

    name: str
    make: MakeSystem
    key: str
    precision: str = ""
    patchout: str = ""
    probed: bool = True


def plan(
    models: Sequence[Path],
    *,
    cache: Path | None,
    work: Path,
    patchouts: Sequence[str],
    probe_patchouts: Sequence[str],
) -> list[Subject]:
    """Choose the systems.

    Parameters
    ----------
    models : sequence of Path
        The model in one or several precisions, the one that matters most first.
    cache : Path, optional
        Where packages are kept, for the teacher; None: only the model itself.
    work : Path
        Where the untrained network is written.
    patchouts, probe_patchouts : sequence of str
        Besides F0T0, which is always there and always probed.

    Returns
    -------
    list of Subject

    Raises
    ------
    DataError
        When two models have the same precision or different classes, or the first is not in our
        format.
    essentia_maest.errors.MaestError
        When a file is no model, or lacks a patchout.
    """
    opened = [maest.Model(path, num_threads=1) for path in models]
    precisions = [model.precision for model in opened]
    if len(set(precisions)) < len(models):
        raise DataError(
            f"{', '.join(str(path) for path in models)}: all are {precisions[0]}; wanted each in a "
            "precision of its own"
        )
    if len({model.labels for model in opened}) > 1:
        raise DataError(
            f"{', '.join(str(path) for path in models)}: their classes differ; wanted one model in "
            "several precisions"
        )
    of_models = [
        _of_model(path, precision, patchouts, probe_patchouts)
        for path, precision in zip(models, precisions, strict=True)
    ]
    first = [subjects[0] for subjects in of_models]
    rest = [one for beside in zip(*(s[1:] for s in of_models), strict=True) for one in beside]
    if cache is None:
        return [*first, *rest]
    untrained = work / "untrained.onnx"
    write_untrained(models[0], untrained)
    statistics = Subject("mel statistics", MelStatistics, f"mel statistics, {_version()}")
    teacher = Subject("teacher", partial(TeacherSystem, cache), f"teacher, {MUSICNN}, {_version()}")
    plain = Subject(
        f"untrained {WHOLE}",
        partial(MaestSystem, untrained, f"untrained {WHOLE}", WHOLE),
        _key(f"untrained {WHOLE}", untrained),
    )
    return [first[0], statistics, plain, *first[1:], *rest, teacher]


def _of_model(
    path: Path, precision: str, patchouts: Sequence[str], probe_patchouts: Sequence[str]
) -> list[Subject]:
    """List a model under each patchout, F0T0 first; the features of its last block there only."""
    subjects = []
    for patchout in dict.fromkeys([WHOLE, *patchouts]):
        name, last = f"{precision} {patchout}", patchout == WHOLE
        subjects.append(
            Subject(
                name,
                partial(MaestSystem, path, name, patchout, last=last),
                _key(name, path),
                precision,
                patchout,
                probed=last or patchout in probe_patchouts,
            )
        )
    return subjects


def _key(name: str, path: Path) -> str:
    return f"{name}, block {BLOCK}, model {sha256_of(path)}, segments weighed, {_version()}"


def _version() -> str:
    return f"essentia-maest {maest.__version__}"
