"""The times that results are given are those of the samples that they were computed from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from audio_fixtures import music
from essentia_maest import Request
from essentia_maest.collection.analysis import Analysis
from essentia_maest.collection.describe import describe_track
from essentia_maest.collection.messages import Facts
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.commands.cli import main
from untrained import UNTRAINED

HOP_SAMPLES, RATE = 256, 16000


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED, num_threads=1)


@pytest.mark.slow
def test_ten_minutes_at_a_hop_between_two_frames(tmp_path):
    path = tmp_path / "ten-minutes.wav"
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for seed in range(10):
            file.write(music(60.0, RATE, seed=seed)[:, 0])
    arguments = ["--hop", "1.4", "--output", "embeddings", "--block", "1", "--patchout", "F4T10"]
    command = ["analyze", str(path), "-o", str(tmp_path / "out"), "--model", str(UNTRAINED)]
    assert main([*command, *arguments, "--format", "files", "--quiet"]) == 0
    segments = json.loads((tmp_path / "out" / "ten-minutes.wav.json").read_text())["segments"]
    assert segments[424]["start"] == 590.208
    # And it is that which was computed: these samples alone give the same.
    whole = maest.load_audio(path)
    start = round(segments[424]["start"] * RATE)
    # A frame reaches half its length to both sides, and what is before the beginning is silence:
    # a segment later, on the same grid of frames, none of that is heard.
    lead = 87 * HOP_SAMPLES
    alone = maest.Model(UNTRAINED).embed(
        whole[start - lead : start + 11 * RATE], hop=1.4, block=1, patchout="F4T10"
    )[1]
    found = np.load(tmp_path / "out" / "ten-minutes.wav.embeddings.npy")[424]
    np.testing.assert_allclose(found, alone, rtol=0, atol=1e-5)


def completed_at(model: maest.Model, hop: float, segments: int) -> list[int]:
    """Count the frames that there are when each of the first segments is complete."""
    stream = model.open_stream(Request(("embeddings",), block=1, patchout="F4T10", hop=hop))
    front_end = maest.MelFrontend()
    chunk = np.full(HOP_SAMPLES, 0.01, np.float32)
    found: list[int] = []
    frames = 0
    while len(found) < segments:
        frames += len(front_end.push(chunk))
        (rows,) = stream.push(chunk)
        found += [frames] * len(rows)
    return found


def hops() -> list[float]:
    rng = np.random.default_rng(0)
    halves = [0.008 * (2 * frames + 1) for frames in (31, 43, 62, 117, 312, 937)]
    decimals = [0.5, 0.7, 1.0, 1.4, 2.2, 2.5, 3.3, 10.0, 29.9]
    return [*halves, *decimals, *np.round(rng.uniform(0.5, 15, 15), 3).tolist()]


@pytest.mark.parametrize("hop", hops())
def test_starts_are_where_the_engine_took_them(model, hop):
    first, second, third = completed_at(model, hop, 3)
    frames = second - first
    assert third - second == frames
    assert abs(frames * HOP_SAMPLES / RATE - hop) <= HOP_SAMPLES / RATE / 2 + 1e-9
    plan = model.plan(Request(hop=hop))
    assert plan.hop_frames == frames
    wanted = [index * frames * HOP_SAMPLES / RATE for index in range(500)]
    np.testing.assert_allclose(plan.start_seconds(500), wanted, rtol=0, atol=1e-9)
    options = AnalysisOptions.of(hop=hop, block=1)
    facts = Facts("x", "x", "x", 10**9, None, 1.0)
    analysis = Analysis(
        {"embeddings": np.zeros((500, 1), np.float32)},
        plan.start_seconds(500),
        plan.segment_seconds,
    )
    described = describe_track(str(Path(__file__)), facts, model, options, analysis)
    assert [segment["start"] for segment in described["segments"]] == [
        round(start, 3) for start in wanted
    ]
