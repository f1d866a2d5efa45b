"""Columns of people's tables brought to a few types; what does not fit is marked, row by row."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.data.ragged import offsets_of

Kind = Literal["text", "number", "texts", "numbers"]
TYPES = {
    "text": pa.string(),
    "number": pa.float64(),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.float64()),
}
WANTED = {
    "text": "text",
    "number": "numbers",
    "texts": "lists of texts, or text",
    "numbers": "lists of numbers, or text",
}
_SEPARATORS = "[;|]"
_NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def decode_text(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Read bytes as UTF-8.

    Returns
    -------
    texts : Arrow strings [rows]
        Null where the bytes are not UTF-8.
    bad : bool [rows]
        Where they are not.
    """
    bad = np.zeros(len(column), bool)
    try:
        return column.cast(pa.string()), bad
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        for row, value in enumerate(column.to_pylist()):
            try:
                texts.append(value.decode())
            except UnicodeDecodeError:
                texts.append(None)
                bad[row] = True
        return pa.chunked_array([pa.array(texts, pa.string())]), bad


def convert(column: pa.ChunkedArray, kind: Kind) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Bring a column to its kind.

    Text is stripped of white space, and empty text is null. Lists are lists, or text separated by
    ``;`` or ``|``; empty pieces are dropped.

    Returns
    -------
    values : Arrow array [rows]
        Of `TYPES`; null also for what is no number.
    bad : bool [rows]
        Rows with text that is no number.

    Raises
    ------
    pyarrow.ArrowException
        When the column's type cannot be that kind.
    """
    fine = np.zeros(len(column), bool)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    types = pa.types
    is_text = any(
        is_type(column.type)
        for is_type in (types.is_string, types.is_large_string, types.is_string_view)
    )
    if kind == "text":
        if not is_text and not pa.types.is_integer(column.type) and column.type != pa.null():
            raise pa.ArrowTypeError("not text")
        return _stripped(column.cast(pa.string())), fine
    if kind == "number":
        if not is_text:
            numbers = column.cast(pa.float64())
            return pc.if_else(pc.is_finite(numbers), numbers, None), fine
        return _parsed(_stripped(column.cast(pa.string())))
    lists = column
    if is_text:
        lists = pc.split_pattern_regex(_stripped(column.cast(pa.string())), _SEPARATORS)
    return _convert_lists(lists.cast(TYPES["texts"]) if is_text else lists, kind)


def _convert_lists(
    column: pa.ChunkedArray, kind: Kind
) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    if pa.types.is_null(column.type):
        column = column.cast(TYPES[kind])
    types = pa.types
    is_lists = any(
        is_type(column.type)
        for is_type in (types.is_list, types.is_large_list, types.is_fixed_size_list)
    )
    if not is_lists:
        raise pa.ArrowTypeError("not lists")
    lists = column.cast(pa.list_(column.type.value_type)).combine_chunks()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), np.int64)
    parents = np.repeat(np.arange(len(lists)), lengths)
    values, wrong = convert(
        pa.chunked_array([lists.flatten()]), "text" if kind == "texts" else "number"
    )
    bad = np.zeros(len(lists), bool)
    bad[parents[wrong]] = True
    # empty pieces, as in "rock;;pop", are dropped
    kept = np.asarray(pc.is_valid(values))
    offsets = offsets_of(np.bincount(parents[kept], minlength=len(lists)))
    flat = values.filter(pa.array(kept)).combine_chunks()
    made = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, mask=lists.is_null())
    return pa.chunked_array([made]), bad


def _stripped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    column = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(column, ""), None, column)


def _parsed(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Read text as numbers; what is no number becomes null and is marked."""
    fits = pc.fill_null(pc.match_substring_regex(column, _NUMBER), True)
    numbers = pc.if_else(fits, column, None).cast(pa.float64())
    return numbers, ~np.asarray(fits)
