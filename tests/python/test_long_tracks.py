"""Long tracks come in pieces, in bounded memory; what dies or hangs costs one track."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import (
    short_limit,
    write_audio,
    write_pieces_or_misbehave,
    write_without_end,
)
from essentia_maest import load_audio
from essentia_maest.collection.long_tracks import Ended, LongTracks, Piece, StartedOver
from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.scan import Track


def tracks_of(paths: list[Path]) -> list[Track]:
    return [Track(str(path), path.name) for path in paths]


def children() -> list[str]:
    return [
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def decode_all(paths: list[Path], at_once: int, **more) -> dict[str, np.ndarray | str]:
    """Samples, or why there are none, of each file name."""
    found: dict[str, np.ndarray | str] = {}
    pieces: dict[str, list[np.ndarray]] = {path.name: [] for path in paths}
    with LongTracks(at_once, 1.0, **more) as decoding:
        for event in decoding.decode(tracks_of(paths)):
            if isinstance(event, Failure):
                found[os.path.basename(event.path)] = event.reason
                continue
            name = event.track.result
            assert name not in found
            if isinstance(event, Piece):
                assert 0 < len(event.audio) < 16000 + 65536
                pieces[name].append(event.audio)
            elif isinstance(event, StartedOver):
                pieces[name].clear()
            else:
                assert isinstance(event, Ended)
                found[name] = np.concatenate(pieces[name])
    assert sorted(found) == sorted(path.name for path in paths)
    return found


@pytest.mark.slow
def test_processes_that_die_or_hang_cost_one_track(tmp_path):
    names = ["exits.wav", "a.mp3", "segfaults.wav", "b.opus", "hangs.wav", "starts-over.wav"]
    paths = [
        write_audio(tmp_path / name, 4.0 + seed, 48000, seed=seed)
        for seed, name in enumerate(names)
    ]
    paths += [tmp_path / "bad.mp3", write_audio(tmp_path / "raises.wav")]
    paths[-2].write_bytes(b"words, no music" * 99)
    found = decode_all(paths, 3, decode=write_pieces_or_misbehave, limit=short_limit)
    assert found["exits.wav"] == "the decoder crashed (exit status 3)"
    assert found["segfaults.wav"] == "the decoder crashed (SIGSEGV)"
    assert found["hangs.wav"] == "decoding took longer than 4 s"
    assert found["raises.wav"] == "RuntimeError: strange decoder"
    assert "not recognised as audio" in str(found["bad.mp3"])
    for name in ("a.mp3", "b.opus", "starts-over.wav"):
        np.testing.assert_array_equal(found[name], load_audio(tmp_path / name))


@pytest.mark.slow
def test_a_decoder_waits_for_its_pieces_to_be_taken(tmp_path, monkeypatch):
    own = tmp_path / "temporary"  # the machine's is other programs', too
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    path = tmp_path / "endless"
    path.touch()
    with LongTracks(1, 10.0, write_without_end, lambda _: 60.0) as decoding:
        events = decoding.decode(tracks_of([path]))
        for taken in range(1, 3):
            assert isinstance(next(events), Piece)
            seconds = written_when_it_waits(Path(f"{path}.seconds"), 10 * taken)
            # One that waits, one that is filled, and a pipe of 1 MiB with what is on both sides.
            assert seconds <= 10 * (taken + 2) + 18
        assert os.listdir(own)
    assert not [name for name in children() if _alive_decoder(name)]
    assert not os.listdir(own)


def written_when_it_waits(counter: Path, least: int) -> int:
    """What a decoder has written once it writes no more, at least `least`."""
    before, since = -1, time.monotonic()
    deadline = since + 60.0
    while time.monotonic() < deadline:
        written = int(counter.read_text() or 0)
        if written != before:
            before, since = written, time.monotonic()
        elif written > least and time.monotonic() - since > 2.0:
            return written
        time.sleep(0.1)
    raise AssertionError(f"after a minute it has written {before} s, or still writes")


def _alive_decoder(pid: str) -> bool:
    try:
        return "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_waiting_does_not_count_as_decoding(tmp_path):
    path = write_audio(tmp_path / "a.wav", 60.0, 16000, 1)
    limit = 30.0  # more than a process needs to start
    pieces = []
    with LongTracks(1, 10.0, limit=lambda _: limit) as decoding:
        for event in decoding.decode(tracks_of([path])):
            if isinstance(event, Piece):
                pieces.append(event.audio)
            if len(pieces) == 1:
                # As if this sleep were longer than the limit.
                (decoder,) = decoding._running.values()
                decoder._left = 2.0
                time.sleep(4.0)
    np.testing.assert_array_equal(np.concatenate(pieces), load_audio(path))


def test_leaving_early_ends_all_processes(tmp_path):
    paths = [write_audio(tmp_path / f"{seed}.wav", 30.0, 16000, 1) for seed in range(3)]
    with LongTracks(2, 1.0) as decoding:
        assert isinstance(next(decoding.decode(tracks_of(paths))), Piece)
        assert len([name for name in children() if _alive_decoder(name)]) == 2
    assert not [name for name in children() if _alive_decoder(name)]


def test_nothing_to_decode_starts_no_process():
    with LongTracks(2, 1.0) as decoding:
        assert list(decoding.decode([])) == []
