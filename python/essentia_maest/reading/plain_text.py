"""Text of others that is shown on a terminal: labels, licences, names, error messages."""

from __future__ import annotations

import unicodedata

# Control characters, lone surrogates, line and paragraph separators.
_NOT_PLAIN = {"Cc", "Cs", "Zl", "Zp"}
# They turn the direction of the text that follows, also of what we write ourselves.
_TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def is_plain(text: str) -> bool:
    """Tell whether a text is one line without anything that a terminal obeys."""
    return all(map(_is_plain_character, text))


def printable(text: str, *, keep: str = "") -> str:
    """Spell a text so that a terminal shows it and obeys nothing in it.

    Parameters
    ----------
    text : str
    keep : str
        Characters to leave as they are, such as a line break.

    Returns
    -------
    str
        What cannot be printed is written as backslash escapes.
    """
    return "".join(
        character if character in keep or _is_plain_character(character) else ascii(character)[1:-1]
        for character in text
    )


def _is_plain_character(character: str) -> bool:
    return unicodedata.category(character) not in _NOT_PLAIN and ord(character) not in _TURNING
