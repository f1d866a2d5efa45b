"""What is remarkable about a track's sound, and whoever uses its results should know."""

from __future__ import annotations

from typing import Any

from ..front_end import SAMPLE_RATE
from .messages import Facts

SILENT_BELOW = 0.001
"""A track none of whose samples reaches this (-60 dB) is silent."""

SHORT_SECONDS = 1.0
"""A track shorter than this is short."""


def flags_of(facts: Facts) -> dict[str, Any]:
    """Tell what is remarkable about a track, as JSON has it.

    Parameters
    ----------
    facts : Facts
        What its decoder told.

    Returns
    -------
    dict
        ``"truncated"``: seconds ``found`` and ``promised``, where the file has less than it says;
        ``promised`` is None where it says so by its size alone.
        ``"damaged"``: in words, what was wrong. ``"silent"``: True where no sample of the
        whole track reaches `SILENT_BELOW`. ``"short"``: True below `SHORT_SECONDS`. Only what
        holds is there.
    """
    flags: dict[str, Any] = {}
    if facts.ending == "truncated":
        found = facts.samples / SAMPLE_RATE
        promised = None if facts.promised is None else round(facts.promised, 3)
        flags["truncated"] = {"found": round(found, 3), "promised": promised}
    if facts.damage is not None:
        flags["damaged"] = facts.damage
    if facts.peak < SILENT_BELOW:
        flags["silent"] = True
    if facts.samples < SHORT_SECONDS * SAMPLE_RATE:
        flags["short"] = True
    return flags


def why_failed(flags: dict[str, Any]) -> str | None:
    """Say why a track counts as failed where nothing less than whole files will do.

    Parameters
    ----------
    flags : dict
        As `flags_of` gave them.

    Returns
    -------
    str or None
        None if it does not.
    """
    reasons = []
    if "truncated" in flags:
        cut = flags["truncated"]
        of = "" if cut["promised"] is None else f" of {cut['promised']:g} s"
        reasons.append(f"truncated: {cut['found']:g} s{of} found")
    if "damaged" in flags:
        reasons.append(f"damaged: {flags['damaged']}")
    return "; ".join(reasons) or None


def columns_of_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """Spread flags over columns of the table of tracks.

    Parameters
    ----------
    flags : dict
        As `flags_of` gave them.

    Returns
    -------
    dict
        ``truncated``, ``seconds_promised``, ``damage``, ``silent``, ``short``.
    """
    return {
        "truncated": "truncated" in flags,
        "seconds_promised": flags.get("truncated", {}).get("promised"),
        "damage": flags.get("damaged"),
        "silent": "silent" in flags,
        "short": "short" in flags,
    }


def flags_of_columns(row: dict[str, Any]) -> dict[str, Any]:
    """Give back the flags of a row of the table of tracks."""
    flags: dict[str, Any] = {}
    if row["truncated"]:
        flags["truncated"] = {"found": row["seconds"], "promised": row["seconds_promised"]}
    if row["damage"] is not None:
        flags["damaged"] = row["damage"]
    flags.update({name: True for name in ("silent", "short") if row[name]})
    return flags
