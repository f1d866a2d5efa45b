"""The sizes of MAEST, and the mel frames of its segments."""

from __future__ import annotations

from typing import NamedTuple

from essentia_maest import metadata
from essentia_maest.errors import InvalidArgumentError
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


SIZES = {"tiny": Size(192, 3), "small": Size(384, 6), "base": Size(768, 12)}
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
