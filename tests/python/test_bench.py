"""`maest bench`: what it measures, and that its figures fit together."""

from __future__ import annotations

import json

import pytest

from audio_fixtures import write_audio
from checkpoint_files import export_official
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
