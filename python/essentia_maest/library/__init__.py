"""What people do with an analysed library of music: arrays and paths in, answers out."""

from .neighbours import Neighbours
from .ranks import RankedLabel, percentiles
from .route import route

__all__ = ["Neighbours", "RankedLabel", "percentiles", "route"]
