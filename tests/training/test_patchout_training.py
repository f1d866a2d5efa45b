"""What training drops: counts, structure, distribution, refusals."""

import pytest
import torch

from network_fixtures import ROWS, generator
from training.config import PatchoutConfig
from training.errors import ConfigError
from training.model.maest import grid_columns
from training.model.patchout import draw_kept
from training.model.sizes import segment_frames

#: Section 3.2: 15 columns at 5 s, proportionally more for longer segments; 3 rows.
PAPER = {5: 15, 10: 30, 20: 60, 30: 90}


@pytest.mark.parametrize(("seconds", "time"), PAPER.items())
def test_whole_rows_and_columns_are_dropped(seconds, time):
    columns = grid_columns(segment_frames(seconds))
    kept = draw_kept(ROWS, columns, PatchoutConfig(frequency=3, time=time), generator())
    assert kept.dtype == torch.int64
    assert len(kept) == 6 * (columns - time)
    assert torch.equal(kept, kept.unique())  # ascending, none twice
    rows, places = (kept // columns).unique(), (kept % columns).unique()
    assert (len(rows), len(places)) == (6, columns - time)
    assert torch.equal(kept, (rows[:, None] * columns + places).flatten())


def test_single_patches_are_dropped_from_what_is_left():
    structured = PatchoutConfig(frequency=2, time=4)
    single = PatchoutConfig(frequency=2, time=4, unstructured=10)
    left = draw_kept(ROWS, 20, structured, generator(3))
    kept = draw_kept(ROWS, 20, single, generator(3))
    assert len(kept) == len(left) - 10 == 7 * 16 - 10
    assert set(kept.tolist()) < set(left.tolist())
    assert torch.equal(kept, kept.unique())


def test_no_patchout_keeps_everything_and_draws_nothing():
    untouched = generator()
    kept = draw_kept(ROWS, 20, PatchoutConfig(), untouched)
    assert torch.equal(kept, torch.arange(180))
    assert torch.equal(untouched.get_state(), generator().get_state())


def test_every_patch_is_dropped_about_as_often():
    drawn, counts, draws = generator(), torch.zeros(ROWS * 12), 3000
    patchout = PatchoutConfig(frequency=3, time=4, unstructured=8)
    for _ in range(draws):
        counts[draw_kept(ROWS, 12, patchout, drawn)] += 1
    share = (6 * 8 - 8) / (9 * 12)
    spread = (draws * share * (1 - share)) ** 0.5
    assert (counts - draws * share).abs().max() < 4.5 * spread


def test_the_same_generator_gives_the_same_patches():
    patchout = PatchoutConfig(3, 15, 7)
    first, other = (draw_kept(ROWS, 31, patchout, generator(seed)) for seed in (1, 2))
    assert torch.equal(first, draw_kept(ROWS, 31, patchout, generator(1)))
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("patchout", "message"),
    [
        (PatchoutConfig(frequency=9), "9 rows .frequency. and 20 columns"),
        (PatchoutConfig(time=20), "drops every patch"),
        (PatchoutConfig(unstructured=180), "only 180 are left"),
        (PatchoutConfig(frequency=8, time=19, unstructured=1), "only 1 are left"),
        (PatchoutConfig(time=-1), "wanted counts of 0 or more"),
    ],
)
def test_counts_that_leave_nothing_are_refused(patchout, message):
    with pytest.raises(ConfigError, match=message):
        draw_kept(ROWS, 20, patchout, generator())
