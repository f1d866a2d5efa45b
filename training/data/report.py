"""What a command refused, counted and noticed, for people (text) and programs (JSON, CSV)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from essentia_maest.files import write_json, written_whole
from training.errors import DataError

EXAMPLES = 10
_NOTES_SHOWN = 20
_SCHEMA = pa.schema({"reason": pa.string(), "subject": pa.string(), "detail": pa.string()})


class Report:
    """Refusals by reason, named counts and notes of one command.

    Refused subjects are kept as text in Arrow arrays, some tens of bytes each, so millions of
    them fit.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self._examples: dict[str, list[dict[str, str]]] = {}
        self._batches: list[pa.RecordBatch] = []
        self._single: list[tuple[str, str, str]] = []
        self._notes: list[str] = []

    @property
    def counts(self) -> Mapping[str, int]:
        """Counts by name, then refusals by reason."""
        return {**self._counts, **self._refused}

    @property
    def refused(self) -> Mapping[str, int]:
        """Refusals by reason."""
        return dict(self._refused)

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know before using the result."""
        return tuple(self._notes)

    def add(self, reason: str, subject: str, detail: str = "") -> None:
        """Refuse one subject, a track id for instance; `detail` says what was found."""
        self._register(reason, 1, [subject], [detail])
        self._single.append((reason, subject, detail))

    def add_many(
        self, reason: str, subjects: pa.Array | pa.ChunkedArray, details: pa.Array | str = ""
    ) -> None:
        """Refuse many subjects for one reason.

        Parameters
        ----------
        reason : str
        subjects : Arrow array of strings
        details : Arrow array of strings of the same length, or one text for all
        """
        if len(subjects) == 0:
            return
        subjects = _strings(subjects)
        if isinstance(details, str):
            details = pa.repeat(pa.scalar(details, pa.string()), len(subjects))
        details = _strings(details)
        self._register(
            reason,
            len(subjects),
            subjects.slice(0, EXAMPLES).to_pylist(),
            details.slice(0, EXAMPLES).to_pylist(),
        )
        reasons = pa.repeat(pa.scalar(reason, pa.string()), len(subjects))
        self._batches.append(
            pa.RecordBatch.from_arrays([reasons, subjects, details], schema=_SCHEMA)
        )

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to the count called `name`; 0 makes the name appear."""
        self._counts[name] = self._counts.get(name, 0) + int(n)

    def note(self, text: str) -> None:
        """Keep a remark about the whole result."""
        self._notes.append(text)

    def write(self, path_stem: Path) -> None:
        """Write ``<path_stem>.report.json`` and, if anything was refused, ``.refused.csv``.

        Both replace what an earlier run left there.
        """
        path_stem = Path(path_stem)
        path_stem.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "counts": self._counts,
            "refused": self._refused,
            "examples": self._examples,
            "notes": self._notes,
        }
        write_json(path_stem.with_name(path_stem.name + ".report.json"), content, indent=2)

        rows = path_stem.with_name(path_stem.name + ".refused.csv")
        if not self._refused:
            rows.unlink(missing_ok=True)
            return
        batches = list(self._batches)
        if self._single:
            columns = [pa.array(column, pa.string()) for column in zip(*self._single, strict=True)]
            batches.append(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
        with written_whole(rows) as place:
            pyarrow.csv.write_csv(pa.Table.from_batches(batches, _SCHEMA), place)

    def summary(self) -> str:
        """Say it in lines of text: counts, refusals with an example each, notes."""
        lines = [f"{name}: {n:,}" for name, n in self._counts.items()]
        for reason, n in self._refused.items():
            example = self._examples[reason][0]
            found = f" ({example['detail']})" if example["detail"] else ""
            lines.append(f"refused, {reason}: {n:,}, for instance {example['subject']}{found}")
        lines += [f"note: {text}" for text in self._notes[:_NOTES_SHOWN]]
        if len(self._notes) > _NOTES_SHOWN:
            lines.append(f"and {len(self._notes) - _NOTES_SHOWN} more notes in the report file")
        return "\n".join(lines)

    def _register(
        self, reason: str, n: int, subjects: Sequence[str], details: Sequence[str]
    ) -> None:
        self._refused[reason] = self._refused.get(reason, 0) + n
        examples = self._examples.setdefault(reason, [])
        for subject, detail in zip(subjects, details, strict=True):
            if len(examples) == EXAMPLES:
                break
            examples.append({"subject": subject, "detail": detail})


def _strings(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One plain array of text without nulls."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.cast(pa.string()).fill_null("")


@contextmanager
def reporting(output: Path) -> Iterator[Report]:
    """Give a report that is written beside `output` in the end, and if too much was refused.

    Parameters
    ----------
    output : Path
        What the command writes; the report's names begin with it.

    Yields
    ------
    Report
    """
    report = Report()
    try:
        yield report
    except DataError:
        if report.refused:
            report.write(output)
        raise
    report.write(output)
