"""Decode workers: what dies or hangs costs one file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import (
    decode_and_leave_a_mark,
    decode_or_misbehave,
    short_limit,
    write_audio,
)
from essentia_maest import load_audio
from essentia_maest.collection.decode import Decoded, DecodePool, Failure, time_limit
from essentia_maest.collection.scan import Track


def decode_all(paths: list[Path], workers: int, **more) -> dict[str, Decoded | Failure]:
    tracks = [Track(str(path), path.name) for path in paths]
    with DecodePool(workers, **more) as pool:
        outcomes = list(pool.decode(tracks))
    assert len(outcomes) == len(tracks)
    return {
        os.path.basename(one.path if isinstance(one, Failure) else one.track.path): one
        for one in outcomes
    }


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_die_or_hang_cost_one_file(tmp_path, workers):
    bad = ["exits.wav", "segfaults.wav", "hangs.wav", "raises.wav", "segfaults-too.wav"]
    paths = []
    for index, name in enumerate(bad):
        paths += [tmp_path / name, tmp_path / f"good-{index}.wav"]
    for path in paths:
        write_audio(path, 0.1)
    (tmp_path / "empty.wav").touch()
    outcomes = decode_all(
        [*paths, tmp_path / "empty.wav"], workers, decode=decode_or_misbehave, limit=short_limit
    )
    failures = {name: one.reason for name, one in outcomes.items() if isinstance(one, Failure)}
    assert set(failures) == {*bad, "empty.wav"}
    assert failures["hangs.wav"] == "decoding took longer than 4 s"
    assert failures["raises.wav"] == "RuntimeError: strange decoder"
    assert "is empty" in failures["empty.wav"]
    # How a death is told depends on whether the pool saw the worker take the file.
    assert failures["exits.wav"] in (
        "the decoder crashed (exit status 3)",
        "the decoder's process died",
    )
    for name in ("segfaults.wav", "segfaults-too.wav"):
        assert failures[name] in (
            "the decoder crashed (SIGSEGV)",
            "the decoder's process died",
        )
    for index in range(len(bad)):
        good = outcomes[f"good-{index}.wav"]
        assert isinstance(good, Decoded)
        np.testing.assert_array_equal(good.audio, load_audio(tmp_path / f"good-{index}.wav"))


def test_few_tracks_are_decoded_ahead(tmp_path):
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(8)]
    tracks = [Track(str(path), path.name) for path in paths]
    taken = 0
    with DecodePool(2, decode_and_leave_a_mark) as pool:
        for outcome in pool.decode(tracks):
            assert isinstance(outcome, Decoded)
            taken += 1
            time.sleep(0.3)
            decoded = len(list(tmp_path.glob("*.decoded")))
            assert decoded <= taken + 2 + 1
    assert taken == 8


def test_nothing_to_decode_starts_no_process():
    with DecodePool(2) as pool:
        assert list(pool.decode([])) == []
        assert pool._pool is None


def test_time_limit_grows_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(2_000_000))
    assert time_limit(str(path)) == 140.0
    assert time_limit(str(tmp_path / "missing")) == 120.0


# --- result folder ------------------------------------------------------------------------------
