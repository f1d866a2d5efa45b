"""The sizes of MAEST, and the mel frames of its segments."""

from __future__ import annotations

from typing import NamedTuple

from essentia_maest.errors import InvalidArgumentError
from essentia_maest.making import metadata
from essentia_maest.making.checkpoints.training_files import SIZE_HEADS
from training.config import ModelConfig
from training.errors import ConfigError


class Size(NamedTuple):
    """A size of transformer.

    Parameters
    ----------
    dim : int
        Width of a token.
    heads : int
        Attention heads.
    depth : int
        Blocks.
    """

    dim: int
    heads: int
    depth: int = 12


_DIMS = {"tiny": 192, "small": 384, "base": 768}
SIZES = {name: Size(dim, SIZE_HEADS[name]) for name, dim in _DIMS.items()}
"""The sizes of DeiT; the paper's models are of size base."""


def segment_frames(seconds: float) -> int:
    """Give the mel frames of a segment: a full patch grid, as in Essentia's models.

    Parameters
    ----------
    seconds : float
        Nominal length; 5, 10, 20 and 30 give 316, 626, 1256 and 1876 frames.

    Raises
    ------
    ConfigError
        If that is less than one patch.
    """
    try:
        return metadata.segment_frames(metadata.grid_columns(seconds))
    except InvalidArgumentError as error:
        raise ConfigError(str(error)) from error


def input_frames(model: ModelConfig) -> int:
    """Give the mel frames of what a network is trained and evaluated on.

    Raises
    ------
    ConfigError
        As `segment_frames`.
    """
    return segment_frames(model.seconds) if model.input_frames is None else model.input_frames
