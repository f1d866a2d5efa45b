"""Samples come through shared memory, in bounded memory; what dies or hangs costs one track."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import Endless, Told, open_or_misbehave, short_limit, write_audio
from essentia_maest import AudioFile, load_audio
from essentia_maest.collection import decoding_pool
from essentia_maest.collection.arriving import Arriving
from essentia_maest.collection.decoding_pool import DecodingPool
from essentia_maest.collection.messages import Long, Over
from essentia_maest.collection.scan import Track
from essentia_maest.collection.shared_memory import make_memory, map_memory, ring_parts
from essentia_maest.collection.worker_processes import time_limit
from essentia_maest.spread import Spread
from worker_helpers import worker_pids


@pytest.fixture(params=["shared", "sent"])
def way(request, monkeypatch) -> str:
    """Shared memory, or samples in messages where there is none; a small window, to go round it."""
    monkeypatch.setattr(decoding_pool, "WINDOW_SAMPLES", 30_000)
    monkeypatch.setattr(decoding_pool, "PIECE_SAMPLES", 8_000)
    if request.param == "sent":
        monkeypatch.setattr(decoding_pool, "make_memory", lambda _: None)
    return request.param


def drain(
    tracks: list[Track], pool: DecodingPool, longest: float | None = None, spread=None
) -> Iterator[tuple[Arriving, np.ndarray]]:
    """Decode tracks, hearing at once whatever comes."""
    waiting, active = list(tracks), {}
    while waiting or active:
        pool.start(len(waiting))
        while waiting and pool.has_room:
            active[pool.decode(waiting.pop(0), longest, spread)] = []
        for arriving in pool.wait():
            if arriving not in active:
                continue
            if arriving.start_over:
                arriving.begin_again()
                active[arriving].clear()
            else:
                samples, parts = arriving.parts(1 << 30)
                active[arriving] += [part.copy() for part in parts]
                arriving.heard = samples
            pool.heard(arriving)
            if arriving.over is not None:
                pieces = active.pop(arriving)
                pool.release(arriving)
                yield arriving, np.concatenate([np.zeros(0, np.float32), *pieces])


def decode_all(paths, workers=1, open_audio=AudioFile, limit=time_limit, **more):
    tracks = [Track(str(path), path.name) for path in paths]
    with DecodingPool(workers, workers + 1, open_audio, limit) as pool:
        found = {one.track.result: (one, samples) for one, samples in drain(tracks, pool, **more)}
    assert len(found) == len(paths)
    assert worker_pids() == []
    return found


def reason(arriving: Arriving) -> str:
    assert isinstance(arriving.over, Over)
    assert arriving.over.failure is not None
    return arriving.over.failure.reason


def test_samples_are_those_of_load_audio(tmp_path, way):
    paths = [write_audio(tmp_path / f"{rate}.flac", 7.3, rate) for rate in (16000, 44100, 48000)]
    for name, (arriving, samples) in decode_all(paths, 2).items():
        np.testing.assert_array_equal(samples, load_audio(tmp_path / name))
        facts = arriving.over.facts
        assert (facts.samples, facts.ending) == (len(samples), "complete")
        assert (facts.container, facts.codec) == ("flac", "flac")
        assert facts.peak == np.abs(samples).max()


@pytest.mark.slow
def test_processes_that_die_or_hang_cost_one_track(tmp_path, way):
    names = ["exits.wav", "a.flac", "segfaults.wav", "b.ogg", "hangs.wav", "raises.wav"]
    names += ["segfaults-at-once.wav", "raises-at-once.wav"]
    paths = [write_audio(tmp_path / name, 4.0, seed=seed) for seed, name in enumerate(names)]
    (tmp_path / "bad.mp3").write_bytes(b"words, no music" * 99)
    found = decode_all([*paths, tmp_path / "bad.mp3"], 2, open_or_misbehave, short_limit)
    crashes = {name: reason(found[name][0]) for name in names if not name.startswith(("a", "b"))}
    assert crashes == {
        "exits.wav": "the decoder crashed (exit status 3)",
        "segfaults.wav": "the decoder crashed (SIGSEGV)",
        "segfaults-at-once.wav": "the decoder crashed (SIGSEGV)",
        "hangs.wav": "decoding took longer than 4 s",
        "raises.wav": "RuntimeError: strange decoder",
        "raises-at-once.wav": "RuntimeError: strange decoder",
    }
    assert "bad.mp3: " in reason(found["bad.mp3"][0])
    for name in ("a.flac", "b.ogg"):
        np.testing.assert_array_equal(found[name][1], load_audio(tmp_path / name))


def test_a_decoder_waits_for_its_samples_to_be_heard(tmp_path, way):
    with DecodingPool(1, 2, Endless, lambda _: 60.0) as pool:
        pool.start(1)
        while not pool.has_room:
            pool.wait()
        arriving = pool.decode(Track(str(tmp_path / "endless"), "endless"))
        for rounds in range(1, 4):
            while arriving.worker_waits is None:
                pool.wait()
            assert arriving.written == arriving.heard + 30_000
            read = int((tmp_path / "endless.samples").read_text())
            assert read <= 30_000 * rounds + 2 * 65_536  # what was read and has no room yet
            arriving.heard, parts = arriving.parts(1 << 30)
            assert sum(map(len, parts)) == 30_000
            pool.heard(arriving)
    assert worker_pids() == []


def test_waiting_does_not_count_as_decoding(tmp_path, way):
    path = write_audio(tmp_path / "a.wav", 4.0, 16000, 1)
    with DecodingPool(1, 2, AudioFile, lambda _: 30.0) as pool:
        pool.start(1)
        while not pool.has_room:
            pool.wait()
        arriving = pool.decode(Track(str(path), "a"))
        while arriving.worker_waits is None:
            pool.wait()
        left = arriving.worker_waits
        time.sleep(1.0)
        arriving.heard, _ = arriving.parts(1 << 30)
        pool.heard(arriving)
        while arriving.worker_waits is None:
            pool.wait()
        assert left - 0.9 < arriving.worker_waits <= left


def test_tracks_that_say_that_they_are_long_are_left_for_later(tmp_path, way):
    paths = [write_audio(tmp_path / "a.wav", 5.0), write_audio(tmp_path / "b.wav", 1.0)]
    found = decode_all(paths, longest=4.0)
    assert isinstance(found["a.wav"][0].over, Long)
    assert isinstance(found["b.wav"][0].over, Over)


def test_parts_are_those_of_the_whole(tmp_path, way):
    spread = Spread(3, 100, 50)
    names = ["a.flac", "b.mp3", "promises-more.wav", "unknown.wav"]
    paths = [write_audio(tmp_path / name, 13.0) for name in names]
    for name, (arriving, samples) in decode_all(paths, 2, Told, spread=spread).items():
        whole = load_audio(tmp_path / name)
        starts = spread.starts(len(whole))
        assert arriving.starts == arriving.over.facts.starts == starts
        sections = [spread.section(start) for start in starts]
        wanted = np.concatenate([whole[one.begin : one.end] for one in sections])
        np.testing.assert_array_equal(samples, wanted)


def test_short_tracks_are_decoded_whole(tmp_path, way):
    path = write_audio(tmp_path / "a.wav", 3.0, 16000, 1)
    ((arriving, samples),) = decode_all([path], spread=Spread(3, 100, 50)).values()
    assert arriving.starts is None
    np.testing.assert_array_equal(samples, load_audio(path))


def test_shared_memory_leaves_nothing_behind():
    before = set(os.listdir("/dev/shm")) if Path("/dev/shm").exists() else set()
    memory = make_memory(1000)
    assert memory is not None
    mapped = map_memory(memory)
    assert mapped.shape == (1000,)
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(memory, 0)  # which would take it away from under whoever reads
    os.close(memory)
    mapped[3] = 1.0  # as long as it is mapped
    assert not Path("/dev/shm").exists() or set(os.listdir("/dev/shm")) == before


def test_no_shared_memory_is_no_error(monkeypatch):
    def refuse(*_):
        raise OSError("not here")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert make_memory(1000) is None
    monkeypatch.delattr(os, "memfd_create")
    assert make_memory(1000) is None


@pytest.mark.parametrize(("begin", "end"), [(0, 0), (0, 10), (3, 9), (8, 12), (25, 35), (19, 20)])
def test_parts_of_a_ring(begin, end):
    ring = np.arange(10, dtype=np.float32)
    parts = ring_parts(ring, begin, end)
    assert all(map(len, parts))
    np.testing.assert_array_equal(
        np.concatenate([np.zeros(0), *parts]), [number % 10 for number in range(begin, end)]
    )


def test_spread_segments_are_among_those_of_the_whole():
    for samples in (0, 1, 25_600, 99_999, 1_000_000):
        whole = [
            start
            for start in range(0, samples // 256, 50)
            if start * 256 + 99 * 256 + 256 <= samples
        ]
        for count in (1, 2, 3, 7, len(whole)):
            if count == 0:
                continue
            starts = Spread(count, 100, 50).starts(samples)
            if len(whole) < count:
                assert starts is None
            else:
                assert len(set(starts)) == count
                assert set(starts) <= set(whole)
    assert Spread(1, 100, 50).starts(1_000_000) == (38 * 50,)  # the middle one of 77
