"""Arrays and text in few letters, for a page."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import numpy.typing as npt

Packed = dict[str, str]

_KINDS = {"<f4": "f32", "|u1": "u8", "<u2": "u16", "<u4": "u32", "<i4": "i32"}


def packed_array(values: npt.NDArray[Any]) -> Packed:
    """Pack an array.

    Parameters
    ----------
    values : numpy.ndarray
        float32, uint8, uint16, uint32 or int32; its shape is not kept.

    Returns
    -------
    dict
        ``kind``, and ``data``: gzip, in base64.
    """
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {"kind": _KINDS[little.dtype.str], "data": _squeezed(little.tobytes())}


def packed_json(value: Any) -> Packed:
    """Pack what JSON can tell."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return {"kind": "json", "data": _squeezed(text.encode("utf-8", "backslashreplace"))}


def packed_text(text: str) -> Packed:
    """Pack text."""
    return {"kind": "text", "data": _squeezed(text.encode("utf-8"))}


def in_steps(values: npt.NDArray[Any], kind: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
    """Tell values between 0 and 1 in as many steps as an unsigned integer has; NaN is 0."""
    most = np.iinfo(kind).max
    steps: npt.NDArray[Any] = np.round(np.clip(np.nan_to_num(values), 0, 1) * most).astype(kind)
    return steps


def _squeezed(content: bytes) -> str:
    # No time of day in it: the same results give the same page.
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
