"""`python -m training finetune`: from one's own files to a model that runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from test_export import save_run
from training.cli import main
from training.config import PatchoutConfig
from training.errors import CheckpointError, ConfigError, DataError
from training.finetuning.own_tracks import TRACKS, make_own_table, write_folder_table
from training.finetuning.plan import plan_finetuning, shape_of
from training.run.logs import EPOCHS, read_rows

START = {"dim": 32, "heads": 2, "depth": 2, "seconds": 1.0}
QUICK = ["--recipe.epochs=12", "--recipe.sampling.tracks=64", "--recipe.schedule.peak=0.01"]


def write_sounds(folder: Path, classes: int = 2, each: int = 12) -> Path:
    """A folder for each class, whose sounds differ in pitch."""
    rng = np.random.default_rng(0)
    time = np.arange(4 * 16000) / 16000
    for number in range(classes):
        (folder / f"class {number}").mkdir(parents=True)
        for track in range(each):
            sound = np.sin(2 * np.pi * 300 * 4**number * (1 + rng.random() / 10) * time)
            noisy = 0.3 * sound + 0.02 * rng.standard_normal(len(time))
            soundfile.write(folder / f"class {number}" / f"{track}.wav", noisy, 16000)
    return folder


@pytest.mark.slow
def test_from_a_folder_to_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds = write_sounds(tmp_path / "sounds")
    (sounds / "class 0" / "broken.wav").write_bytes(b"RIFF no sound at all")
    start = save_run(tmp_path / "start", **START)
    arguments = ["finetune", str(sounds), "--from", str(start), "-o", str(tmp_path / "mine.onnx")]
    assert main([*arguments, *QUICK]) == 1  # one file cannot be used
    out, err = capsys.readouterr()
    assert out.strip().splitlines()[-1] == str(tmp_path / "mine.onnx")
    assert "refused" in err
    assert "normalisation: the checkpoint's, mean 1.25" in err
    model = maest.Model(tmp_path / "mine.onnx")
    assert model.labels == ("class 0", "class 1")
    for number in range(2):
        audio = maest.load_audio(sounds / f"class {number}" / "3.wav")
        assert model.predict(audio).mean(0).argmax() == number
    scores = json.loads((tmp_path / "mine.training" / "scores.json").read_text())
    assert scores["mean_average_precision"] == 1.0
    done = len(read_rows(tmp_path / "mine.training" / "run" / EPOCHS))

    # Repeated, it goes on where it ended: only what is made of it is made anew.
    (tmp_path / "mine.onnx").unlink()
    assert main([*arguments, *QUICK, "--precision", "int8"]) == 1
    assert maest.Model(tmp_path / "mine.onnx").precision == "int8"
    assert len(read_rows(tmp_path / "mine.training" / "run" / EPOCHS)) == done


def test_a_folder_is_a_table_of_classes_and_groups(tmp_path: Path) -> None:
    for name in ("jazz/Ann/1.wav", "jazz/Ann/live/2.wav", "jazz/3.wav", "rock/Bob/4.flac"):
        (tmp_path / "music" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "music" / name).touch()
    (tmp_path / "music" / "rock" / "notes.txt").touch()
    table = write_folder_table(tmp_path / "music", tmp_path / "table.csv")
    with table.open(newline="", encoding="utf-8") as file:
        rows = {Path(row["path"]).stem: row for row in csv.DictReader(file)}
    assert {stem: row["tags"] for stem, row in rows.items()} == {
        "1": "jazz", "2": "jazz", "3": "jazz", "4": "rock"
    }  # fmt: skip
    assert {stem: row["group"] for stem, row in rows.items()} == {
        "1": "jazz/Ann", "2": "jazz/Ann", "3": "jazz/3.wav", "4": "rock/Bob"
    }  # fmt: skip


def test_folders_that_are_no_classes(tmp_path: Path) -> None:
    (tmp_path / "one" / "jazz").mkdir(parents=True)
    with pytest.raises(DataError, match="1 folders in it; wanted a folder of audio files for each"):
        write_folder_table(tmp_path / "one", tmp_path / "table.csv")
    (tmp_path / "one" / "rock").mkdir()
    with pytest.raises(DataError, match="jazz: a class without an audio file"):
        write_folder_table(tmp_path / "one", tmp_path / "table.csv")
    (tmp_path / "one" / "jazz").rename(tmp_path / "one" / "a;b")
    (tmp_path / "one" / "a;b" / "1.wav").touch()
    with pytest.raises(DataError, match="no ';'"):
        write_folder_table(tmp_path / "one", tmp_path / "table.csv")
    assert not (tmp_path / "table.csv").exists()


def test_groups_and_splits_of_a_table_are_kept(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.wav").touch()
    rows = [f"{n}.wav,{'ab'[n % 2]},artist {n // 4}" for n in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,tags,group", *rows]) + "\n")
    shares = {"validation_share": 0.3, "test_share": 0.3, "seed": 0}
    make_own_table(tmp_path / "labels.csv", tmp_path / "work", **shares)
    from training.data.tracks import read_tracks

    table = read_tracks(tmp_path / "work" / TRACKS).table
    splits: dict[str, set[str]] = {}
    for row in table.select(["group", "split"]).to_pylist():
        splits.setdefault(row["group"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "validation", "test"}


def test_what_follows_from_the_start_and_what_counts_more(tmp_path: Path) -> None:
    shape = shape_of(Path("default"))
    assert (shape.dim, shape.heads, shape.depth, shape.columns) == (128, 4, 12, 62)
    assert shape.seconds == 10.0

    def plan(*overrides: str, tracks: int = 1000, **options: Path) -> object:
        return plan_finetuning(
            Path("default"),
            tmp_path,
            tmp_path / "run",
            tracks=tracks,
            overrides=overrides,
            **options,
        )

    experiment = plan()
    assert (experiment.model.dim, experiment.model.depth) == (128, 12)
    assert experiment.model.patchout == PatchoutConfig(frequency=3, time=31)
    assert experiment.recipe.layers.frozen_blocks == 6
    assert experiment.recipe.layers.rate_decay == 0.8
    assert experiment.recipe.sampling.replacement
    assert experiment.recipe.sampling.tracks == 1000
    assert experiment.recipe.patience is not None
    assert experiment.recipe.schedule.peak == 1e-3
    assert plan(tracks=5).recipe.batch == 5
    assert plan(tracks=5).recipe.sampling.tracks == 256

    (tmp_path / "mine.yaml").write_text("recipe: {layers: {frozen_blocks: 2}, epochs: 7}\n")
    mine = plan("--recipe.epochs=8", config=tmp_path / "mine.yaml")
    assert (mine.recipe.layers.frozen_blocks, mine.recipe.epochs) == (2, 8)
    fixed = plan("--initialisation.checkpoint=other.ckpt", "--data.dataset=elsewhere")
    assert fixed.initialisation.checkpoint == Path("default")
    assert fixed.data.dataset == tmp_path
    with pytest.raises(ConfigError, match="epohs"):
        plan("--recipe.epohs=3")


def test_what_cannot_be_done_is_said_before_anything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["-o", str(tmp_path / "mine.onnx")]
    for arguments, message in (
        (["none.csv", "--from", "no-such-model", *output], "no-such-model"),
        (["none.csv", "other.csv", *output], "unrecognized arguments: other.csv"),
        (
            ["none.csv", *output, "--run.devices=2", "--recipe.batch=2", "--recipe.micro_batch=1"],
            "finetune trains on one device",
        ),
        (["none.csv", *output, "--recipe.epohs=3"], "epohs"),
        (["--recipe.epochs", "3", "none.csv", *output], "none.csv: no such file"),
        (["none.csv"], "-o/--output"),
        (["none.csv", "-o", str(tmp_path / "mine.pt")], "must end in .onnx"),
    ):
        assert main(["finetune", *arguments]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert message in line
    assert main(["finetune", str(tmp_path / "none.csv"), *output]) == 2
    assert "none.csv: no such file" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="does not exist"):
        shape_of(tmp_path / "none.ckpt")
