"""What a measurement means, in a word."""

from __future__ import annotations

from typing import Any

from .comparison import RATE

_LOST = 0.4
"""Of what a correlation lacks to 1: the share by which it may lack more than the best one."""

_CORRELATION_LOST = 0.02
_SECONDS_SHORT, _SECONDS_LONG = 0.06, 0.35
_EMPTY = 0.05  # correlation below which a signal has nothing to do with another
_GAINS = (0.6, 1.6)


def verdict(record: dict[str, Any]) -> str:
    """Judge what a decoder made of a file.

    Parameters
    ----------
    record : dict
        See `lab.formats.measuring.measure`.

    Returns
    -------
    str
        ``ok``, ``short``, ``long``, ``wrong``, ``refused``, ``crashed`` or ``hung``.
    """
    if record["outcome"] != "samples":
        return str(record["outcome"])
    # As long as the reference's is right too: cuts and joints need not be where they were asked.
    if abs(record.get("longer", RATE)) > _SECONDS_SHORT * RATE:
        if record["seconds"] < record["wanted"] - _SECONDS_SHORT:
            return "short"
        if record["seconds"] > record["wanted"] + _SECONDS_LONG:
            return "long"
    allowed = _CORRELATION_LOST + _LOST * (1 - record["best"])
    if record["best"] > _EMPTY and record["correlation"] < record["best"] - allowed:
        return "wrong"
    if record["best"] > _EMPTY and not _GAINS[0] < record["gain"] < _GAINS[1]:
        return "wrong"
    return "ok"
