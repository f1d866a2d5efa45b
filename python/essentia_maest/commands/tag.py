"""`maest tag`: labels of a collection into the tags of its files, and back."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError, ends_all_work, in_words
from ..reading.plain_text import printable
from .opened_results import Library, add_results
from .saying import ALL_DONE, SOME_FAILED, complain
from .surroundings import show

if TYPE_CHECKING:
    from ..tagging.changes import Change


def add(commands: Any) -> None:
    """Add the sub-command `tag` to the parsers of `maest`."""
    parser = commands.add_parser(
        "tag",
        help="write labels into the tags of the files",
        usage="maest tag [options] OUT --write FIELD[=FAMILY],...\n"
        "       maest tag [options] --undo BACKUP",
        description="Write labels into the tags of audio files. Only the fields that are named are "
        "changed, and only where the model says something; what changes is printed, and the old "
        "values are kept in a file, before anything is written. Audio, other tags, permissions and "
        "times stay as they are. Needs mutagen: pip install 'essentia-maest[tag]'.",
        allow_abbrev=False,
    )
    add_results(parser, optional=True)
    add = parser.add_argument
    add(
        "--write",
        metavar="FIELDS",
        help="genre, mood, instrument, with commas between; mood=FAMILY takes the labels of a "
        "family of the model, mood=* all",
    )
    add("--dry-run", action="store_true", help="print what would change, and write nothing")
    add(
        "--most",
        type=int,
        default=3,
        metavar="N",
        help="values of a field at the most (default: %(default)s)",
    )
    add(
        "--least",
        type=float,
        default=0.3,
        metavar="A",
        help="activation of a label from which it is written (default: %(default)s)",
    )
    add("--only-empty", action="store_true", help="leave fields alone that have values")
    add(
        "--backup",
        metavar="FILE",
        help="where old values are kept (default: tags-TIME.jsonl in OUT)",
    )
    add("--undo", metavar="BACKUP", help="write the old values of a backup back")
    parser.set_defaults(command="tag", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write labels into tags, or undo it, and give the exit code."""
    from ..tagging.tags import require_mutagen

    _check(arguments)
    require_mutagen()
    failed: list[tuple[str, str]] = []
    if arguments.undo is not None:
        changes = _back(Path(arguments.undo), failed)
        backup = None
    else:
        changes = _changes(arguments, failed)
        backup = _backup_of(arguments)
    for change in changes:
        for field, new in change.new.items():
            old = change.old[field]
            show(f"{printable_path(change.file)}: {field}: {_words(old)} -> {_words(new)}")
    written = 0
    if not arguments.dry_run:
        if backup is not None and (changes or arguments.backup is not None):
            from ..tagging.changes import write_backup

            write_backup(backup, changes)
            complain(f"old values are kept in {printable_path(backup)}")
        written = _write(changes, failed)
    for file, reason in failed:
        complain(f"{printable_path(file)}: {reason}")
    done = "would be changed" if arguments.dry_run else "changed"
    count = len(changes) if arguments.dry_run else written
    complain(f"{count} files {done}, {len(failed)} failed")
    return SOME_FAILED if failed else ALL_DONE


def _check(arguments: argparse.Namespace) -> None:
    if (arguments.write is None) == (arguments.undo is None):
        raise InvalidArgumentError(
            "tag: wanted: OUT and --write with the fields to write, or --undo BACKUP"
        )
    if (arguments.results is None) != (arguments.write is None):
        raise InvalidArgumentError("tag: wanted: OUT with --write, and none with --undo")
    if arguments.most < 1:
        raise InvalidArgumentError(f"most is {arguments.most}; 1 or more wanted")
    if not 0 < arguments.least <= 1:
        raise InvalidArgumentError(f"least is {arguments.least:g}; above 0, and 1 or less, wanted")


def _changes(arguments: argparse.Namespace, failed: list[tuple[str, str]]) -> list[Change]:
    from ..results.parquet import column_values
    from ..tagging.changes import Change, fields_of

    library = Library.of(arguments)
    results = library.results
    activations, _ = results.predictions()
    fields, missing = fields_of(arguments.write, results.labels, results.label_families)
    for line in missing:
        complain(line)
    if not fields:
        raise InvalidArgumentError("tag: none of the fields can be written")
    silent = column_values(results.tracks, "silent")
    if any(silent):
        complain(f"{sum(silent)} silent tracks are left alone: labels of silence say nothing")
    changes = []
    for file, row, is_silent in zip(library.files, activations, silent, strict=True):
        if is_silent:
            continue
        new = {
            field.name: values
            for field in fields
            if (values := field.of(row, arguments.most, arguments.least))
        }
        old = _read(file, [field.name for field in fields], failed)
        if old is None:
            continue
        if arguments.only_empty:
            new = {name: values for name, values in new.items() if not old[name]}
        new = {name: values for name, values in new.items() if old[name] != values}
        if new:
            changes.append(Change(file, {name: old[name] for name in new}, {**new}))
    return changes


def _back(backup: Path, failed: list[tuple[str, str]]) -> list[Change]:
    """Give the changes that undo those of a backup."""
    from ..tagging.changes import Change, read_backup

    changes = []
    for done in read_backup(backup):
        now = _read(done.file, list(done.new), failed)
        if now is None:
            continue
        others = sorted(
            name for name in done.new if now[name] not in (done.new[name], done.old[name])
        )
        if others:
            failed.append(
                (done.file, f"{', '.join(others)} changed since; left alone as it is now")
            )
        old = {name: now[name] for name in done.new if now[name] == done.new[name]}
        if old:
            changes.append(Change(done.file, old, {name: done.old[name] for name in old}))
    return changes


def _read(
    file: str, fields: list[str], failed: list[tuple[str, str]]
) -> dict[str, list[str] | None] | None:
    from ..tagging.tags import TagError, read_tags

    try:
        if not os.path.exists(file):
            raise TagError("is not there; if the folder was moved: --root with where it is now")
        return read_tags(file, fields)
    except TagError as error:
        failed.append((file, str(error)))
        return None


def _write(changes: Sequence[Change], failed: list[tuple[str, str]]) -> int:
    from ..tagging.tags import TagError, write_tags

    written = 0
    for change in changes:
        try:
            write_tags(change.file, change.new)
            written += 1
        except (TagError, OSError) as error:
            if ends_all_work(error):
                complain(f"{written} files changed before this")
                raise
            failed.append((change.file, in_words(error)))
    return written


def _backup_of(arguments: argparse.Namespace) -> Path:
    if arguments.backup is not None:
        return Path(os.path.abspath(arguments.backup))
    named = time.strftime("tags-%Y%m%dT%H%M%SZ", time.gmtime())
    folder = Path(arguments.results)
    number, path = 1, folder / f"{named}.jsonl"
    while path.exists():
        number += 1
        path = folder / f"{named}-{number}.jsonl"
    return path


def _words(values: list[str] | None) -> str:
    return printable(", ".join(values)) if values else "(none)"
