"""Rows of a track, packed: what comes out is what went in, and parts are the same everywhere."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest

import essentia_maest as maest
from essentia_maest import Model
from essentia_maest.collection import encoding_process, packed_rows
from essentia_maest.collection.encoding_process import EncodingProcess
from essentia_maest.collection.packed_rows import PackedLabels, PackedRows, unpacked
from essentia_maest.collection.part_making import PartToMake
from essentia_maest.collection.rows_memory import RowsMemory, Stored, fetch
from essentia_maest.collection.track_rows import TrackRows
from essentia_maest.results.columns import TRACKS, Vectors, is_vector
from table_runs import run, table, write_music
from untrained import UNTRAINED

VECTORS = Vectors(64, 8)
LABELS = [{"family": None, "label": f"tag {number}", "activation": 0.5} for number in range(3)]


def track_rows(number: int, segments: int = 3) -> TrackRows:
    generator = np.random.default_rng(number)
    values = {column.name: None for column in TRACKS if not is_vector(column)}
    values |= {"root": "/music", "path": f"{number}.flac", "audio_hash": "00", "top": LABELS}
    values |= dict.fromkeys(("decoder", "container", "codec"), "flac")
    values |= dict.fromkeys(("decode_seconds", "model_seconds"), 0.5)
    values |= {"size": 1, "mtime": 1, "seconds": 30.0, "segments": segments}
    values |= dict.fromkeys(("truncated", "silent", "short"), False)
    sizes = {"embedding": 64, "predictions": 8}
    return TrackRows(
        values,
        {name: generator.random(size, np.float32) for name, size in sizes.items()},
        {"start": [10.0 * one for one in range(segments)], "seconds": [10.0] * segments},
        {name: generator.random((segments, size), np.float32) for name, size in sizes.items()},
    )


def test_rows_come_back():
    rows = track_rows(1)
    packed = pickle.loads(pickle.dumps(PackedRows.of(rows)))  # as other processes send it
    back = unpacked(packed.content)
    assert back.values == rows.values
    assert back.segments == rows.segments
    for name in rows.vectors:
        np.testing.assert_array_equal(back.vectors[name], rows.vectors[name])
        np.testing.assert_array_equal(back.segment_vectors[name], rows.segment_vectors[name])
    assert packed.bytes == rows.bytes
    assert list(packed.labels) == [packed.labels[0], *packed.labels[1:]] == LABELS
    assert packed.labels[:1] == LABELS[:1]
    assert len(PackedLabels([])) == 0


def test_large_rows_are_left_in_memory_whose_slots_are_used_again():
    memory = RowsMemory()
    small, large = (PackedRows.of(track_rows(1, segments)) for segments in (3, 100))
    assert small.stored(memory.descriptor, memory.take()) is small
    slots = [memory.take(), memory.take()]
    left = [large.stored(memory.descriptor, slot) for slot in slots]
    assert [one.slot for one in left] == slots == [1, 2]
    assert len(pickle.dumps(left[0])) < 1000
    for one in left:
        assert fetch(memory.descriptor, one.content) == large.content
    memory.give_back(slots[0])
    assert memory.take() == slots[0]
    with pytest.raises(EOFError, match=r"0 of \d+ bytes"):
        fetch(memory.descriptor, Stored(99, len(large.content)))
    descriptor = memory.descriptor
    memory.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
    assert large.stored(descriptor, 0) is large  # nowhere to go
    assert memory.take() is None


def test_half_the_precision_is_made_where_rows_are(tmp_path):
    music = write_music(tmp_path / "music")
    model = Model(UNTRAINED, num_threads=1)
    for kind in ("float32", "float16"):
        run(model, music, tmp_path / kind, sink={"embeddings": kind}, workers=2, threads=2)
    exact, half = (maest.open_results(tmp_path / kind) for kind in ("float32", "float16"))
    values = [found.embeddings()[0][np.argsort(found.ids)] for found in (exact, half)]
    np.testing.assert_array_equal(*(one.astype(np.float16) for one in values))


def part(count: int, memory: RowsMemory) -> tuple[PartToMake, list[PackedRows]]:
    """Every other track has more segments, and lies in memory."""
    packed = [PackedRows.of(track_rows(number, 3 + 97 * (number % 2))) for number in range(count)]
    packed = [one.stored(memory.descriptor, memory.take()) for one in packed]
    told = {"of": "tracks"}, {"of": "segments"}
    return PartToMake([one.id for one in packed], VECTORS, *told, memory.descriptor), packed


def test_parts_are_the_same_wherever_they_are_made():
    memory = RowsMemory()
    make, packed = part(20, memory)
    contents = [one.content for one in packed]
    assert {type(content) for content in contents} == {bytes, Stored}
    here = make(contents)
    tracks, segments = (pq.read_table(io.BytesIO(content)) for content in here)
    assert tracks["id"].to_pylist() == [one.id for one in packed]
    wanted = [one.id for n, one in enumerate(packed) for _ in range(3 + 97 * (n % 2))]
    assert segments["track"].to_pylist() == wanted
    row = segments["embedding"][3 * 103 + 3 + 42].as_py()  # of the eighth track
    np.testing.assert_array_equal(
        np.array(row, np.float32), track_rows(7, 100).segment_vectors["embedding"][42]
    )
    encoding = EncodingProcess(1000, memory)
    assert encoding.encode_part(make, contents, 999) == tuple(here)
    assert encoding._process is None
    assert encoding.encode_part(make, contents, 1000) == tuple(here)
    process = encoding._process._process
    assert encoding.encode_part(make, contents, 999) == tuple(here)  # it is there by now
    process.kill()
    assert encoding.encode_part(make, contents, 1000) == tuple(here)
    assert encoding._process is None
    assert process.returncode is not None


def test_a_process_that_dies_between_files_costs_nothing(monkeypatch):
    memory = RowsMemory()
    make, packed = part(3, memory)
    contents = [one.content for one in packed]
    real = encoding_process.WorkerProcess.receive

    def dying(self):
        message = real(self)
        if isinstance(message, encoding_process._Made):
            self._process.kill()
            self._process.wait()
            raise EOFError
        return message

    monkeypatch.setattr(encoding_process.WorkerProcess, "receive", dying)
    encoding = EncodingProcess(0, memory)
    assert encoding.encode_part(make, contents, 1) == tuple(make(contents))
    assert encoding._process is None


def test_rows_that_fit_nothing_are_refused():
    make, packed = part(2, RowsMemory())
    with pytest.raises(ValueError, match=r"zip\(\)"):
        make([packed[0].content])


def test_without_such_memory_all_is_sent(monkeypatch):
    memory = RowsMemory()
    make, packed = part(4, memory)
    wanted = make([one.content for one in packed])
    monkeypatch.delattr(os, "memfd_create")
    assert RowsMemory().take() is RowsMemory(False).take() is None
    encoding = EncodingProcess(0, memory)
    assert encoding.encode_part(make, [one.content for one in packed], 1) == tuple(wanted)
    assert encoding._process is not None
    encoding.close()


def test_tracks_whose_ids_would_be_the_same_have_others(tmp_path, monkeypatch):
    # As by a hash of 64 bits once in a very large library.
    monkeypatch.setattr(packed_rows, "id_of", lambda values, taken: 7)
    music = write_music(tmp_path / "music")
    run(Model(UNTRAINED, num_threads=1), music, tmp_path / "out", workers=1)
    ids = table(tmp_path / "out")["id"]
    assert len(set(ids)) == 4
    assert 7 in ids
    assert set(table(tmp_path / "out", "segments")["track"]) == set(ids)
