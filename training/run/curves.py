"""Learning curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path

from training.errors import DataError
from training.pictures import new_picture, write_picture

from .logs import EPOCHS, STEPS, read_rows


def curves(run: Path, output: Path | None = None) -> Path:
    """Draw the losses, the learning rate and the mAP and ROC-AUC of both sets of weights.

    Parameters
    ----------
    run : path
        Folder of a run, finished or not.
    output : path, optional
        Picture to write, .png, .svg or .pdf; by default RUN/curves.png.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    DataError
        The folder has no logs, or nothing in them.
    """
    steps, epochs = _rows(run / STEPS), _rows(run / EPOCHS)
    if not steps and not epochs:
        raise DataError(f"{run}: its logs are empty so far")
    output = run / "curves.png" if output is None else output
    figure = new_picture(10, 7)
    axes = figure.subplots(2, 2, sharex=True)
    panels = (
        (axes[0, 0], "loss", ("loss", "averaged_loss")),
        (axes[0, 1], "mAP", ("mean_average_precision", "averaged_mean_average_precision")),
        (axes[1, 1], "ROC-AUC", ("roc_auc", "averaged_roc_auc")),
    )
    position = [row["step"] for row in steps]
    losses = [row["loss"] for row in steps]
    axes[0, 0].plot(position, losses, color="lightgray", label="training, steps")
    axes[1, 0].plot(position, [row["learning_rate"] for row in steps], color="black")
    axes[1, 0].set_ylabel("learning rate")
    position = [row["step"] for row in epochs]
    axes[0, 0].plot(position, [row["train_loss"] for row in epochs], "k.-", label="training")
    for axis, title, names in panels:
        for name, label in zip(names, ("validation, last", "validation, averaged"), strict=True):
            axis.plot(position, [row[name] for row in epochs], ".-", label=label)
        axis.set_ylabel(title)
        axis.legend()
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    for axis in axes[1]:
        axis.set_xlabel("step")
    figure.suptitle(run.resolve().name)
    return write_picture(figure, output)


def _rows(path: Path) -> list[dict[str, float]]:
    try:
        return read_rows(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; is {path.parent} a run's folder?") from None
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: not a run's log: {error}") from None
