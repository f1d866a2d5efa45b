"""Configurations: the shipped ones have the paper's numbers, and wrong ones are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.config import Experiment
from training.errors import ConfigError
from training.model.maest import grid_columns
from training.model.sizes import segment_frames
from training.recipe.averaging import models_due
from training.recipe.schedule import learning_rate
from training.run.config_file import (
    differences,
    experiment_from,
    plain,
    read_experiment,
    write_experiment,
)

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"

# Tables 3 and 4 and section 3.2: seconds, patches dropped in time, initialisation, mAP of both.
PAPER = {
    "table3_random": (10, 30, "random", "20.5", "20.1"),
    "table3_deit": (10, 30, "deit", "22.7", "23.2"),
    "table3_passt": (10, 30, "passt", "22.8", "23.5"),
    "table4_5s": (5, 15, "passt", "21.1", "21.3"),
    "table4_20s": (20, 60, "passt", "24.8", "25.8"),
    "table4_30s": (30, 90, "passt", "26.1", "27.0"),
    "teacher_student_30s": (30, 90, "passt", "26.1", "27.0"),
}
BASELINES = {"baseline_efficientnet_b0": "efficientnet-b0", "baseline_resnet50": "resnet50"}
CODE = "authors_code_10s"
EVERY = (*PAPER, *BASELINES, CODE, "cpu_smoke", "default")
FINETUNE = "finetune"  # of another command: what it leaves out follows from start and data


def load(name: str, *overrides: str) -> Experiment:
    return read_experiment(CONFIGS / f"{name}.yaml", overrides)


def head(name: str) -> list[str]:
    lines = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("#")]


def test_there_is_one_file_for_each_experiment() -> None:
    found = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    assert found == sorted([*EVERY, FINETUNE])
    assert "python -m training finetune" in head(FINETUNE)[2]


@pytest.mark.parametrize("name", EVERY)
def test_each_opens_with_command_hardware_time_and_result(name: str) -> None:
    text = "\n".join(head(name))
    assert f"python -m training fit --config training/configs/{name}.yaml" in text
    for word in ("Command:", "Hardware:", "Time:", "Result:"):
        assert f"# {word}" in text
    assert str(load(name).run.folder) == f"runs/{name}"


@pytest.mark.parametrize("name", PAPER)
def test_numbers_are_the_papers(name: str) -> None:
    seconds, time, source, last, averaged = PAPER[name]
    experiment = load(name)
    model = experiment.model
    assert (model.architecture, model.size, model.seconds) == ("maest", "base", seconds)
    assert vars(model.patchout) == {"frequency": 3, "time": time, "unstructured": 0}
    assert experiment.initialisation.source == source
    assert f"mAP {last}, averaged weights {averaged}" in "\n".join(head(name))


@pytest.mark.parametrize("name", [*PAPER, *BASELINES])
def test_recipe_is_the_papers(name: str) -> None:
    recipe = load(name).recipe
    assert (recipe.epochs, recipe.weight_decay) == (130, 1e-4)
    assert vars(recipe.schedule) == {
        "peak": 1e-4,
        "warm_up": 5.0,
        "constant_until": 50.0,
        "fall": 50.0,
        "last": 1e-7,
    }
    assert vars(recipe.sampling) == {
        "tracks": 200_000,
        "replacement": False,
        "frequency_offset": 100.0,
    }
    assert vars(recipe.augmentation) == {
        "mixup_alpha": 0.3,
        "time_groups": 20,
        "time_width": 8,
        "band_groups": 5,
        "band_width": 8,
    }
    assert (recipe.averaging.start, recipe.averaging.every) == (50, 5)
    # 12 tracks on each of 4 GPUs; the reference's teacher-student setup has 4.
    each = 4 if name.startswith("teacher") else 12
    assert (recipe.micro_batch, recipe.batch) == (each, 4 * each)


def test_the_authors_code_is_followed_where_it_differs() -> None:
    ours, code = load("table3_passt"), load(CODE)
    assert differences(plain(ours), plain(code)).keys() == {
        "data.workers",
        "model.input_frames",
        "model.patchout.frequency",
        "recipe.schedule.peak",
        "recipe.schedule.fall",
        "recipe.augmentation.time_groups",
        "recipe.augmentation.band_groups",
        "recipe.averaging.start",
        "recipe.averaging.every",
        "run.folder",
    }
    rates = [learning_rate(epoch, code.recipe.schedule) for epoch in (5, 49, 60, 129)]
    assert rates == [2e-5] * 4
    # one column fewer than the encoding has: its place is 0 or 1
    assert (grid_columns(code.model.input_frames or 0), grid_columns(segment_frames(10))) == (
        61,
        62,
    )
    assert [models_due(done, code.recipe.averaging) for done in (48, 49, 50, 129)] == [0, 1, 2, 81]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_differ_in_the_network_only(name: str) -> None:
    experiment = load(name)
    assert experiment.model.architecture == BASELINES[name]
    assert experiment.recipe == load("table3_passt").recipe
    assert experiment.model.seconds == load("table3_passt").model.seconds


def test_the_student_has_a_head_for_its_teacher() -> None:
    experiment = load("teacher_student_30s")
    assert experiment.model.head == "separated"
    assert experiment.recipe.teacher.threshold == 0.45
    assert experiment.recipe.teacher.activations is not None


def test_hours_are_the_papers() -> None:
    assert "# Time:     31 h" in head("table4_5s")
    assert "# Time:     48 h" in head("table4_30s")


@pytest.mark.parametrize("name", EVERY)
def test_plain_values_and_files_come_back(name: str, tmp_path: Path) -> None:
    experiment = load(name)
    assert experiment_from(plain(experiment), "test") == experiment
    write_experiment(experiment, tmp_path / "config.yaml")
    assert read_experiment(tmp_path / "config.yaml") == experiment


def test_the_command_line_overrides_the_file() -> None:
    experiment = load("table4_5s", "--recipe.schedule.peak=2e-4", "--run.devices=2")
    assert experiment.recipe.schedule.peak == 2e-4
    assert experiment.run.devices == 2
    assert experiment.model.seconds == 5


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("recipe: {epohs: 3}", "epohs"),
        ("recipe: {epochs: three}", "recipe.epochs"),
        ("recipe: {epochs: 3.5}", "recipe.epochs"),
        ("model: {size: huge}", "model.size"),
        ("model: {patchout: {frequency: [1, 2]}}", "model.patchout.frequency"),
        ("data: {workers: [3]}", "data.workers"),
        ("colour: blue", "colour"),
        ("recipe: {epochs: 3", "flow mapping"),
    ],
)
def test_what_a_file_cannot_say(text: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_experiment(path, ["--data.dataset=d", "--run.folder=r"])
    assert str(path) in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_experiment(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("--model.patchout.frequency=9", "model.patchout leaves nothing"),
        ("--model.patchout.time=62", "model.patchout leaves nothing"),
        ("--model.patchout.unstructured=192", "model.patchout leaves nothing"),
        ("--model.patchout.time=-1", "model.patchout.time is -1"),
        ("--model.seconds=0.1", "model.seconds"),
        ("--model.seconds=nan", "model.seconds"),
        ("--model.input_frames=15", "model.input_frames is 15, wanted 16 to"),
        ("--model.input_frames=627", "wanted 16 to the segment's 626"),
        ("--model.head=separated", "recipe.teacher.activations are missing"),
        ("--recipe.teacher.activations=a.npy", "need model.head separated"),
        ("--recipe.teacher.threshold=45", "recipe.teacher.threshold"),
        ("--initialisation.checkpoint=null", "initialisation.checkpoint is missing"),
        ("--initialisation.source=random", "initialisation.checkpoint is given"),
        ("--model.architecture=resnet50", "no patchout"),
        ("--recipe.epochs=0", "recipe.epochs is 0"),
        ("--recipe.epochs=49", "recipe.averaging.start is 50"),
        ("--recipe.averaging.every=0", "recipe.averaging.every is 0"),
        ("--recipe.batch=50", "not a multiple"),
        ("--run.devices=3", "not a multiple"),
        ("--recipe.schedule.peak=0", "recipe.schedule.peak"),
        ("--recipe.schedule.warm_up=60", "recipe.schedule.warm_up is after"),
        ("--recipe.sampling.tracks=47", "recipe.sampling.tracks is 47"),
        ("--recipe.augmentation.time_width=0", "recipe.augmentation.time_width"),
        ("--recipe.augmentation.band_width=97", "recipe.augmentation.band_width"),
        ("--recipe.gradient_clipping=0", "recipe.gradient_clipping"),
        ("--run.accelerator=cpu", "16-mixed"),
        ("--run.seed=-1", "run.seed is -1"),
        ("--run.checkpoint_minutes=0", "run.checkpoint_minutes"),
        ("--run.validate_every=0", "run.validate_every is 0"),
        ("--recipe.patience=4 --run.validate_every=5", "would end before its first validation"),
        ("--data.workers=-1", "data.workers is -1"),
    ],
)
def test_values_that_do_not_go_together(override: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("table3_passt", *override.split())
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("--model.architecture=resnet50", "recipe.optimizer is muon: for maest, not resnet50"),
        ("--recipe.decoupled_weight_decay=false", "it has no other weight decay"),
    ],
)
def test_what_muon_is_not_for(override: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("table3_random", "--recipe.optimizer=muon", override)
    assert named in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match=r"recipe\.epochs.*run\.seed"):
        load("table3_random", "--recipe.epochs=0", "--run.seed=-1")


def test_differences_name_the_keys() -> None:
    one = load("table3_random")
    other = replace(one, recipe=replace(one.recipe, batch=96))
    assert differences(plain(one), plain(other)) == {"recipe.batch": (48, 96)}
    assert differences({"a": {"b": 1}}, {"c": 2}) == {"a": ({"b": 1}, None), "c": (None, 2)}
