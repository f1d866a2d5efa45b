"""A lead over the first weights counts where it is more than chance."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from run_fixtures import make_dataset, make_experiment
from training.config import AveragingConfig, RecipeConfig, ScheduleConfig
from training.errors import ConfigError
from training.recipe.metrics import score
from training.run.checkpoint import load_checkpoint
from training.run.config_checks import check_experiment
from training.run.fit import fit
from training.run.lead import FirstWeights, Lead
from training.run.logs import read_rows

TARGETS = torch.eye(2)[torch.arange(24) % 2]


def said(strength: float, seed: int) -> torch.Tensor:
    """Logits that tell the classes, and noise."""
    return TARGETS * strength + torch.from_numpy(np.random.default_rng(seed).normal(size=(24, 2)))


def first_weights(groups: np.ndarray | None = None, strength: float = 0.5) -> FirstWeights:
    first = FirstWeights(groups, seed=0)
    first.logits = said(strength, 0)
    return first


def test_a_lead_is_the_difference_of_the_scores() -> None:
    first, later = first_weights(), said(2.0, 1)
    both = [score(one, TARGETS, ["a", "b"]) for one in (later, first.logits)]
    wanted = both[0].mean_average_precision - both[1].mean_average_precision
    assert first.lead(later, TARGETS).value == pytest.approx(wanted, abs=1e-6)


def test_noise_is_told_from_what_was_learnt() -> None:
    """Ways to know as much, whose leads are about as large as their errors; then a real one."""
    first = first_weights()
    leads = [first.lead(said(0.5, seed), TARGETS) for seed in range(1, 21)]
    spread = np.std([lead.value for lead in leads])
    assert np.mean([lead.standard_error for lead in leads]) == pytest.approx(spread, rel=0.5)
    assert sum(lead.is_more_than(1.0) for lead in leads) < sum(
        lead.is_more_than(0.0) for lead in leads
    )
    assert all(first.lead(said(5.0, seed), TARGETS).is_more_than(2.0) for seed in range(1, 6))


def test_tracks_of_a_group_are_one_piece_of_evidence() -> None:
    """The same tracks, each six times: as sure as once, not more than twice as sure."""
    often = np.tile(np.arange(24), 6)
    first, later, targets = said(0.5, 0)[often], said(1.0, 1)[often], TARGETS[often]
    errors = []
    for groups in (None, often):
        repeated = FirstWeights(groups, seed=0)
        repeated.logits = first
        errors.append(repeated.lead(later, targets).standard_error)
    once = first_weights().lead(said(1.0, 1), TARGETS).standard_error
    assert errors[1] == pytest.approx(once, rel=0.3)
    assert errors[0] < 0.6 * errors[1]
    # A single group says nothing of how much groups differ: then it is tracks.
    single = FirstWeights(np.zeros(24, np.int64), seed=0)
    single.logits = first_weights().logits
    assert single.lead(said(1.0, 1), TARGETS).standard_error == pytest.approx(once)


def test_unknown_and_soft_labels() -> None:
    targets = TARGETS.clone()
    targets[3, 1], targets[4] = torch.nan, torch.tensor([0.75, 0.25])
    lead = first_weights().lead(said(3.0, 1), targets)
    wanted = (targets >= 0.5).float()
    wanted[3, 1] = torch.nan
    assert lead == first_weights().lead(said(3.0, 1), wanted)
    assert lead.standard_error > 0


def test_what_a_lead_must_be() -> None:
    assert Lead(0.05, 0.041).is_more_than(1.0)
    assert not Lead(0.029, 0.041).is_more_than(1.0)
    assert Lead(0.029, math.nan).is_more_than(0.0)
    assert not Lead(0.029, math.nan).is_more_than(1.0)
    told = Lead(0.029, 0.041).told(1.0)
    assert told == "by 0.029 in validation mAP, no more than one standard error, 0.041"
    assert "more than one standard error, 0.041" in Lead(0.05, 0.041).told(1.0)
    assert "2 standard errors, 0.082" in Lead(0.029, 0.041).told(2.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("lead") / "dataset")


def fitted(
    dataset: Path, folder: Path, margin: float, *, resume: bool = False, **recipe: object
) -> tuple[dict, list[dict]]:
    """Progress of what a run ends with, and its rows; the averages do not take part."""
    values = {"epochs": 4, "patience": 4, "margin": margin, **recipe}
    experiment = make_experiment(dataset, folder, averaging=AveragingConfig(start=None), **values)
    fit(experiment, resume=resume)
    return load_checkpoint(folder / "final.ckpt").progress, read_rows(folder / "epochs.csv")


def test_the_first_weights_stay_where_a_lead_is_noise(
    dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same run, by how sure one wants to be: what is kept is another, what is learnt is not."""
    caplog.set_level(logging.INFO, "training")
    taken, rows = fitted(dataset, tmp_path / "any", 0.0)
    best = max(rows, key=lambda row: row["mean_average_precision"])
    assert taken["epoch"] == taken["kept_epoch"] == best["epoch"] > 0
    assert not any("standard error" in text for text in caplog.messages)

    kept, again = fitted(dataset, tmp_path / "sure", 50.0)
    assert [row["mean_average_precision"] for row in again] == [
        row["mean_average_precision"] for row in rows
    ]
    assert kept["epoch"] == 0
    told = [text for text in caplog.messages if "no more than 50 standard errors" in text]
    above = [
        row for row in rows if row["mean_average_precision"] > rows[0]["mean_average_precision"]
    ]
    assert len(told) == len(above)
    assert all(text.endswith("the start is kept") for text in told)
    first = load_checkpoint(tmp_path / "sure" / "final.ckpt")
    assert first.start is not None
    assert first.start.shape == (15, 4)
    last = load_checkpoint(tmp_path / "sure" / "checkpoints" / "last.ckpt")
    # Resumed, it still knows what the first weights said.
    caplog.clear()
    fitted(dataset, tmp_path / "parted", 50.0, epochs=1)
    resumed, once_more = fitted(dataset, tmp_path / "parted", 50.0, resume=True)
    assert resumed == kept
    assert [row["loss"] for row in once_more] == [row["loss"] for row in rows]
    assert [text for text in caplog.messages if "no more than 50" in text] == told
    # Patience goes by the highest, which it is whether or not it counts.
    assert last.progress["best_epoch"] == best["epoch"]


def test_what_was_learnt_takes_the_place_of_the_first_weights(
    dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "training")
    assert RecipeConfig().margin == 2.0
    schedule = ScheduleConfig(peak=5e-3, warm_up=1, constant_until=8, fall=4, last=1e-4)
    kept, rows = fitted(dataset, tmp_path / "run", 1.0, epochs=12, patience=12, schedule=schedule)
    best = max(rows, key=lambda row: row["mean_average_precision"])
    assert best["mean_average_precision"] > rows[0]["mean_average_precision"] + 0.2
    assert kept["epoch"] == best["epoch"] > 0
    told = [text for text in caplog.messages if "leads the start by" in text]
    assert "more than one standard error, " in told[-1]
    assert told[-1].endswith(f"epoch {kept['epoch']} is kept")


def test_margins_below_zero_are_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="recipe.margin is -1"):
        check_experiment(make_experiment(dataset, tmp_path, margin=-1.0))
