"""A public model by name: brought, recorded, and made into a model file where it has to be."""

from __future__ import annotations

import datetime
import importlib.util
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import FetchError, InvalidArgumentError, ModelError, NotPublishedError
from ..files import sha256_of, write_json
from ..reading.catalogue import LICENCE, LICENCE_URL, MODELS, PublicModel, find_model
from ..reading.fetched import converted_file, model_folder
from ..reading.text_files import read_json_object
from .sources import SOURCES, ModelSource, RemoteFile, source_of

FROM_VARIABLE = "ESSENTIA_MAEST_FETCH_FROM"
"""Environment variable that names a mirror."""

LICENCE_WORDS = (
    f"The weights of the public MAEST models are licensed under {LICENCE} ({LICENCE_URL}): for "
    "non-commercial use, with attribution to their authors (Music Technology Group, Universitat "
    "Pompeu Fabra), and what is made from them under the same licence."
)

_RECORD = "fetched.json"
_EXTRA_MODULES = {"convert": "onnx", "torch": "torch"}


@dataclass(frozen=True)
class Fetched:
    """A model that is here.

    Parameters
    ----------
    model : PublicModel
    source : ModelSource
    path : Path
        What `convert` takes, or, where it runs as it is, what `Model` opens.
    labels : Path, optional
        The file of labels, where `path` has none.
    unpinned : tuple of str
        Files whose sha256 was not known beforehand and is recorded now.
    """

    model: PublicModel
    source: ModelSource
    path: Path
    labels: Path | None
    unpinned: tuple[str, ...]


def public_model(name: str) -> PublicModel:
    """Find a public model by any of its names.

    Raises
    ------
    InvalidArgumentError
        If none has this name.
    """
    model = find_model(name)
    if model is None:
        names = ", ".join(model.name for model in MODELS)
        raise InvalidArgumentError(f"{name!r} is no public MAEST model; wanted one of {names}")
    return model


def licence_accepted(model: PublicModel) -> bool:
    """Tell whether the licence was agreed to when the model was fetched before."""
    return bool(_read_record(model).get("licence_accepted"))


def fetch(
    model: PublicModel,
    *,
    accept_licence: bool,
    source: str | None = None,
    mirror: str | None = None,
    tell: Callable[[str], object] = lambda text: None,
    quiet: bool = True,
) -> Fetched:
    """Bring a public model, unless it is here already.

    Parameters
    ----------
    model : PublicModel
    accept_licence : bool
        Whether the user agrees to CC BY-NC-SA 4.0.
    source : {"essentia", "huggingface", "github"}, optional
        By default the first that has the model in a form that can be read here.
    mirror : str, optional
        Address of a host with the same paths, in place of the source's own; by default what
        ``ESSENTIA_MAEST_FETCH_FROM`` says.
    tell : callable
        Called with lines for the user.
    quiet : bool
        Show no progress.

    Returns
    -------
    Fetched

    Raises
    ------
    InvalidArgumentError
        If the licence is not agreed to, or the source is unknown.
    FetchError
        If it cannot be brought; what came is kept, and the next call goes on.
    ImportError
        If reading what the source has needs an extra of this package that is not installed.
    """
    if not accept_licence:
        raise InvalidArgumentError(f"{model.name} is not fetched: its licence is not agreed to")
    if source not in (None, *SOURCES):
        raise InvalidArgumentError(f"source {source!r}: wanted one of {', '.join(SOURCES)}")
    mirror = mirror or os.environ.get(FROM_VARIABLE)
    # Where it came from the last time, so that what is here needs no connection.
    last = _read_record(model).get("source")
    order = [source] if source else sorted(SOURCES, key=lambda name: name != last)
    reasons: list[str] = []
    for candidate in (source_of(model, name) for name in order):
        missing = None if candidate.runs else missing_extra(candidate.extras)
        if missing is not None:
            reasons.append(f"{candidate.name}: {missing}")
            if source:
                raise ImportError(missing)
            continue
        try:
            return _fetch_from(candidate, model, mirror, tell, quiet)
        except NotPublishedError as error:
            reasons.append(f"{candidate.name}: {error}")
            tell(f"{candidate.name} does not have {model.name} ({error})")
    raise FetchError(f"{model.name} was not found; " + "; ".join(reasons))


def missing_extra(extras: tuple[str, ...]) -> str | None:
    """Say which extra of this package is wanted and not installed; None if all are there."""
    for extra in extras:
        module = _EXTRA_MODULES[extra]
        if importlib.util.find_spec(module) is None:
            return f"reading it needs {module}: pip install 'essentia-maest[{extra}]'"
    return None


def convert_fetched(fetched: Fetched, precision: Literal["fp32", "int8"], **options: Any) -> Path:
    """Make a model file of a fetched model, in its folder.

    Parameters
    ----------
    fetched : Fetched
    precision : {"fp32", "int8"}
    **options
        Others of `essentia_maest.convert`.

    Returns
    -------
    Path
        The model file, which `Model` then finds by name.

    Raises
    ------
    ModelError, InvalidArgumentError, ImportError
        As `essentia_maest.convert`.
    """
    from ..making.conversion import convert

    target = converted_file(fetched.model, precision)
    return convert(
        fetched.path, target, precision=precision, labels=fetched.labels, license=LICENCE, **options
    )


def _fetch_from(
    source: ModelSource,
    model: PublicModel,
    mirror: str | None,
    tell: Callable[[str], object],
    quiet: bool,
) -> Fetched:
    folder = model_folder(model)
    record = _read_record(model)
    files: dict[str, Any] = dict(record.get("files") or {})
    unpinned = []
    for wanted in source.files:
        file = _bring_one(wanted, folder, mirror, files, quiet)
        if file is None:
            continue
        if file.sha256 is None and file.place not in files:
            unpinned.append(file.place)
        files[file.place] = _entry(file, folder, mirror)
        record = {
            "model": model.name,
            "source": source.name,
            "licence": LICENCE,
            "licence_accepted": record.get("licence_accepted") or _now(),
            "files": files,
        }
        _write_record(folder, record)
    path = folder / source.convertible
    if source.runs:
        _check_runs(path, folder, source)
    for place in unpinned:
        tell(
            f"{place}: its sha256 was not known beforehand; {files[place]['sha256']} is recorded "
            f"in {folder / _RECORD} and wanted from now on"
        )
    labels = None if source.labels is None else folder / source.labels
    return Fetched(model, source, path, labels, tuple(unpinned))


def _bring_one(
    file: RemoteFile, folder: Path, mirror: str | None, files: dict[str, Any], quiet: bool
) -> RemoteFile | None:
    """Bring a file, or what its source has instead; None if it has neither and none is needed."""
    from ..progress import ProgressDisplay
    from .download import Progress, download

    target = folder / file.place
    if file.instead is not None and not target.exists() and (folder / file.instead.place).exists():
        return _bring_one(file.instead, folder, mirror, files, quiet)
    recorded = files.get(file.place)
    expected = file.sha256 or (recorded["sha256"] if isinstance(recorded, dict) else None)
    try:
        with ProgressDisplay(f"fetching {target.name}", unit="bytes", silent=quiet) as display:

            def begin(total: int | None, have: int) -> None:
                if total is not None:
                    display.start(total)
                if have:
                    display.advance(have)

            progress = Progress(begin, display.advance)
            download(_address(file, mirror), target, expected, progress)
    except NotPublishedError:
        if file.instead is not None:
            return _bring_one(file.instead, folder, mirror, files, quiet)
        if file.needed:
            raise
        return None
    except FetchError as error:
        if not file.needed:
            return None
        if file.sha256 is None and expected is not None:
            raise FetchError(
                f"{error}. That sha256 is the one recorded when it was fetched first; remove "
                f"{folder / _RECORD} if the file was changed on purpose"
            ) from error
        raise
    return file


def _check_runs(path: Path, folder: Path, source: ModelSource) -> None:
    """Open the model once: an error page or a portal's login can come in its place."""
    from ..model import Model

    try:
        for file in source.files:
            if file.place.endswith(".json"):
                read_json_object(folder / file.place)
        Model(path, num_threads=1)
    except ModelError as error:
        for file in source.files:
            with suppress(OSError):
                (folder / file.place).unlink()
        with suppress(OSError):
            (folder / _RECORD).unlink()
        raise FetchError(
            f"what came is not the model that is wanted, and was removed: {error}"
        ) from error


def _address(file: RemoteFile, mirror: str | None) -> str:
    return (file.host if mirror is None else mirror.rstrip("/")) + file.path


def _entry(file: RemoteFile, folder: Path, mirror: str | None) -> dict[str, Any]:
    path = folder / file.place
    return {
        "from": _address(file, mirror),
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "known_beforehand": file.sha256 is not None,
    }


def _read_record(model: PublicModel) -> dict[str, Any]:
    path = model_folder(model) / _RECORD
    if not path.is_file():
        return {}
    try:
        return read_json_object(path)
    except ModelError as error:
        raise FetchError(f"{error}; remove this file, it is written anew") from error


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    try:
        write_json(folder / _RECORD, record)
    except OSError as error:
        raise FetchError(
            f"{folder / _RECORD}: cannot be written ({error.strerror or error})"
        ) from error


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
