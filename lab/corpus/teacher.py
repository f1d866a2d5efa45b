"""musicnn, the teacher: what two public taggers think of a piece of music.

The networks are those of the package `musicnn` 0.1.0 (Pons and Serra, 2019; ISC licence), with
its weights: one trained on MagnaTagATune, one on the Million Song Dataset, 50 tags each.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own usage)

from lab.corpus.checkpoint_arrays import checkpoint_arrays
from lab.corpus.packages import python_package
from training.errors import CheckpointError

MUSICNN = "musicnn==0.1.0"
WINDOW_FRAMES = 187
"""Length of the network's input: 3 s."""

BANDS = 96

_TIMBRAL_WIDTHS = (38, 67)
_TEMPORAL_LENGTHS = (128, 64, 32)
_MID_CHANNELS = 64
_BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Tagger:
    """One of the package's models.

    Parameters
    ----------
    family : str
        The data set whose tags it gives; the family of our classes.
    folder : str
        Of its checkpoint, in the package.
    labels : str
        The variable of the package's configuration that lists the tags.
    """

    family: str
    folder: str
    labels: str


TAGGERS = (
    Tagger("MagnaTagATune", "MTT_musicnn", "MTT_LABELS"),
    Tagger("MillionSong", "MSD_musicnn", "MSD_LABELS"),
)


class MusiCNN(nn.Module):
    """The network, for inference.

    Parameters
    ----------
    weights : mapping of str to float32 array
        The checkpoint's tensors, under TensorFlow's names.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        super().__init__()
        self.normal = nn.ModuleList(_batch_norm(weights, number) for number in range(11))
        self.convolutions = nn.ModuleList(_convolution(weights, number) for number in range(8))
        self.hidden = _linear(weights, "dense")
        self.output = _linear(weights, "dense_1")
        self.eval().requires_grad_(False)

    def forward(self, mel: Tensor) -> Tensor:
        """Tag windows.

        Parameters
        ----------
        mel : float32 [batch, frames, 96]
            log10(1 + 10000 x), as `essentia_maest.mel_spectrogram` gives it.

        Returns
        -------
        float32 [batch, tags]
            Logits.
        """
        return self.classify(self.penultimate(mel))

    def classify(self, hidden: Tensor) -> Tensor:
        """Give the logits [batch, tags] that follow from what `penultimate` gives."""
        logits: Tensor = self.output(self.normal[10](hidden))
        return logits

    def penultimate(self, mel: Tensor) -> Tensor:
        """Give the last layer but one [batch, 200], rectified, for what `forward` takes."""
        normal = list(self.normal)
        convolve = list(self.convolutions)
        x = normal[0](mel[:, None])  # [batch, 1, frames, bands]

        fronts = []
        padded = F.pad(x, (0, 0, 3, 3))
        for number in range(len(_TIMBRAL_WIDTHS)):
            fronts.append(_strongest(convolve[number](padded), normal[1 + number]))
        for number, length in enumerate(_TEMPORAL_LENGTHS, start=2):
            # as TensorFlow pads for an even length: one frame more after than before
            padded = F.pad(x, (0, 0, (length - 1) // 2, length // 2))
            fronts.append(_strongest(convolve[number](padded), normal[1 + number]))
        front = torch.cat(fronts, 1)  # [batch, channels, frames]

        layers = [front]
        for number in (5, 6, 7):
            # the channels below are the width of the image that the next layer sees
            image = F.pad(layers[-1].transpose(1, 2)[:, None], (0, 0, 3, 3))
            layer = normal[1 + number](F.relu(convolve[number](image))).squeeze(3)
            layers.append(layer if number == 5 else layer + layers[-1])
        features = torch.cat(layers, 1)
        pooled = torch.stack([features.amax(2), features.mean(2)], 2).flatten(1)
        return F.relu(self.hidden(normal[9](pooled)))


class Teacher:
    """Both taggers.

    Parameters
    ----------
    cache : path
        Where packages are kept.

    Raises
    ------
    DataError
        The package cannot be had.
    CheckpointError
        Its files are not what they ought to be.
    """

    def __init__(self, cache: Path) -> None:
        package = python_package(MUSICNN, cache) / "musicnn"
        labels = _read_labels(package / "configuration.py")
        self.classes: tuple[str, ...] = ()
        self._networks = []
        for tagger in TAGGERS:
            tags = labels[tagger.labels]
            self.classes += tuple(f"{tagger.family}---{tag}" for tag in tags)
            network = load_tagger(package / tagger.folder, cache)
            if network.output.out_features != len(tags):
                raise CheckpointError(
                    f"{tagger.folder} gives {network.output.out_features} tags; "
                    f"configuration.py names {len(tags)}"
                )
            self._networks.append(network)

    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tag a track.

        Parameters
        ----------
        mel : float32 [frames, 96]
            As `essentia_maest.mel_spectrogram` gives it; at least one window of 187 frames.

        Returns
        -------
        float32 [classes]
            Activations 0..1, the mean over the track's windows (end to end, none repeated).

        Raises
        ------
        ValueError
            When the spectrogram has another shape or is shorter than a window.
        """
        return self.listen(mel)[0]

    @torch.inference_mode()
    def listen(self, mel: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Tag a track as a call does, and give its embedding.

        Returns
        -------
        activations : float32 [classes]
        embedding : float32 [400]
            The last layer but one of both networks, the mean over the same windows.
        """
        if mel.ndim != 2 or mel.shape[1] != BANDS or len(mel) < WINDOW_FRAMES:
            raise ValueError(
                f"the teacher wants a mel spectrogram [{WINDOW_FRAMES} or more frames, {BANDS}]; "
                f"got {list(mel.shape)}"
            )
        count = len(mel) // WINDOW_FRAMES
        windows = torch.from_numpy(
            np.ascontiguousarray(mel[: count * WINDOW_FRAMES], np.float32)
        ).view(count, WINDOW_FRAMES, BANDS)
        hidden = [network.penultimate(windows) for network in self._networks]
        activations = [
            network.classify(values).sigmoid().mean(0)
            for network, values in zip(self._networks, hidden, strict=True)
        ]
        return (
            torch.cat(activations).numpy().astype(np.float32),
            torch.cat([values.mean(0) for values in hidden]).numpy().astype(np.float32),
        )


def load_tagger(folder: Path, cache: Path) -> MusiCNN:
    """Build a tagger from its checkpoint.

    Parameters
    ----------
    folder : path
        Of the checkpoint, in the unpacked package.
    cache : path
        Where packages are kept.

    Returns
    -------
    MusiCNN

    Raises
    ------
    CheckpointError
        When the checkpoint cannot be read or is of another network.
    """
    weights = checkpoint_arrays(folder, cache)
    try:
        return MusiCNN(weights)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{folder} is not a musicnn checkpoint: {error}") from error


def _strongest(image: Tensor, normal: nn.Module) -> Tensor:
    """Rectify, normalise and take the maximum over frequency, [batch, channels, frames].

    The maximum comes first here: both other steps keep the order of values, or turn it round
    where the normalisation's weight is negative. A third of the time is saved.
    """
    low, high = torch.aminmax(image, dim=3)
    weight = normal.get_parameter("weight")
    chosen = torch.where(weight[:, None] >= 0, high, low)
    found: Tensor = normal(F.relu(chosen)[..., None]).squeeze(3)
    return found


def _read_labels(configuration: Path) -> dict[str, list[str]]:
    """Read the lists of text that a Python file assigns, without running it."""
    try:
        tree = ast.parse(configuration.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise CheckpointError(f"{configuration} cannot be read: {error}") from error
    lists = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.List):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            lists.update(dict.fromkeys(names, ast.literal_eval(statement.value)))
    return lists


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _batch_norm(weights: Mapping[str, NDArray[np.float32]], number: int) -> nn.Module:
    name = _numbered("batch_normalization", number)
    size = len(weights[f"{name}/gamma"])
    flat = number > 8  # the last two follow dense layers
    norm = (nn.BatchNorm1d if flat else nn.BatchNorm2d)(size, eps=_BATCH_NORM_EPSILON)
    for ours, theirs in (
        (norm.weight, "gamma"),
        (norm.bias, "beta"),
        (norm.running_mean, "moving_mean"),
        (norm.running_var, "moving_variance"),
    ):
        _fill(ours, weights[f"{name}/{theirs}"])
    return norm


def _convolution(weights: Mapping[str, NDArray[np.float32]], number: int) -> nn.Conv2d:
    name = _numbered("conv2d", number)
    kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)  # to [out, in, time, frequency]
    made = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2:])
    _fill(made.weight, kernel)
    _fill(made.bias, weights[f"{name}/bias"])
    return made


def _linear(weights: Mapping[str, NDArray[np.float32]], name: str) -> nn.Linear:
    kernel = weights[f"{name}/kernel"].T
    made = nn.Linear(kernel.shape[1], kernel.shape[0])
    _fill(made.weight, kernel)
    _fill(made.bias, weights[f"{name}/bias"])
    return made


def _fill(ours: Tensor | None, theirs: NDArray[np.float32]) -> None:
    assert ours is not None
    with torch.no_grad():
        ours.copy_(torch.from_numpy(np.ascontiguousarray(theirs)))
