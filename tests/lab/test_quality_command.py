"""From features to scores, and the whole command on a model and tracks made for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lab.cli import main
from lab.quality.held_out import HeldOut, read_held_out
from lab.quality.measuring import Measuring
from lab.quality.plan import Subject
from lab.quality.references import MelStatistics
from musicnn_fixtures import make_musicnn
from quality_system_fixtures import CLASSES, make_measured_tracks, write_tiny_model
from training.downstream.speed import Speed
from training.downstream.systems import Features

REVERSED = CLASSES[::-1]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_measured_tracks(tmp_path_factory.mktemp("command"), labelled=24, heard=9)


@pytest.fixture
def held_out(table: Path) -> HeldOut:
    return read_held_out(table)


def measuring_of(held_out: HeldOut, *names: str) -> Measuring:
    return Measuring(
        held_out,
        REVERSED,
        tokens={name: 20 + number for number, name in enumerate(names)},
        speeds={name: Speed(100.0 + number, 50.0) for number, name in enumerate(names)},
        draws=20,
        seed=0,
        about={"model": "made up"},
    )


def subject(name: str, *, patchout: str = "", probed: bool = True) -> Subject:
    precision = name.partition(" ")[0] if patchout else ""
    return Subject(name, MelStatistics, name, precision, patchout, probed)


def knowing(held_out: HeldOut, rows: np.ndarray, *, turned: float = 0.0) -> Features:
    """Activations that are the targets themselves, in the model's order, and as features."""
    targets = np.nan_to_num(held_out.targets[rows], nan=0.5)
    across = np.random.default_rng(0).standard_normal(targets.shape)
    return {
        "activations": targets[:, ::-1].astype(np.float32),
        "embedding": (targets + turned * across).astype(np.float32),
    }


def test_what_knows_the_answers_scores_one(held_out: HeldOut) -> None:
    measuring = measuring_of(held_out, "int8 F0T0", "fp32 F0T0", "int8 F3T2")
    random = np.random.default_rng(1)

    model = subject("int8 F0T0", patchout="F0T0")
    rows = measuring.rows_wanted(model)
    assert rows.tolist() == sorted({*held_out.labelled, *held_out.tested})
    blind = random.standard_normal((len(rows), 4)).astype(np.float32)
    measuring.add(model, {**knowing(held_out, rows, turned=0.05), "last": blind})
    found = measuring.results
    for scores in found.predictions["int8 F0T0"].values():
        assert (scores.mean_average_precision.value, scores.roc_auc.value) == (1, 1)
    assert found.predictions["int8 F0T0"]["Genre"].tracks == 8
    for agreement in found.agreement["int8 F0T0"].values():
        assert agreement.pearson.value == pytest.approx(1)
        assert agreement.constant_strongest.value <= agreement.strongest.value == 1
    assert found.probes["int8 F0T0"]["all"].mean_average_precision.value > 0.9
    blindly = found.probes["int8 F0T0, last block"]["all"].mean_average_precision.value
    assert blindly < 0.9
    assert not found.probe_differences  # the baseline has not been measured
    assert found.patchout[0].cosine is None  # nor full precision

    mel = subject("mel statistics")
    assert measuring.rows_wanted(mel).tolist() == held_out.labelled.tolist()
    blind = random.standard_normal((len(held_out.labelled), 3)).astype(np.float32)
    measuring.add(mel, {"embedding": blind})
    assert found.probe_differences.keys() == {"int8 F0T0", "int8 F0T0, last block"}
    above = found.probe_differences["int8 F0T0"]["all"].mean_average_precision.value
    of_mel = found.probes["mel statistics"]["all"].mean_average_precision.value
    of_model = found.probes["int8 F0T0"]["all"].mean_average_precision.value
    assert above == pytest.approx(of_model - of_mel)

    exact = subject("fp32 F0T0", patchout="F0T0")
    measuring.add(exact, knowing(held_out, rows))
    fast = subject("int8 F3T2", patchout="F3T2", probed=False)
    fast_rows = measuring.rows_wanted(fast)
    assert fast_rows.tolist() == held_out.tested.tolist()
    measuring.add(fast, knowing(held_out, fast_rows))
    found = measuring.results
    assert found.predictions.keys() == {"int8 F0T0", "fp32 F0T0", "int8 F3T2"}
    rowed = {(row.precision, row.patchout): row for row in found.patchout}
    assert rowed["fp32", "F0T0"].cosine == pytest.approx(1)
    assert rowed["int8", "F3T2"].cosine == pytest.approx(1)
    assert 0.9 < rowed["int8", "F0T0"].cosine < 0.9999
    assert (rowed["int8", "F3T2"].tokens, rowed["int8", "F3T2"].times_real_time) == (22, 102)
    assert rowed["int8", "F3T2"].probes is None
    assert rowed["int8", "F3T2"].predictions.value == 1


def run(arguments: list[str]) -> int:
    return main(["quality", *arguments])


@pytest.mark.slow
def test_the_command_measures_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = make_measured_tracks(tmp_path / "tracks")
    make_musicnn(tmp_path / "cache")
    write_tiny_model(tmp_path / "fp32.onnx", labels=REVERSED)
    write_tiny_model(tmp_path / "int8.onnx", "int8", labels=REVERSED)
    output = tmp_path / "found"
    arguments = [
        str(tmp_path / "fp32.onnx"), str(table), str(output),
        "--quantized", str(tmp_path / "int8.onnx"), "--cache", str(tmp_path / "cache"),
        "--patchouts", "[F3T2]", "--probe_patchouts", "[]", "--draws", "20", "--workers", "1",
        "--speed_rounds", "1", "--listed", "2",
    ]  # fmt: skip
    assert run(arguments) == 0
    assert capsys.readouterr().out.strip() == str(output / "quality.md")
    found = json.loads((output / "quality.json").read_text())
    assert list(found["predictions"]) == ["int8 F0T0", "fp32 F0T0", "int8 F3T2", "fp32 F3T2"]
    assert list(found["probes"]) == [
        "int8 F0T0", "int8 F0T0, last block", "mel statistics", "untrained F0T0",
        "untrained F0T0, last block", "fp32 F0T0", "fp32 F0T0, last block", "teacher",
    ]  # fmt: skip
    # loudness tells the genres of these tracks apart
    assert found["probes"]["mel statistics"]["Genre"]["mean_average_precision"]["value"] == 1
    assert set(found["agreement"]["int8 F0T0"]) == {"MagnaTagATune", "MillionSong"}
    patchouts = [(row["precision"], row["patchout"]) for row in found["patchout"]]
    assert patchouts == [("int8", "F0T0"), ("fp32", "F0T0"), ("int8", "F3T2"), ("fp32", "F3T2")]
    assert all(row["times_real_time"] > 1 for row in found["patchout"])
    assert "4 train, 4 validation, 4 test" in found["about"]["tracks"]
    assert (output / "quality.png").read_bytes().startswith(b"\x89PNG")
    listed = (output / "tracks.md").read_text().splitlines()
    assert len(listed) == 2 + 2
    assert "Genre" in listed[0]
    assert listed[2].startswith("| heard")

    # again: nothing is computed that is there, and the scores are the same
    blocks = {path: path.stat().st_mtime_ns for path in output.rglob("*.npz")}
    assert len(blocks) == 7
    assert run(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.npz")} == blocks
    again = json.loads((output / "quality.json").read_text())
    for part in ("predictions", "probes", "probe_differences", "agreement"):
        assert again[part] == found[part]


def test_a_model_for_other_music_is_refused(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_musicnn(tmp_path / "cache")
    model = write_tiny_model(tmp_path / "fp32.onnx", labels=CLASSES[:-1])
    options = ["--cache", str(tmp_path / "cache"), "--patchouts", "[]", "--speed_rounds", "1"]
    assert run([str(model), str(table), str(tmp_path / "out"), *options]) == 2
    assert "1 of the tracks' 7 classes are none of the model's 6" in capsys.readouterr().err
    assert run([str(tmp_path / "no.onnx"), str(table), str(tmp_path / "out"), *options]) == 2
    assert "no.onnx" in capsys.readouterr().err
