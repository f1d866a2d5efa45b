"""Public checkpoints, whatever their format, to weights: one module per source format."""

from essentia_maest.making.checkpoints.checkpoint import Checkpoint
from essentia_maest.making.checkpoints.reading import read_checkpoint

__all__ = ["Checkpoint", "read_checkpoint"]
