"""The mel front end against Essentia's own chain."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import essentia_maest as maest
from oracles import essentia_mel, essentia_streaming_mel

RATE = 16000
TOLERANCE = 1e-4  # log10 units


def noise(samples: int, seed: int = 0, level: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(samples)).astype(np.float32)


def sweep(samples: int) -> np.ndarray:
    seconds = np.arange(samples) / RATE
    return (0.8 * np.sin(2 * np.pi * (20 + 300 * seconds) * seconds)).astype(np.float32)


def tones(samples: int) -> np.ndarray:
    seconds = np.arange(samples) / RATE
    chord = sum(np.sin(2 * np.pi * f * seconds) / f for f in (55, 220.5, 1000, 3999, 7990))
    return (chord * np.exp(-seconds) * 20).astype(np.float32)


def clipped(samples: int) -> np.ndarray:
    return np.clip(noise(samples, 3, 5.0), -1, 1)


def half_silent(samples: int) -> np.ndarray:
    audio = noise(samples, 4)
    audio[samples // 3 : samples // 2] = 0
    return audio


SIGNALS = {
    "noise": noise,
    "sweep": sweep,
    "tones": tones,
    "clipped": clipped,
    "half_silent": half_silent,
    "silence": lambda samples: np.zeros(samples, np.float32),
    "tiny": lambda samples: noise(samples, 5, 1e-6),
    "loud": lambda samples: noise(samples, 6, 3000.0),
}


@pytest.mark.parametrize("chain", [essentia_mel, essentia_streaming_mel])
@pytest.mark.parametrize("name", SIGNALS)
def test_equals_essentia(name: str, chain: Callable[[np.ndarray], np.ndarray]) -> None:
    audio = SIGNALS[name](4 * RATE + 77)
    found, wanted = maest.mel_spectrogram(audio), chain(audio)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() <= TOLERANCE


@pytest.mark.parametrize(
    "samples", [1, 2, 255, 256, 257, 511, 512, 513, 767, 768, 769, 1023, 1024, 1025, 480000]
)
def test_lengths_equal_essentia(samples: int) -> None:
    audio = noise(samples, samples)
    found, wanted = maest.mel_spectrogram(audio), essentia_mel(audio)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= TOLERANCE


def test_ten_minutes_equal_essentia() -> None:
    audio = np.concatenate([noise(300 * RATE), sweep(300 * RATE + 1)])
    found, wanted = maest.mel_spectrogram(audio), essentia_mel(audio)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= TOLERANCE


def test_nothing_gives_nothing() -> None:
    assert maest.mel_spectrogram(np.zeros(0, np.float32)).shape == (0, 96)


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(0, 20000),
    cuts=st.lists(st.integers(0, 20000), max_size=12),
    double=st.booleans(),
)
def test_pieces_give_the_same_bits(samples: int, cuts: list[int], double: bool) -> None:
    audio = noise(samples, samples).astype(np.float64 if double else np.float32)
    front_end = maest.MelFrontend()
    for _ in range(2):  # the second round after a reset
        pieces = [front_end.push(part) for part in np.split(audio, sorted(cuts))]
        pieces.append(front_end.finish())
        np.testing.assert_array_equal(np.concatenate(pieces), maest.mel_spectrogram(audio))
        front_end.reset()


def test_one_sample_at_a_time() -> None:
    audio = noise(2000)
    front_end = maest.MelFrontend()
    pieces = [front_end.push(audio[i : i + 1]) for i in range(len(audio))]
    pieces.append(front_end.finish())
    np.testing.assert_array_equal(np.concatenate(pieces), maest.mel_spectrogram(audio))


BAD_AUDIO = [
    (np.zeros((2, 100), np.float32), r"shape \[2, 100\].*1-D float32"),
    (np.zeros(100, np.int16), r"int16.*divide by 32768"),
    (np.zeros(100, np.complex64), "complex64"),
    (np.zeros(100, np.float16), "float16"),
    (np.float32(1), r"shape \[\]"),
    (np.array(["a"]), "dtype <U1"),
    ([[1.0], [1.0, 2.0]], "not an array"),
    (None, "object"),
    (np.array([0.0, 0.5, np.nan]), "2"),
    (np.array([np.inf, 0.5], np.float32), "0"),
]


@pytest.mark.parametrize(("audio", "words"), BAD_AUDIO)
def test_bad_audio_is_named(audio: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        maest.mel_spectrogram(audio)
    front_end = maest.MelFrontend()
    front_end.push(noise(1000))
    with pytest.raises(maest.InvalidArgumentError):
        front_end.push(audio)
    rest = [front_end.push(noise(1000, 1)), front_end.finish()]  # nothing was consumed
    whole = maest.mel_spectrogram(np.concatenate([noise(1000), noise(1000, 1)]))
    np.testing.assert_array_equal(np.concatenate(rest), whole[-len(np.concatenate(rest)) :])


def test_non_contiguous_audio() -> None:
    audio = noise(4000)
    np.testing.assert_array_equal(
        maest.mel_spectrogram(audio[::2]), maest.mel_spectrogram(audio[::2].copy())
    )


def test_push_after_finish() -> None:
    front_end = maest.MelFrontend()
    front_end.finish()
    with pytest.raises(maest.InvalidArgumentError, match="reset"):
        front_end.push(noise(10))
