"""The convolutional networks that the paper compares with, from `transformers`, untrained."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from essentia_maest.front_end import MEL_BANDS
from training.errors import ConfigError
from training.model.network import Network, Predictions

_LEAST_FRAMES = 32
"""Both networks halve the input five times."""


class ConvolutionalNetwork(Network):
    """An image network over mel spectrograms: its maps, averaged, then one linear layer.

    In training mode dropout, where the network has it, draws from torch's global generator.

    Parameters
    ----------
    backbone : nn.Module
        Takes [batch, 1, 96, frames] and gives a result with `pooler_output`
        [batch, features, 1, 1] or [batch, features].
    features : int
        Width of its result.
    classes : int
        Number of classes.
    dropout : float
        Share of the features dropped before the linear layer.
    """

    def __init__(self, backbone: nn.Module, *, features: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.classes = classes
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, classes)
        self._compiled: Callable[..., Tensor] | None = None
        for module in self.modules():
            # The library's own start is for weights that are loaded next: it scales the normalised
            # maps by numbers near 0, and nothing would ever come out of the last one.
            if isinstance(module, nn.Conv2d):
                _draw_kernel(module)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile what training computes, in place; arguments as `torch.compile`."""
        self._compiled = torch.compile(ConvolutionalNetwork._logits, *args, **kwargs)

    def forward(self, mel: Tensor, *, generator: torch.Generator | None = None) -> Predictions:
        """Classify normalised mel spectrograms [batch, 96, frames]; draws nothing by `generator`.

        Raises
        ------
        ValueError
            If the input has another shape.
        """
        _check_mel(mel)
        if self.training and self._compiled is not None:
            return Predictions(self._compiled(self, mel))
        return Predictions(self._logits(mel))

    def embed(self, mel: Tensor) -> Tensor:
        """Give the averaged maps of the last layer [batch, features] of [batch, 96, frames].

        Raises
        ------
        ValueError
            If the input has another shape.
        """
        _check_mel(mel)
        return self._embed(mel)

    def _embed(self, mel: Tensor) -> Tensor:
        pooled: Tensor = self.backbone(mel.unsqueeze(1)).pooler_output
        return pooled.flatten(1)

    def _logits(self, mel: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self._embed(mel)))
        return logits


def _draw_kernel(convolution: nn.Conv2d) -> None:
    """Draw a kernel so that the variance of maps is kept (He et al., ICCV 2015, backward)."""
    outputs = convolution.out_channels // convolution.groups
    fan_out = outputs * math.prod(convolution.kernel_size)
    nn.init.normal_(convolution.weight, std=math.sqrt(2.0 / fan_out))
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def _check_mel(mel: Tensor) -> None:
    if mel.ndim != 3 or mel.shape[1] != MEL_BANDS or mel.shape[2] < _LEAST_FRAMES:
        raise ValueError(
            f"mel spectrograms of shape {list(mel.shape)}: wanted [batch, {MEL_BANDS}, frames], "
            f"{_LEAST_FRAMES} frames or more"
        )


def efficientnet_b0(classes: int) -> ConvolutionalNetwork:
    """Make an EfficientNet-B0 for one channel (Tan and Le, ICML 2019), untrained.

    Parameters
    ----------
    classes : int
        Number of classes.
    """
    configuration, modeling = _transformers("efficientnet")
    dropout = 0.2
    config = configuration.EfficientNetConfig(
        num_channels=1,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=1280,
        dropout_rate=dropout,
        drop_connect_rate=0.2,
        # The share of the new batch, in torch; the default, 0.99, is TensorFlow's share of the old.
        batch_norm_momentum=0.01,
    )
    backbone = modeling.EfficientNetModel(config)
    # Its own average is over at most 1280 x 1280 places, which no exporter knows to be all.
    backbone.pooler = nn.AdaptiveAvgPool2d(1)
    return ConvolutionalNetwork(
        backbone, features=config.hidden_dim, classes=classes, dropout=dropout
    )


def resnet50(classes: int) -> ConvolutionalNetwork:
    """Make a ResNet50 for one channel (He et al., CVPR 2016), untrained.

    Parameters
    ----------
    classes : int
        Number of classes.
    """
    configuration, modeling = _transformers("resnet")
    config = configuration.ResNetConfig(
        num_channels=1,
        embedding_size=64,
        hidden_sizes=[256, 512, 1024, 2048],
        depths=[3, 4, 6, 3],
        layer_type="bottleneck",
    )
    return ConvolutionalNetwork(
        modeling.ResNetModel(config), features=config.hidden_sizes[-1], classes=classes, dropout=0.0
    )


def _transformers(name: str) -> tuple[Any, Any]:
    """Import the configuration and the networks of one family of `transformers`."""
    parts = ("configuration", "modeling")
    try:
        with _without_broken_torchaudio():
            configuration, modeling = (
                importlib.import_module(f"transformers.models.{name}.{part}_{name}")
                for part in parts
            )
    except ImportError as error:
        raise ConfigError(
            f"the baselines need the package transformers ({error}): "
            "pip install 'essentia-maest[train]'"
        ) from error
    return configuration, modeling


@contextmanager
def _without_broken_torchaudio() -> Iterator[None]:
    """Let `transformers` do without torchaudio where that is of another build than torch.

    `transformers` imports it wherever it is installed, needing it only for audio; the wheel on
    PyPI does not load beside a torch for CPUs.
    """
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio"] = None  # type: ignore[assignment]  # Python's mark for "absent"
        try:
            yield
        finally:
            del sys.modules["torchaudio"]
    else:
        yield
