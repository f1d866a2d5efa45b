"""Pictures made with matplotlib: without a screen, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from essentia_maest.files import written_whole
from training.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 120


def new_picture(width: float, height: float) -> Figure:
    """Make an empty picture.

    Parameters
    ----------
    width, height : float
        In inches.
    """
    # Not pyplot: it would look for a screen, and keep figures in memory.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def write_picture(picture: Figure, path: Path) -> Path:
    """Write a picture.

    Parameters
    ----------
    picture : matplotlib.figure.Figure
    path : Path
        Its ending says the format: .png, .svg, .pdf. Its folder is made if need be.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    DataError
        The format is unknown.
    OSError
        It could not be written.
    """
    formats = picture.canvas.get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in formats:
        raise DataError(
            f"{path}: wanted a picture, with one of the endings {', '.join(sorted(formats))}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as place:
        picture.savefig(place, dpi=_DOTS_PER_INCH, format=kind)
    return path
