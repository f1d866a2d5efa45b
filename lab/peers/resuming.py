"""What an interrupted measurement left, to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import essentia_maest
from lab.peers.definitions import Study


class ResumeError(ValueError):
    """What was measured before does not belong to what is asked for now."""


def measured_before(path: Path, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the studies that a file has.

    Parameters
    ----------
    path : Path
        ``peers.json``; there need not be any.
    results : mapping
        What is to be measured now: its machine, versions, size and rounds must be those of the
        file, so that one page never mixes two machines.

    Returns
    -------
    list of dict

    Raises
    ------
    ResumeError
        If they are others, or the file is no such file; the message names both.
    """
    if not path.exists():
        return []
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        differences = [
            f"{name} is {wanted}, in the file {found}"
            for (name, wanted), (_, found) in zip(_kind(results), _kind(before), strict=True)
            if wanted != found
        ]
        studies: list[dict[str, Any]] = before["studies"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResumeError(f"{path} holds no measurement to go on with: {error!r}") from error
    if differences:
        raise ResumeError(f"{path} is of another measurement: {'; '.join(differences)}")
    return studies


def has_all(before: Mapping[str, Any], study: Study) -> bool:
    """Tell whether a study of the file has what this one asks for: threads, peers and cases.

    A peer that could not be measured is not tried again.
    """
    found = {(row["peer"], row["case"], row["minutes"]) for row in before["rows"]}
    wanted = {(peer.name, case.name, case.minutes) for peer in study.peers for case in peer.cases}
    return before["threads"] == study.threads and wanted <= found


def with_peers_of(before: Mapping[str, Any], study: Study, whole: Study) -> Study:
    """Add to a study the peers that the file has of it, for all are measured in turn.

    Parameters
    ----------
    before : mapping
        Of the file.
    study : Study
        What is asked for now.
    whole : Study
        With all of its peers.
    """
    names = {peer["name"] for peer in before["peers"]} | {peer.name for peer in study.peers}
    return replace(whole, peers=tuple(peer for peer in whole.peers if peer.name in names))


def engine_digest() -> str:
    """Name the engine's code: versions do not change with every build."""
    digest = hashlib.sha256()
    package = Path(essentia_maest.__file__).parent
    for path in sorted([*package.rglob("*.py"), Path(essentia_maest._core.__file__)]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _kind(results: Mapping[str, Any]) -> list[tuple[str, Any]]:
    machine = results["machine"]
    return [
        ("the machine", machine["description"].rpartition("; load")[0]),
        ("the software", machine["versions"]),
        ("the engine", machine["engine"]),
        ("the network", results["size"]),
        ("the number of rounds", results["rounds"]),
    ]
