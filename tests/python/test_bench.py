"""`maest bench`: what it measures, and that its figures fit together."""

from __future__ import annotations

import json

import numpy as np
import pytest

from audio_fixtures import write_audio
from checkpoint_files import export_official
from essentia_maest.collection.forecast import Collection, Estimate
from essentia_maest.collection.scan import Track
from essentia_maest.commands.benchmark import PATCHOUTS, run_benchmark
from essentia_maest.commands.cli import main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.making.conversion import convert_random
from untrained import UNTRAINED


@pytest.mark.parametrize(("length", "seconds"), [(3.0, 10.0), (27.0, 20.0)])
def test_audio_is_made_of_whole_segments(tmp_path, length, seconds):
    audio = tmp_path / "music.wav"
    write_audio(audio, length, 16000, 1)
    found = run_benchmark(str(UNTRAINED), audio, patchouts=["F3T5"], rounds=1)
    assert found.seconds == pytest.approx(seconds, abs=0.05)
    assert list(found.steps) == [
        "decoding",
        "mel frames",
        "predictions, F0T0",
        "embeddings of block 7, F3T5",
    ]
    assert all(taken > 0 for taken in found.steps.values())
    assert found.steps["embeddings of block 7, F3T5"] < found.steps["predictions, F0T0"]


@pytest.mark.slow
def test_what_a_model_does_not_take_is_left_out(tmp_path):
    audio = tmp_path / "music.wav"
    write_audio(audio, 12.0, 16000, 1)
    export_official(tmp_path / "official.onnx")
    official = run_benchmark(str(tmp_path / "official.onnx"), audio, rounds=1)
    assert list(official.steps) == ["decoding", "mel frames", "predictions, F0T0"]
    path = convert_random("tiny", tmp_path / "short.onnx", seconds=1)
    short = run_benchmark(str(path), audio, rounds=1)
    assert not any(name.endswith("F4T10") for name in short.steps)
    assert any(name.endswith("F3T2") for name in short.steps)


def test_no_rounds_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="0 rounds: wanted at least 1"):
        run_benchmark(str(UNTRAINED), tmp_path, rounds=0)


@pytest.mark.parametrize(("block", "words"), [("99", "blocks 1 to 12"), ("0", "block is 0")])
def test_a_block_that_the_model_does_not_have_is_refused(block, words, capsys):
    assert main(["bench", "--model", str(UNTRAINED), "--rounds", "1", "--block", block]) == 2
    assert words in capsys.readouterr().err


def test_the_command_tells_it_as_a_table_and_as_json(capsys):
    command = ["bench", "--model", str(UNTRAINED), "--rounds", "1", "--block", "3"]
    assert main(command) == 0
    table = capsys.readouterr().out
    assert all(f"embeddings of block 3, {patchout} " in table for patchout in PATCHOUTS)
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "untrained-tiny-10s, fp32, 12 blocks of 64"
    for name, times in found["times_real_time"].items():
        assert times == pytest.approx(found["seconds"] / found["steps"][name], abs=0.06)


def test_how_long_a_library_takes(tmp_path, capsys):
    music = tmp_path / "music"
    for number, ending in enumerate(("flac", "ogg", "wav", "wav")):
        write_audio(music / f"{number}.{ending}", 12.0, 22050, 1, seed=number)
    (music / "bad.mp3").write_bytes(b"no music" * 100)
    command = ["bench", str(music), "--model", str(UNTRAINED), "--files", "3"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["files"], found["sampled"]) == (5, 3)
    assert found["audio_hours"]["value"] == pytest.approx(48.0 / 3600, rel=0.02)  # all were opened
    hours = found["hours"]
    assert list(hours) == list(PATCHOUTS)
    assert all(0 < one["low"] <= one["value"] <= one["high"] for one in hours.values())
    assert found["clock"] >= 1
    assert main(command) == 0
    table = capsys.readouterr().out
    assert "5 files" in table
    assert all(f"\n{patchout} " in table for patchout in PATCHOUTS)


def test_what_is_no_library_is_refused(tmp_path, capsys):
    (tmp_path / "bad.mp3").write_bytes(b"no music" * 100)
    command = ["bench", "--model", str(UNTRAINED)]
    for more, words in (
        ([str(tmp_path)], "none of 1 files that were tried can be decoded"),
        ([str(tmp_path), "--files", "0"], "0 files: wanted at least 1"),
        ([str(tmp_path), "--audio", "x.wav"], "one of both is wanted"),
        (["--files", "3"], "a PATH is wanted"),
    ):
        assert main([*command, *more]) == 2
        assert words in capsys.readouterr().err


def test_a_sum_is_told_from_some_of_it():
    tracks = [Track(f"/{number}.{'mp3' if number % 2 else 'wav'}", "") for number in range(1000)]
    collection = Collection(tracks)
    generator = np.random.default_rng(0)
    collection.sizes = generator.uniform(1e6, 9e6, 1000)
    by_size = np.array([1.0 if kind == ".mp3" else 0.1 for kind in collection.kinds])
    values = collection.sizes * by_size * generator.uniform(0.8, 1.2, 1000)
    held = []
    for seed in range(40):
        chosen = collection.sample(50, seed)
        found = Estimate.of(collection.draws({one: float(values[one]) for one in chosen}), 50)
        assert found.value == pytest.approx(values.sum(), rel=0.1)
        held.append(found.low < values.sum() < found.high)
    assert np.mean(held) > 0.7  # 0.9 is promised
    everything = Estimate.of(collection.draws(dict(enumerate(values))), 1000)
    assert everything.low == everything.high == pytest.approx(values.sum())
