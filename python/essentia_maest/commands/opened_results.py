"""Results that a sub-command is about: opened, with where the music is now."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..decoding.paths import printable_path

if TYPE_CHECKING:
    from ..library.neighbours import Neighbours
    from ..library.ranks import RankedLabel
    from ..results.opened import Results


def add_results(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the arguments that name results."""
    parser.add_argument(
        "results",
        metavar="OUT",
        nargs="?" if optional else None,
        help="folder that `maest analyze -o` wrote",
    )
    parser.add_argument(
        "--root",
        metavar="FOLDER",
        help="where the folder that was analysed is now, if it was moved since",
    )


@dataclass(frozen=True)
class Library:
    """Results, and where the music is now.

    Attributes
    ----------
    results : Results
        The tables.
    root : str or None
        Where the folder that was analysed is now; None is where it was.
    """

    results: Results
    root: str | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Library:
        """Open what `add_results` named.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            There are no results, or none of one root.
        """
        from ..results.opened import open_results

        root = None if arguments.root is None else os.path.abspath(arguments.root)
        return cls(open_results(arguments.results), root)

    @cached_property
    def files(self) -> list[str]:
        """Absolute path of each track."""
        return self.results.files_below(self.root)

    @cached_property
    def names(self) -> list[str]:
        """Path of each track relative to the folder that was analysed."""
        from ..results.parquet import column_values
        from ..results.path_text import path_of_text

        return [path_of_text(text) for text in column_values(self.results.tracks, "path")]

    def column(self, name: str) -> list[Any]:
        """Give a column of the tracks."""
        from ..results.parquet import column_values

        return column_values(self.results.tracks, name)

    @cached_property
    def vectors(self) -> Any:
        """Embeddings as they are kept: float32 or float16, shape [tracks, values]."""
        return self.results.embeddings(as_kept=True)[0]

    @cached_property
    def search(self) -> Neighbours:
        """Nearest neighbours, each audio once."""
        from ..library.neighbours import Neighbours

        return Neighbours(self.vectors, self.column("audio_hash"))

    def find(self, asked: str) -> int:
        """Find a track: see `essentia_maest.library.finding.find_track`."""
        from ..library.finding import find_track

        return find_track(asked, self.files, self.names)

    def standing_out(self, rows: list[int], count: int) -> list[list[RankedLabel]]:
        """Give labels of tracks by rank; empty where nothing was predicted."""
        if "predictions" not in self.results.tracks.column_names:
            return [[] for _ in rows]
        return self.results.standing_out(count, rows)

    def shown(self, row: int) -> str:
        """Spell where a track is: from the working directory, where it is below that."""
        here = os.path.join(os.getcwd(), "")
        return printable_path(self.files[row].removeprefix(here))

    def not_there(self, rows: list[int]) -> list[str]:
        """Give the files that are not where they should be."""
        return [self.files[row] for row in rows if not os.path.lexists(self.files[row])]
