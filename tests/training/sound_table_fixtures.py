"""A small collection of sound files with a tracks table, and what its data sets are compared by."""

from dataclasses import replace

import pyarrow as pa
import soundfile

from audio_fixtures import music
from spectrogram_fixtures import make_tracks
from training.data.tracks import Tracks, write_tracks

OPTIONS = {"seconds": 1.0, "shortest_seconds": 0.5, "shard_tracks": 8, "workers": 1}


def with_column(tracks, name, values):
    """The same tracks with other values in a column."""
    field = tracks.table.schema.field(name)
    place = tracks.table.schema.get_field_index(name)
    table = tracks.table.set_column(place, field, pa.array(values, field.type))
    return Tracks(table, tracks.classes, tracks.folder)


def write_table(folder, paths):
    """A tracks table of these audio files, given relative to the folder."""
    tracks = replace(make_tracks(tracks=len(paths), classes=4, seed=0), folder=folder)
    write_tracks(with_column(tracks, "path", paths), folder / "tracks.parquet")
    return folder / "tracks.parquet"


def write_wav(path, seconds, seed=0):
    """A mono file at 16 kHz, which decoding does not change."""
    soundfile.write(path, music(seconds, 16000, 1, seed), 16000, subtype="FLOAT")


def make_collection(folder):
    """36 sound files of 0.6 to 1.6 s, five shards with `OPTIONS`; returns the table."""
    for i in range(36):
        write_wav(folder / f"{i}.wav", 0.6 + (i % 11) / 10, seed=i)
    return write_table(folder, [f"{i}.wav" for i in range(36)])


def contents(folder):
    """All files of a data set but the lock, which is empty."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != ".lock"
    }
