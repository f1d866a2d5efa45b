"""Files and their labels: from a sheet, or from a folder for each class."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..collection.scan import scan
from ..errors import InvalidArgumentError
from ..reading.head_description import KINDS, MULTI_CLASS, MULTI_LABEL
from ..reading.plain_text import is_plain, printable
from .sheets import Sheet, read_sheet

_PATH_NAMES = ("path", "file", "filename", "file_name", "filepath", "file_path", "track", "audio")
_LABEL_NAMES = ("label", "labels", "class", "classes", "tag", "tags", "genre", "genres", "mood")
GROUP = "group"
"""The column that tells which files belong together, if there is one."""

_SEVERAL = re.compile(r"[|;]")
_YES, _NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", ""}


@dataclass(frozen=True)
class Labelled:
    """A file and its labels.

    Attributes
    ----------
    path : str
        As it was written.
    where : str
        Where it was written, for messages.
    names : tuple of str
        Its labels, sorted.
    group : str or None
        What it belongs to, where that was told.
    """

    path: str
    where: str
    names: tuple[str, ...]
    group: str | None = None


@dataclass(frozen=True)
class Labels:
    """All of them.

    Attributes
    ----------
    files : list of Labelled
    kind : str
        One of `essentia_maest.reading.head_description.KINDS`.
    base : pathlib.Path
        What relative paths may be relative to.
    warnings : tuple of str
        What was left out, and why.
    """

    files: list[Labelled]
    kind: str
    base: Path
    warnings: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Every label once, sorted."""
        return tuple(sorted({name for file in self.files for name in file.names}))


def read_labels(
    source: Path,
    *,
    path_column: str | None = None,
    label_columns: Sequence[str] = (),
    kind: str | None = None,
) -> Labels:
    """Read labels.

    Parameters
    ----------
    source : pathlib.Path
        A sheet, or a folder with a folder for each class.
    path_column : str, optional
        The column with the files; None is the one called ``path``, ``file`` or similar.
    label_columns : sequence of str
        The column with the labels (several with ``|`` or ``;`` between them), or columns of 0 and
        1, one for each label. None given: the one called ``label`` or similar, or all but those of
        file and group.
    kind : {"multi-class", "multi-label"}, optional
        One label a file, or any number; None is what the source looks like.

    Returns
    -------
    Labels

    Raises
    ------
    InvalidArgumentError
        The source cannot be read, or does not say which labels a file has.
    """
    if kind is not None and kind not in KINDS:
        raise InvalidArgumentError(f"kind is {kind!r}; wanted: {', '.join(KINDS)}")
    if source.is_dir():
        if path_column or label_columns:
            raise InvalidArgumentError(f"{source}: is a folder; columns are for a sheet (CSV)")
        return _of_folders(source, kind)
    sheet = read_sheet(source)
    named = _named_column(sheet, path_column, _PATH_NAMES, "path") or sheet.columns[0]
    columns = _label_columns(sheet, named, label_columns)
    return _merged(_of_rows(sheet, named, columns, kind), columns, kind)


def _of_folders(source: Path, kind: str | None) -> Labels:
    folders = sorted(entry for entry in source.iterdir() if entry.is_dir())
    if not folders:
        raise InvalidArgumentError(
            f"{source}: has no folders; wanted one for each class, named as the class, or a sheet "
            "(CSV) with the columns path and label"
        )
    files, warnings = [], []
    for folder in folders:
        tracks = scan([folder]).tracks
        if not tracks:
            warnings.append(f"{folder}: no audio file in it; it is no class")
        for track in tracks:
            below = os.path.dirname(os.path.relpath(track.path, folder))
            # An album within the class. Files that lie in the class's own folder tell of none.
            group = os.path.join(folder.name, below) if below else None
            files.append(Labelled(track.path, track.path, (folder.name,), group))
    return _merged(
        Labels(files, MULTI_LABEL if kind == MULTI_LABEL else MULTI_CLASS, source, tuple(warnings)),
        (),
        kind,
    )


def _named_column(sheet: Sheet, asked: str | None, usual: Iterable[str], what: str) -> str | None:
    if asked is not None:
        if asked not in sheet.columns:
            raise InvalidArgumentError(
                f"{sheet.path}: has no column {asked!r}; found {', '.join(sheet.columns)}"
            )
        return asked
    lower = {name.lower(): name for name in sheet.columns}
    return next((lower[name] for name in usual if name in lower), None)


def _label_columns(sheet: Sheet, path: str, asked: Sequence[str]) -> tuple[str, ...]:
    for name in asked:
        _named_column(sheet, name, (), "label")
    if asked:
        return tuple(asked)
    usual = _named_column(sheet, None, _LABEL_NAMES, "label")
    if usual is not None and usual != path:
        return (usual,)
    left = tuple(name for name in sheet.columns if name != path and name.lower() != GROUP)
    if not left:
        raise InvalidArgumentError(
            f"{sheet.path}: has the columns {', '.join(sheet.columns)}, and none for labels; "
            "wanted a column label, or one of 0 and 1 for each label (is another separator meant "
            "than the first line has?)"
        )
    if len(left) == 1 or all(_are_flags(sheet, name) for name in left):
        return left
    raise InvalidArgumentError(
        f"{sheet.path}: which of the columns {', '.join(left)} has the labels? Wanted: --label "
        "COLUMN, or columns of nothing but 0 and 1"
    )


def _are_flags(sheet: Sheet, column: str) -> bool:
    values = {row[column].lower() for _, row in sheet.rows}
    return values <= _YES | _NO and bool(values & _YES or values - {""})


def _of_rows(sheet: Sheet, path: str, columns: tuple[str, ...], kind: str | None) -> Labels:
    group = _named_column(sheet, None, (GROUP,), GROUP)
    flags = len(columns) > 1 or (
        columns[0].lower() not in _LABEL_NAMES and _are_flags(sheet, columns[0])
    )
    files = []
    without = []
    for line, row in sheet.rows:
        where = f"{sheet.path}, line {line}"
        if not row[path]:
            raise InvalidArgumentError(f"{where}: the column {path!r} is empty; wanted a file")
        if flags:
            names = tuple(name for name in columns if _flag(row[name], name, where))
        else:
            parts = _SEVERAL.split(row[columns[0]])
            names = tuple(sorted({part.strip() for part in parts if part.strip()}))
            if not row[columns[0]]:
                without.append(row[path])
                if kind != MULTI_LABEL:
                    continue
        for name in names:
            if not is_plain(name):
                raise InvalidArgumentError(f"{where}: label {name!r} has control characters")
        told = row[group] if group else ""
        files.append(Labelled(row[path], where, names, told or None))
    several = flags or any(len(file.names) > 1 for file in files)
    warnings: tuple[str, ...] = ()
    if without and kind != MULTI_LABEL:
        warnings = (
            f"{sheet.path}: {len(without)} files without a label are left out, such as "
            f"{printable(without[0])}",
        )
    return Labels(
        files, kind or (MULTI_LABEL if several else MULTI_CLASS), sheet.path.parent, warnings
    )


def _flag(text: str, column: str, where: str) -> bool:
    value = text.lower()
    if value not in _YES | _NO:
        raise InvalidArgumentError(f"{where}: {column!r} is {text!r}; wanted 0 or 1")
    return value in _YES


def _merged(labels: Labels, columns: Sequence[str], kind: str | None) -> Labels:
    """Make one of the rows that a file has, and refuse those that contradict each other."""
    first: dict[str, Labelled] = {}
    for file in labels.files:
        place = os.path.normpath(file.path)
        earlier = first.get(place)
        if earlier is None:
            first[place] = file
            continue
        if earlier.group != file.group:
            raise InvalidArgumentError(
                f"{file.where}: {printable(file.path)} is of group {file.group!r}, in "
                f"{earlier.where} of {earlier.group!r}; wanted one"
            )
        if labels.kind == MULTI_LABEL and len(columns) < 2:
            names = tuple(sorted({*earlier.names, *file.names}))
            first[place] = replace(earlier, names=names)
        elif earlier.names != file.names:
            raise InvalidArgumentError(
                f"{file.where}: {printable(file.path)} is {'|'.join(file.names)!r}, in "
                f"{earlier.where} {'|'.join(earlier.names)!r}; wanted the same, or --kind "
                "multi-label where a file may have several labels"
            )
    if labels.kind == MULTI_CLASS:
        for file in first.values():
            if len(file.names) != 1:
                raise InvalidArgumentError(
                    f"{file.where}: {printable(file.path)} has the labels "
                    f"{'|'.join(file.names) or 'none'!r}; wanted one, or --kind multi-label"
                )
    files = list(first.values())
    if not files:
        raise InvalidArgumentError(
            "no file has a label; wanted some for each of two classes or more"
        )
    return replace(labels, files=files)
