"""A run's checkpoint to a model file, written only if it does what the trained network does."""

from training.export.command import export

__all__ = ["export"]
