"""What a MIDI file plays: instruments heard, and notes added to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import mido  # type: ignore[import-untyped]

from training.errors import DataError

DRUM_CHANNEL = 9
DRUMS = "drums"

_HEARD_SECONDS = 3.0
_HEARD_STROKES = 8

# General MIDI's programs, first to last, 0-based. Sound effects are no instrument.
_FAMILIES: tuple[tuple[int, int, str], ...] = (
    (0, 7, "piano"),
    (8, 15, "mallets and bells"),
    (16, 20, "organ"),
    (21, 23, "accordion and harmonica"),
    (24, 25, "acoustic guitar"),
    (26, 28, "electric guitar"),
    (29, 31, "distorted guitar"),
    (32, 39, "bass"),
    (40, 45, "strings"),
    (46, 46, "harp"),
    (48, 51, "strings"),
    (52, 54, "choir"),
    (56, 63, "brass"),
    (64, 67, "saxophone"),
    (68, 71, "clarinet and oboe"),
    (72, 79, "flute"),
    (80, 87, "synthesizer lead"),
    (88, 95, "synthesizer pad"),
    (104, 108, "plucked folk"),
    (109, 109, "bagpipe"),
    (110, 110, "strings"),
)

_BY_PROGRAM = {
    program: family for first, last, family in _FAMILIES for program in range(first, last + 1)
}


def read_midi(path: Path) -> mido.MidiFile:
    """Read a MIDI file.

    Raises
    ------
    DataError
        It is none, or is damaged.
    """
    try:
        # what some writers put out of range is clipped, as synthesizers do
        return mido.MidiFile(path, clip=True)
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"{path} cannot be read as MIDI: {error!r}") from error


def instruments_heard(midi: mido.MidiFile, seconds: float) -> tuple[str, ...]:
    """Name the instrument families that are heard at the beginning of a piece.

    Parameters
    ----------
    midi : mido.MidiFile
    seconds : float
        How much of it counts.

    Returns
    -------
    tuple of str
        Sorted families; a family counts when its notes last 3 s in all (drums: eight strokes).
    """
    program: dict[int, int] = defaultdict(int)
    sounding: dict[tuple[int, int], tuple[float, str]] = {}
    lasted: dict[str, float] = defaultdict(float)
    strokes = 0
    now = 0.0
    # a new object: mido keeps what it merged before parts were added
    played = mido.MidiFile(
        type=midi.type, ticks_per_beat=midi.ticks_per_beat, tracks=list(midi.tracks)
    )
    for message in played:
        now += message.time
        if now >= seconds:
            break
        if message.type == "program_change":
            program[message.channel] = message.program
        if message.type not in ("note_on", "note_off"):
            continue
        key = (message.channel, message.note)
        if key in sounding:
            began, family = sounding.pop(key)
            lasted[family] += now - began
        if message.type == "note_on" and message.velocity:
            if message.channel == DRUM_CHANNEL:
                strokes += 1
                continue
            found = _BY_PROGRAM.get(program[message.channel])
            if found is not None:
                sounding[key] = (now, found)
    for began, family in sounding.values():
        lasted[family] += seconds - began
    heard = {family for family, length in lasted.items() if length >= _HEARD_SECONDS}
    if strokes >= _HEARD_STROKES:
        heard.add(DRUMS)
    return tuple(sorted(heard))


def end_hanging_notes(midi: mido.MidiFile) -> None:
    """End the notes that a piece begins and never ends: a synthesizer would play them for ever.

    Parameters
    ----------
    midi : mido.MidiFile
        Changed in place: what hangs ends with its track. Left as it is when nothing hangs.
    """
    for track in midi.tracks:
        hanging: dict[tuple[int, int], None] = {}
        for message in track:
            if message.type == "note_on" and message.velocity:
                hanging[message.channel, message.note] = None
            elif message.type in ("note_on", "note_off"):
                hanging.pop((message.channel, message.note), None)
        if not hanging:
            continue
        # a track's end comes last, wherever its writer put it
        last = track.pop() if track[-1].type == "end_of_track" else None
        wait = last.time if last is not None else 0
        for channel, note in hanging:
            track.append(mido.Message("note_off", channel=channel, note=note, time=wait))
            wait = 0
        track.append(mido.MetaMessage("end_of_track", time=0))


def add_part(
    midi: mido.MidiFile, program: int, notes: Iterable[tuple[float, float, int, int]]
) -> None:
    """Add an instrument's part to a piece, in a channel that is free.

    Parameters
    ----------
    midi : mido.MidiFile
        Changed in place. Left as it is when no channel is free.
    program : int
        Of General MIDI, 0 to 127.
    notes : iterable of (start, length, pitch, velocity)
        Start and length in beats.
    """
    used = {
        message.channel
        for track in midi.tracks
        for message in track
        if not message.is_meta and hasattr(message, "channel")
    }
    free = [channel for channel in range(16) if channel not in used | {DRUM_CHANNEL}]
    if not free:
        return
    channel = free[0]
    events = []
    for start, length, pitch, velocity in notes:
        begin = round(start * midi.ticks_per_beat)
        end = max(begin + 1, round((start + length) * midi.ticks_per_beat))
        events.append((begin, 1, pitch, velocity))
        events.append((end, 0, pitch, 0))
    track = mido.MidiTrack()
    track.append(mido.Message("program_change", channel=channel, program=program, time=0))
    now = 0
    for tick, on, pitch, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        track.append(
            mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now)
        )
        now = tick
    midi.type = 1  # several tracks, played together
    midi.tracks.append(track)


def double_part(midi: mido.MidiFile, program: int, octaves: int) -> None:
    """Let a second instrument play along with the one of a piece for one instrument.

    Parameters
    ----------
    midi : mido.MidiFile
        Changed in place.
    program : int
        The second instrument's.
    octaves : int
        How much higher it plays; notes that leave MIDI's range are left out.
    """
    notes = []
    for track in midi.tracks:
        now = 0
        sounding: dict[int, tuple[int, int]] = {}
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            if message.note in sounding:
                began, velocity = sounding.pop(message.note)
                pitch = message.note + 12 * octaves
                if 0 <= pitch <= 127:
                    beat = midi.ticks_per_beat
                    notes.append((began / beat, (now - began) / beat, pitch, velocity))
            if message.type == "note_on" and message.velocity:
                sounding[message.note] = (now, message.velocity)
    add_part(midi, program, notes)
