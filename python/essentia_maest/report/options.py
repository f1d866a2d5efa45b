"""What is asked of a page."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidArgumentError

MAPS = ("tsne", "pca")
"""How a map is made: by neighbours, or by the two directions in which tracks differ most."""


@dataclass(frozen=True)
class PageOptions:
    """What is wanted of a page.

    Attributes
    ----------
    map : str
        A name of `MAPS`.
    limit : int
        Tracks at the most; of more, some that are spread evenly.
    over_time : int
        Of so many of them, from the first on, tags over time are kept.
    """

    map: str = MAPS[0]
    limit: int = 200_000
    over_time: int = 20_000

    def check(self) -> None:
        """Check that it can be done.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            It cannot.
        """
        if self.map not in MAPS:
            raise InvalidArgumentError(f"map is {self.map!r}; wanted: {', '.join(MAPS)}")
        if self.limit < 1:
            raise InvalidArgumentError(f"limit is {self.limit}; wanted: 1 or more tracks")
        if self.over_time < 0:
            raise InvalidArgumentError(f"over_time is {self.over_time}; wanted: 0 or more tracks")
