"""Traditional dance tunes: the ABC collections in music21's corpus, played by abc2midi.

Two books in the public domain are used: Ryan's Mammoth Collection (1883) and O'Neill's Music of
Ireland (1903).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lab.corpus.packages import debian_package, python_package
from lab.corpus.programs import run_program
from training.errors import DataError

MUSIC21 = "music21==10.5.1"
_BOOKS = ("ryansMammoth", "oneills1850")
_RHYTHMS = {
    "reel": "reel",
    "hornpipe": "hornpipe",
    "jig": "jig",
    "double jig": "jig",
    "slip jig": "slip jig",
    "slipjig": "slip jig",
    "strathspey": "strathspey",
}
# Kind of tune -> quarter notes a minute; a jig's beat is of three eighths.
_TEMPI = {
    "reel": (160, 216),
    "hornpipe": (130, 176),
    "jig": (150, 192),
    "slip jig": (150, 192),
    "strathspey": (110, 150),
}
_NOT_IN_TITLES = re.compile(r"\b(reel|hornpipe|jig|strathspey|the|a|an|set)\b|[^a-z0-9 ]")
_SECONDS_ALLOWED = 30


@dataclass(frozen=True)
class Tune:
    """A tune of a book.

    Parameters
    ----------
    identity : str
        Book and file, and the tune's number in it.
    work : str
        The title without accidents of spelling: settings of one tune share it.
    kind : str
        Reel, hornpipe, jig, slip jig or strathspey.
    metre : str
        As written, for instance ``6/8`` or ``C|``.
    text : str
        In ABC.
    """

    identity: str
    work: str
    kind: str
    metre: str
    text: str


def read_tunes(cache: Path) -> list[Tune]:
    """Read the tunes of the books whose kind is known.

    Parameters
    ----------
    cache : path
        Where packages are kept.

    Returns
    -------
    list of Tune
        Sorted by identity.

    Raises
    ------
    DataError
        The package cannot be had or has no tunes.
    """
    corpus = python_package(MUSIC21, cache) / "music21" / "corpus"
    tunes: list[Tune] = []
    for book in _BOOKS:
        for path in sorted((corpus / book).glob("*.abc")):
            text = path.read_text(encoding="latin-1").replace("\r\n", "\n")
            tunes += split_tunes(text, f"{book}/{path.stem}")
    if not tunes:
        raise DataError(f"{MUSIC21} has no tunes below {corpus}")
    return tunes


def split_tunes(text: str, name: str) -> list[Tune]:
    """Split a file in ABC into its tunes; those of other kinds are left out.

    Parameters
    ----------
    text : str
    name : str
        What the tunes' identities begin with.

    Returns
    -------
    list of Tune
    """
    tunes = []
    for part in re.split(r"^(?=X:)", text, flags=re.MULTILINE)[1:]:
        body = part.split("\n\n")[0].strip()
        fields = dict(
            re.findall(r"^([XTRMK]):[ \t]*(\S.*?)\s*$", _first_fields(body), re.MULTILINE)
        )
        kind = _RHYTHMS.get(fields.get("R", "").lower())
        if kind is None or not {"X", "T", "M", "K"} <= fields.keys():
            continue
        words = " ".join(_NOT_IN_TITLES.sub(" ", fields["T"].lower().split("--")[0]).split())
        tunes.append(
            Tune(
                identity=f"{name}-{fields['X'].split()[0]}",
                work=words or name,
                kind=kind,
                metre=fields["M"],
                text=body + "\n",
            )
        )
    return tunes


def tempo_range(tune: Tune) -> tuple[int, int]:
    """Give the slowest and fastest tempo that fits a tune, in quarter notes a minute."""
    slow, fast = _TEMPI[tune.kind]
    # reels in 2/4 are written in notes of half the length
    return (slow // 2, fast // 2) if tune.metre == "2/4" else (slow, fast)


def with_tempo(tune: Tune, tempo: int, program: int) -> str:
    """Write a tune in ABC with a tempo and an instrument, twice over.

    Parameters
    ----------
    tune : Tune
    tempo : int
        Quarter notes a minute.
    program : int
        Of General MIDI, 0-based.

    Returns
    -------
    str
    """
    header, key, body = re.split(r"^(K:.*\n)", tune.text, maxsplit=1, flags=re.MULTILINE)
    header = re.sub(r"^Q:.*\n", "", header, flags=re.MULTILINE)
    body = body.rstrip() + "\n"
    return f"{header}Q:1/4={tempo}\n{key}%%MIDI program {program}\n{body}{body}"


def play_tune(abc: str, midi: Path, cache: Path) -> None:
    """Turn a tune into a MIDI file.

    Parameters
    ----------
    abc : str
        One tune.
    midi : path
        The file to write.
    cache : path
        Where packages are kept.

    Raises
    ------
    DataError
        abc2midi refuses it; its own words.
    """
    program = debian_package("abcmidi", cache) / "usr" / "bin" / "abc2midi"
    source = midi.with_suffix(".abc")
    source.write_text(abc, encoding="latin-1")
    run_program(
        "abc2midi",
        [str(program), str(source), "-o", str(midi), "-silent"],
        seconds=_SECONDS_ALLOWED,
        task="a tune",
        makes=midi,
        any_code=True,
    )


def _first_fields(body: str) -> str:
    """Keep the lines up to the key, each field once: a second title is an alias."""
    kept: dict[str, str] = {}
    for line in body.split("\n"):
        if len(line) > 1 and line[1] == ":":
            kept.setdefault(line[0], line)
        if line.startswith("K:"):
            break
    return "\n".join(kept.values())
