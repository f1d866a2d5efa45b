"""A signal that comes in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import _core
from .samples import as_samples

if TYPE_CHECKING:
    from .model import Model


class Stream:
    """Results of completed segments while samples arrive; made by `Model.stream`.

    Memory does not grow with the signal: a segment's frames are held, and no more. Pieces of any
    size give, bit for bit, what one call on the whole signal gives. A stream may be used from
    several threads, its calls queue; give each signal a stream of its own.
    """

    def __init__(self, model: Model, request: _core.Request) -> None:
        self.model = model
        self._engine = _core.Stream(model._engine, request)

    def push(self, samples: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Take the next samples.

        Parameters
        ----------
        samples : array_like, shape [samples]
            Mono samples at 16 kHz.

        Returns
        -------
        numpy.ndarray, shape [n, ...], float32
            The results of the n segments that these samples complete, possibly none.

        Raises
        ------
        InvalidArgumentError
            For another shape or type or a sample that is not finite, with nothing consumed; and
            after `finish`.
        """
        return self._engine.push(as_samples(samples))[0]

    def finish(self) -> npt.NDArray[np.float32]:
        """End the signal.

        Returns
        -------
        numpy.ndarray, shape [n, ...], float32
            The results of the last segments, the one that `tail` makes included.

        Raises
        ------
        InvalidArgumentError
            If the whole signal was too short for one segment under this `tail`, and if called
            again without `reset`.
        """
        return self._engine.finish()[0]

    def reset(self) -> None:
        """Make ready for a new signal; the model stays loaded."""
        self._engine.reset()
