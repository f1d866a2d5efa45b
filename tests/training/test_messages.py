"""What a user meets first: arguments as one would write them, messages that can be followed."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

import training.export
from essentia_maest.progress import ProgressDisplay
from run_fixtures import make_dataset, make_experiment
from training.cli import COMMANDS, main
from training.data.excerpt import excerpt
from training.data.outcomes import Refusal
from training.data.store import SpectrogramStore
from training.errors import DataError
from training.run import loop, scoring
from training.run.fit import fit
from training.run.folder import RunFolder
from training.run.logs import read_rows
from training.run.scoring import minutes


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--audio", "ok.wav"], Path("ok.wav")),
        (["--audio=ok.wav"], Path("ok.wav")),
        (['--audio=["a.wav", "b c.wav"]'], [Path("a.wav"), Path("b c.wav")]),
        ([], None),
    ],
)
def test_audio_to_compare_on_is_a_file_or_a_list(
    given: list[str], wanted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of `export` itself advises ``--audio FILE``."""
    seen: list[object] = []

    def export(
        run_checkpoint: Path, destination: Path, *, audio: list[Path] | Path | None = None
    ) -> None:
        seen.append(audio)

    assert export.__annotations__["audio"] == training.export.export.__annotations__["audio"]
    monkeypatch.setattr(training.export, "export", export)
    assert main(["export", "run.ckpt", "model.onnx", *given]) == 0
    assert seen == [wanted]


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--data.dataset=d", "--run.folder=r", "--recipe.epoch=3"],
        ["fit", "--data.dataset=d", "--run.folder=r", "--run.dev=1"],
        ["evaluate", "x.ckpt", "--spl=test"],
        ["spectrograms", "t.parquet", "set", "--second=3"],
    ],
)
def test_half_a_name_is_no_name(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    half = arguments[-1].split("=")[0]
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert half in line or half.removeprefix("--").split(".")[-1] in line
    assert "there is no such" not in line


def test_messages_name_commands_that_there_are(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    index, description = dataset / "index.parquet", dataset / "dataset.json"
    shard = next((dataset / "shards").glob("*.arrow"))
    for path in (index, shard, description):
        kept = path.read_bytes()
        if path == description:
            path.unlink()
        else:
            path.write_bytes(kept[:-8])
        with pytest.raises(DataError, match=r"`python -m training spectrograms`"):
            SpectrogramStore(dataset)
        path.write_bytes(kept)
    assert "spectrograms" in COMMANDS


def test_what_is_no_number_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    audio = np.full(5 * 16000, 0.1, np.float32)
    audio[40_010] = np.nan
    soundfile.write(tmp_path / "broken.wav", audio, 16000, subtype="FLOAT")
    found = excerpt(str(tmp_path / "broken.wav"), seconds=1.0, shortest_seconds=0.5)
    assert isinstance(found, Refusal)
    assert found.detail == "sample 40010 (2.50 s) is nan; wanted finite samples"


@pytest.mark.slow
def test_the_mean_is_validated_only_where_it_has_changed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its first set of weights are the last ones themselves; then it waits for the next."""
    caplog.set_level(logging.INFO, "training")
    counts: list[int] = []
    predict = scoring.predict_tracks

    def counted(fabric: object, networks: list[object], *rest: object, **options: object) -> object:
        counts.append(len(networks))
        return predict(fabric, networks, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "predict_tracks", counted)
    monkeypatch.setattr(loop, "ProgressDisplay", partial(ProgressDisplay, every=0.0))
    experiment = make_experiment(make_dataset(tmp_path / "dataset"), tmp_path / "run", epochs=5)
    averaging = replace(experiment.recipe.averaging, start=2, every=2)
    fit(replace(experiment, recipe=replace(experiment.recipe, averaging=averaging)))
    # Epochs 2 and 4 take weights in: the first time they are the last ones.
    assert counts == [1, 1, 1, 2, 1]
    rows = read_rows(RunFolder(tmp_path / "run").path / "epochs.csv")
    name = "averaged_mean_average_precision"
    assert rows[1][name] == rows[1]["mean_average_precision"] == rows[2][name]
    assert rows[3][name] == rows[4][name]

    # What is left of the whole run is told from the first steps on, in plain lines.
    told = capfd.readouterr().err
    assert re.search(r"^.*epoch 1 of 5: 1 of \d+ steps, about \d+ min left in all", told, re.M)
    assert "\r" not in told
    assert "\x1b" not in told
    epochs = [line for line in caplog.messages if line.startswith("epoch ")]
    assert len(epochs) == 5
    assert all(line.endswith("min left in all") for line in epochs[:-1])
    assert "left" not in epochs[-1]
    assert not any("\r" in line or "\x1b" in line for line in caplog.messages)


def test_time_in_words() -> None:
    assert minutes(20.0) == "about 0 min"
    assert minutes(61.0) == "about 1 min"
    assert minutes(80 * 60.0) == "about 1 h 20 min"
