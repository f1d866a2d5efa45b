"""Programs and packages that stand in for MMA, abc2midi, fluidsynth and their libraries."""

from __future__ import annotations

import sys
from pathlib import Path

_MMA = """#!/usr/bin/env python
import os, re, sys
from pathlib import Path
import mido
_, _, midi, chart = sys.argv
lines = Path(chart).read_text().splitlines()
style = Path(os.environ["MMA_HOME"], "lib", next(x for x in lines if x.startswith("Use "))[4:])
file = style.with_name(style.name + ".mma")
if not file.is_file() or style.name == "broken":
    sys.exit("Error: no such groove")
beats = int(re.search("time (.)", file.read_text().lower())[1])
tempo = int(next(x for x in lines if x.startswith("Tempo "))[6:])
track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
track.append(mido.Message("program_change", channel=0, program=24))
for bar in range(sum(x[:1].isdigit() for x in lines)):
    track.append(mido.Message("note_on", channel=0, note=60, velocity=90))
    track.append(mido.Message("note_off", channel=0, note=60, time=beats * 480))
mido.MidiFile(type=0, tracks=[track], ticks_per_beat=480).save(midi)
"""
_ABC2MIDI = """#!{python}
import re, sys
from pathlib import Path
import mido
text = Path(sys.argv[1]).read_text()
tempo, program = (int(re.search(x, text)[1]) for x in (r"Q:1/4=(\\d+)", r"program (\\d+)"))
track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
track.append(mido.Message("program_change", channel=0, program=program))
for _ in range(200):
    track.append(mido.Message("note_on", channel=0, note=67, velocity=90))
    track.append(mido.Message("note_off", channel=0, note=67, time=480))
mido.MidiFile(type=0, tracks=[track], ticks_per_beat=480).save(sys.argv[3])
"""
_FLUIDSYNTH = """#!{python}
import sys
import mido, numpy, soundfile
wave, font, midi = sys.argv[-3:]
rate = int(sys.argv[sys.argv.index("-r") + 1])
seconds = mido.MidiFile(midi).length
tone = numpy.sin(numpy.arange(int(rate * seconds)) * (0.1 if "Tim" in font else 0.2))
soundfile.write(wave, 0.2 * numpy.stack([tone, tone], 1), rate)
"""
_TUNE = """X:{number}
T:{title}
R:{kind}
M:{metre}
L:1/8
K:D
ABcd efga|fedc B4:|

"""


_CONTROL = "Package: some\nVersion: 3.1\n"


def make_programs(cache: Path, tools: Path) -> None:
    """Put MMA, abc2midi and the sound fonts into the cache, and fluidsynth into `tools`."""
    mma = cache / "debian" / "mma" / "usr"
    _write(mma / "bin" / "mma", _MMA)
    styles = {
        "stdlib/rock1": "Time 4\nTimeSig 4 4\nDefGroove Rock1 A beat.\n"
        "DefGroove Rock1End x\nDefGroove Rock1FillAB\n",
        "stdlib/rock2": "Time 4\nDefGroove Rock2\ndefgroove SlowCountry  not a count-in\n",
        "stdlib/slowrock": "Time 4\nDefGroove SlowRock\n",
        "casio/softrock": "TIME 4/4\nDefGroove Descending\n",
        "casio/unknown": "Time 6\nTimesig 6/8\nDefGroove Unknown\n",
        "casio/broken": "Time 3\nDefGroove Broken\n",
        "casio/onlyintro": "Time 4\nDefGroove SomeIntro8\n",
        "zoom/rock": "Time 4\nDefGroove ROCK01\n",
    }
    for name, text in styles.items():
        _write(mma / "share" / "mma" / "lib" / f"{name}.mma", text)
    _program(cache / "debian" / "abcmidi" / "usr" / "bin" / "abc2midi", _ABC2MIDI)
    for package in ("mma", "abcmidi"):
        _write(cache / "debian" / package / "DEBIAN" / "control", _CONTROL)
    _program(tools / "fluidsynth", _FLUIDSYNTH)
    corpus = cache / "python" / "music21==10.5.1" / "music21" / "corpus"
    _write(
        corpus / "ryansMammoth" / "a.abc",
        "".join(
            _TUNE.format(number=number, title=f"Tune {number} -- Reel", kind="reel", metre="C|")
            for number in range(1, 7)
        ),
    )
    _write(
        corpus / "oneills1850" / "b.abc",
        _TUNE.format(number=7, title="The Tune 3", kind="Reel", metre="2/4")
        + _TUNE.format(number=8, title="Quick", kind="slipjig", metre="9/8")
        + _TUNE.format(number=9, title="Sweet", kind="air", metre="3/4"),
    )


def make_fonts(cache: Path, fonts: dict[str, str]) -> None:
    """Put empty sound fonts, package -> path, into the cache."""
    for package, path in fonts.items():
        _write(cache / "debian" / package / path, "")
        _write(cache / "debian" / package / "DEBIAN" / "control", _CONTROL)


def _program(path: Path, text: str) -> None:
    _write(path, text.replace("{python}", sys.executable))
    path.chmod(0o755)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
