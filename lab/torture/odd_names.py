"""File names of every kind that a disk can hold."""

from __future__ import annotations

import os
import random
import unicodedata
from pathlib import Path

LONGEST = 255

_PLAIN = (
    b"with space", b" leading", b"trailing ", b"-dash", b"--output", b"~tilde", b"$HOME", b"`id`",
    b"$(id)", b"a;b", b"a|b", b"a&b", b"a'b", b'a"b', b"a\\b", b"a\nb", b"a\rb", b"a\tb", b"\x07",
    b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"%s%n%d", b"{0}", b"100%", b"a:b", b"a*b?",
    b"[ab]", b"#hash", b"!bang", b"a,b", b"a=b", b"@at", b"dots...", b"...", b".hidden",
    b"._apple", b"con", b"nul", b"summary", b"SUMMARY", b"summary.json", b"x.json", b"part.x",
    b"x.predictions.npy", b".maest-x", b"\xff\xfe", b"caf\xe9", b"\x80" * 20, b"\xc3\x28",
    b"\xed\xa0\x80", b"e\xcc\x81", b"\xc3\xa9", b"\xe2\x80\xae3pm.gnos", b"\xe2\x80\x8bzero",
    b"\xef\xbb\xbfbom", b"\xf0\x9f\x8e\xb5", b"\xe9\x9f\xb3\xe6\xa5\xbd",
    b"\xd9\x85\xd9\x88\xd8\xb3", b"stra\xc3\x9fe", b"STRASSE", b"a", b"A",
    b"\xc4\xb0", b"i\xcc\x87", b"0", b"x" * 251,
    b"y" * 230 + b"\xc3\xa9" * 10, b"\xe9" * 251,
)  # fmt: skip


def odd_names(chance: random.Random, count: int, longest: int) -> list[bytes]:
    """Give names that differ, the known ones first, then any bytes.

    Parameters
    ----------
    chance : random.Random
        What the others are made with.
    count : int
        How many.
    longest : int
        Bytes of a name at the most; some have that many.

    Returns
    -------
    list of bytes
        Without a slash or a zero.
    """
    names = dict.fromkeys(one[:longest] for one in _PLAIN)
    while len(names) < count:
        length = chance.choice((1, 3, 12, 80, longest))
        if chance.random() < 0.5:
            letters = bytes(chance.choice(range(1, 256)) for _ in range(length))
        else:
            letters = _letters(chance, length)
        names[letters.replace(b"/", b"_")] = None
    return list(names)[:count]


def odd_folders(top: Path) -> list[bytes]:
    """Make folders as odd as the names.

    Parameters
    ----------
    top : Path
        Where they go.

    Returns
    -------
    list of bytes
        Their paths; the last is as deep as a path may be long.
    """
    found = []
    for name in (b"summary.json", b"summary", b"x.mp3", b"\xff", b"a\nb", b"\x1b[2J", b"-o"):
        found.append(os.path.join(os.fsencode(top), name))
        os.mkdir(found[-1])
    deep = os.path.join(os.fsencode(top), b"deep")
    while len(deep) < 3000:
        deep = os.path.join(deep, b"d" * 200)
    os.makedirs(deep)
    (top / "loop").symlink_to(".")
    (top / "loop 2").symlink_to("loop 2")
    return [*found, deep]


def _letters(chance: random.Random, length: int) -> bytes:
    """Give text of any script, of at most so many bytes, whole or not in its normal form."""
    text = ""
    while len(text.encode()) < length:
        letter = chr(
            chance.choice((chance.randrange(0x20, 0x3000), chance.randrange(0x1F000, 0x1FAFF)))
        )
        if unicodedata.category(letter) not in ("Cs", "Cn"):
            text += letter
    text = unicodedata.normalize(chance.choice(("NFC", "NFD")), text)
    return text.encode()[:length].decode(errors="ignore").encode() or b"_"
