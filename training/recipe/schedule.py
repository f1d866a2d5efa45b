"""The learning rate over an experiment (paper, section 3.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.config import ScheduleConfig


def learning_rate(epoch: float, schedule: ScheduleConfig) -> float:
    """Give the learning rate of one step.

    Parameters
    ----------
    epoch : float
        Epochs done, with the part of the present one: 0 is the first step.
    schedule : ScheduleConfig

    Returns
    -------
    float

    Notes
    -----
    The warm-up is ``exp(-5 (1 - epoch / warm_up)**2)``, of Laine and Aila (arXiv:1610.02242), as
    in the reference, which however moves once per epoch; this moves with each step.
    """
    if epoch < schedule.warm_up:
        rest = 1.0 - epoch / schedule.warm_up
        return schedule.peak * math.exp(-5.0 * rest * rest)
    if schedule.fall <= 0.0 or epoch <= schedule.constant_until:
        return schedule.peak
    done = min((epoch - schedule.constant_until) / schedule.fall, 1.0)
    return schedule.peak + done * (schedule.last - schedule.peak)
