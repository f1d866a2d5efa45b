"""The engine's resampler: Essentia's ``Resample`` of quality 4, to the bit, in any pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essentia_maest import InvalidArgumentError, _core
from essentia_maest.essentia_algorithms import quiet_essentia

RATES = [4000, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 37800, 44056, 44100, 47952, 48000]
HIGH_RATES = [50000, 64000, 88200, 96000, 176400, 192000]


def essentia_resampled(signal: np.ndarray, rate: int) -> np.ndarray:
    with quiet_essentia() as essentia:
        resample = essentia.Algorithm("Resample")
        resample.__configure__(inputSampleRate=float(rate), outputSampleRate=16000.0, quality=4)
        return np.asarray(resample.__compute__(signal), np.float32)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, samples).astype(np.float32)


def in_pieces(resampler: _core.Resampler, signal: np.ndarray, sizes: list[int]) -> np.ndarray:
    parts, begin = [np.zeros(0, np.float32)], 0
    for size in sizes:
        parts.append(resampler.push(signal[begin : begin + size]))
        begin += size
    parts.append(resampler.push(signal[begin:]))
    return np.concatenate(parts)


@pytest.mark.parametrize("rate", RATES + HIGH_RATES)
def test_long_signals_equal_essentia(rate):
    signal = noise(rate * 30 + 17, rate)
    wanted = essentia_resampled(signal, rate)
    np.testing.assert_array_equal(_core.Resampler(rate).push(signal), wanted)
    sizes = [1152] * (len(signal) // 1152)
    np.testing.assert_array_equal(in_pieces(_core.Resampler(rate), signal, sizes), wanted)
    assert _core.Resampler(rate).count_of(len(signal)) == len(wanted)


@settings(deadline=None, max_examples=300)
@given(
    rate=st.integers(4000, 192000) | st.sampled_from(RATES + HIGH_RATES),
    samples=st.integers(2, 20000),
    sizes=st.lists(st.integers(0, 3000), max_size=8),
)
def test_any_rate_in_any_pieces_equals_essentia(rate, samples, sizes):
    signal = noise(samples, samples)
    wanted = essentia_resampled(signal, rate)
    np.testing.assert_array_equal(in_pieces(_core.Resampler(rate), signal, sizes), wanted)
    assert _core.Resampler(rate).count_of(samples) == len(wanted)


@settings(deadline=None, max_examples=200)
@given(
    rate=st.integers(4000, 192000) | st.sampled_from(RATES + HIGH_RATES),
    starts=st.lists(st.integers(0, 6000), min_size=1, max_size=4),
    pushed=st.integers(0, 5000),
)
def test_starting_anywhere_gives_the_rest_of_the_whole(rate, starts, pushed):
    signal = noise(rate // 2 + 3)
    resampler = _core.Resampler(rate)
    whole = resampler.push(signal)
    resampler.start_at(0)
    resampler.push(signal[:pushed])
    for start in starts:
        first = resampler.start_at(min(start, len(whole)))
        assert first >= 0
        rest = resampler.push(signal[first:])
        np.testing.assert_array_equal(rest, whole[start:])


def test_one_sample_is_one_sample():
    assert _core.Resampler(44100).push(np.float32([0.25])).tolist() == [0.25]
    assert _core.Resampler(16000).push(np.float32([0.25])).tolist() == [0.25]
    assert _core.Resampler(8000).push(np.float32([0.25])).tolist() == [0.25, 0.25]


@pytest.mark.parametrize("rate", [-1, 0, 62, 4_096_001, 2**40, 44100.0])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(InvalidArgumentError, match="rate"):
        _core.Resampler(rate)
