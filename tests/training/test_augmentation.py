"""Mixup and SpecAugment against their definitions; the loss with unknown targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import binary_cross_entropy_with_logits

from training.recipe.loss import known_cross_entropy, taught_cross_entropy
from training.recipe.mixup import Mix, annotation_kinds, draw_mix
from training.recipe.randomness import Purpose, numpy_generator
from training.recipe.spec_augment import SpecAugment


def generator(*keys: int) -> np.random.Generator:
    return numpy_generator(0, Purpose.SPEC_AUGMENT, *keys)


def test_shares_are_the_larger_part_of_a_beta() -> None:
    mix = draw_mix(20_000, 0.3, generator())
    share = mix.share.double().numpy()
    assert share.min() >= 0.5
    assert share.max() <= 1.0

    # The larger of x and 1 - x, where x is Beta(0.3, 0.3): twice the upper half.
    def distribution(x: np.ndarray) -> np.ndarray:
        return 2.0 * stats.beta.cdf(x, 0.3, 0.3) - 1.0

    # Float32 rounds shares next to 1; there the distribution is steep.
    inside = share[share < 0.999]
    top = distribution(np.array(0.999))
    assert stats.kstest(inside, lambda x: distribution(x) / top).pvalue > 1e-3
    assert len(inside) / len(share) == pytest.approx(top, abs=0.02)


def test_partners_are_a_permutation() -> None:
    partners = draw_mix(64, 0.3, generator()).partner
    assert torch.equal(partners.sort().values, torch.arange(64))


def test_partners_have_the_same_annotations() -> None:
    nan = float("nan")
    rows = torch.tensor([[0.0, 1.0, nan], [nan, nan, 1.0], [nan, nan, 0.0], [1.0, 0.0, nan]])
    targets = rows.repeat(16, 1)
    kinds = annotation_kinds(targets)
    mix = draw_mix(64, 0.3, generator(), kinds)
    assert torch.equal(mix.partner.sort().values, torch.arange(64))
    assert (kinds[mix.partner.numpy()] == kinds).all()
    assert torch.equal(mix(targets).isnan(), targets.isnan())
    assert (mix.partner != torch.arange(64)).sum() > 50


def test_equal_annotations_change_nothing() -> None:
    plain = draw_mix(64, 0.3, generator())
    kinds = annotation_kinds(torch.zeros(64, 5))
    assert torch.equal(draw_mix(64, 0.3, generator(), kinds).partner, plain.partner)


def test_inputs_and_targets_are_blended_alike() -> None:
    mix = Mix(torch.tensor([1, 0]), torch.tensor([0.75, 0.5]))
    mel = torch.arange(12.0).reshape(2, 2, 3)
    torch.testing.assert_close(mix(mel)[0], 0.75 * mel[0] + 0.25 * mel[1])
    torch.testing.assert_close(mix(mel)[1], 0.5 * mel[1] + 0.5 * mel[0])
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(mix(targets), torch.tensor([[0.75, 0.0], [0.5, 0.0]]))


def test_what_is_unknown_in_one_is_unknown_in_the_blend() -> None:
    mix = Mix(torch.tensor([1, 0, 2]), torch.tensor([0.9, 1.0, 0.7]))
    targets = torch.tensor([[1.0, 0.0], [float("nan"), 0.0], [1.0, float("nan")]])
    assert mix(targets).isnan().tolist() == [[True, False], [True, False], [False, True]]


def masked(augment: SpecAugment, *keys: int) -> np.ndarray:
    mel = np.ones((96, 400), np.float32)
    augment(mel, generator(*keys))
    assert set(np.unique(mel)) <= {0.0, 1.0}
    return mel == 0.0


def test_groups_of_8_frames_up_to_20_and_8_bands_up_to_5() -> None:
    frames = [masked(SpecAugment(band_groups=0), key) for key in range(300)]
    bands = [masked(SpecAugment(time_groups=0), key) for key in range(300)]
    for mask in frames:
        assert (mask == mask[:1]).all()
    for mask in bands:
        assert (mask == mask[:, :1]).all()
    frame_counts = np.array([mask[0].sum() for mask in frames])
    band_counts = np.array([mask[:, 0].sum() for mask in bands])
    assert frame_counts.min() == 0
    assert 100 < frame_counts.max() <= 160
    assert band_counts.min() == 0
    assert 30 < band_counts.max() <= 40
    # Ten groups on average, of which few overlap.
    assert 55 < frame_counts.mean() < 80
    for mask in frames:
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], mask[0], [0]]))))[::2]
        assert (runs >= 8).all()


def test_the_number_of_groups_is_even() -> None:
    # Groups of one frame among 100,000 hardly ever meet: the masked frames count them.
    augment = SpecAugment(time_groups=4, time_width=1, band_groups=0)
    counts = np.zeros(5, int)
    for key in range(2000):
        mel = np.ones((1, 100_000), np.float32)
        augment(mel, generator(key))
        counts[int((mel == 0).sum())] += 1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_every_frame_may_be_masked_and_short_inputs_are_taken() -> None:
    augment = SpecAugment(time_groups=2, time_width=8, band_groups=0)
    hit = np.zeros(24, bool)
    for key in range(200):
        mel = np.ones((96, 24), np.float32)
        augment(mel, generator(key))
        hit |= mel[0] == 0.0
    assert hit.all()
    tiny = np.ones((4, 3), np.float32)
    SpecAugment(time_groups=1)(tiny, generator(1))
    assert tiny.shape == (4, 3)


def test_loss_is_the_plain_one_where_all_is_known() -> None:
    logits, targets = torch.randn(5, 7), torch.rand(5, 7)
    torch.testing.assert_close(
        known_cross_entropy(logits, targets), binary_cross_entropy_with_logits(logits, targets)
    )


def test_unknown_targets_neither_count_nor_teach() -> None:
    logits = torch.randn(4, 6, requires_grad=True)
    targets = torch.rand(4, 6)
    unknown = torch.zeros(4, 6, dtype=torch.bool)
    unknown[0, :3] = unknown[2] = True
    loss = known_cross_entropy(logits, torch.where(unknown, float("nan"), targets))
    torch.testing.assert_close(
        loss, binary_cross_entropy_with_logits(logits[~unknown], targets[~unknown])
    )
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[unknown] == 0).all()
    assert (logits.grad[~unknown] != 0).all()


def test_nothing_known_gives_no_loss_and_no_gradient() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    loss = known_cross_entropy(logits, torch.full((2, 3), float("nan")))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_a_teacher_counts_half() -> None:
    own, taught, targets, hard = torch.randn(4, 2, 3).unbind()
    targets, hard = targets.sigmoid(), (hard > 0).float()
    expected = (
        binary_cross_entropy_with_logits(own, targets)
        + binary_cross_entropy_with_logits(taught, hard)
    ) / 2
    torch.testing.assert_close(taught_cross_entropy(own, targets, taught, hard), expected)
