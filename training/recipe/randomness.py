"""Generators that depend on a seed and on what they are for, never on what was drawn before.

A draw is named by whole numbers: the seed, a purpose, then epoch, step or track. Whoever resumes
a run, or shares it between workers and machines, gets the same numbers without keeping any state.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """What random numbers are for; part of the key, so that no two uses share a sequence."""

    INITIALISATION = 0
    SAMPLING = 1
    CROP = 2
    SPEC_AUGMENT = 3
    MIXUP = 4
    PATCHOUT = 5
    SPLIT = 6
    NETWORK = 7
    CORPUS = 8


def numpy_generator(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """Make NumPy's generator for one use.

    Parameters
    ----------
    seed : int
        The run's seed, 0 or more.
    purpose : Purpose
    *keys : int
        What the draw belongs to, for instance epoch and position; each 0 or more.

    Returns
    -------
    numpy.random.Generator
    """
    return np.random.default_rng([seed, int(purpose), *keys])


def torch_generator(
    seed: int, purpose: Purpose, *keys: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Make torch's generator for one use; arguments as `numpy_generator`."""
    state = np.random.SeedSequence([seed, int(purpose), *keys]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0]) >> 1)
