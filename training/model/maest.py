"""MAEST in PyTorch, with the parameter names of public checkpoints (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from essentia_maest import _core
from essentia_maest.front_end import MEL_BANDS
from essentia_maest.making.weights import EMBEDDING_PARTS, GRID_ROWS, PATCH_SIZE, PATCH_STRIDE
from training.config import PatchoutConfig
from training.errors import ConfigError
from training.model.layers import (
    NORM_EPSILON,
    Block,
    PatchEmbedding,
    Standardisation,
    embedding_of,
    patch_values,
)
from training.model.network import Network, Predictions
from training.model.patchout import check_patchout, draw_kept

_INITIAL_STD = 0.02
_CLASS_TOKENS = 2


def grid_columns(frames: int) -> int:
    """Give the patch columns of so many mel frames."""
    return _core.patches.columns(frames)


class MAEST(Network):
    """A vision transformer of mel spectrograms, with separate encodings of time and frequency.

    In training mode patches are dropped at random, the same for the whole batch, and inputs with
    fewer columns than the time encoding take a random stretch of it; in evaluation mode everything
    is kept and encodings start at the first column.

    Parameters
    ----------
    dim : int
        Width of a token.
    depth : int
        Number of transformer blocks.
    heads : int
        Attention heads.
    classes : int
        Number of classes.
    segment_frames : int
        Mel frames of a segment; sets the length of the time encoding. Shorter inputs are taken.
    head : {"mean", "separated", "embedding"}
        mean: one head on the mean of the cls and dist tokens. separated: in training `head` tells
        the logits from cls and `head_dist` those for the teacher from dist; else the logits are
        the mean of both, as in DeiT. embedding: one linear head on what the engine gives as the
        last block's embedding, standardised by numbers that do not learn.
    patchout : PatchoutConfig
        What training drops.
    mlp_ratio : int
        Width of a block's hidden layer, in widths of a token.
    narrow_stream : bool
        In mixed precision, tokens are 16 bits wide between blocks too, not within them only.
    recompute : bool
        In training, keep each block's input only (Chen et al., arXiv:1604.06174).

    Raises
    ------
    ConfigError
        If the sizes do not fit together, or patchout leaves nothing.
    """

    def __init__(
        self,
        *,
        dim: int,
        depth: int,
        heads: int,
        classes: int,
        segment_frames: int,
        head: Literal["mean", "separated", "embedding"] = "mean",
        patchout: PatchoutConfig | None = None,
        mlp_ratio: int = 4,
        narrow_stream: bool = False,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        if min(dim, depth, heads, classes, mlp_ratio) < 1 or dim % heads:
            raise ConfigError(
                f"a MAEST of width {dim}, {depth} blocks, {heads} attention heads, {classes} "
                f"classes and MLP ratio {mlp_ratio}: wanted 1 or more of each, and heads that "
                "divide the width"
            )
        if head not in ("mean", "separated", "embedding"):
            raise ConfigError(f"head {head!r}: wanted 'mean', 'separated' or 'embedding'")
        if segment_frames < PATCH_SIZE:
            raise ConfigError(f"segments of {segment_frames} frames: wanted at least {PATCH_SIZE}")
        self.patchout = patchout or PatchoutConfig()
        self.columns = grid_columns(segment_frames)
        check_patchout(GRID_ROWS, self.columns, self.patchout)
        self.dim, self.depth, self.heads, self.classes = dim, depth, heads, classes
        self.segment_frames = segment_frames
        self.head_type = head
        self.narrow_stream = narrow_stream
        self.recompute = recompute

        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.dist_token = nn.Parameter(torch.empty(1, 1, dim))
        self.new_pos_embed = nn.Parameter(torch.empty(1, _CLASS_TOKENS, dim))
        self.freq_new_pos_embed = nn.Parameter(torch.empty(1, dim, GRID_ROWS, 1))
        self.time_new_pos_embed = nn.Parameter(torch.empty(1, dim, 1, self.columns))
        self.patch_embed = PatchEmbedding(dim)
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio * dim) for _ in range(depth))
        if head == "embedding":
            width = EMBEDDING_PARTS * dim
            self.head = nn.Sequential(Standardisation(width), nn.Linear(width, classes))
        else:
            self.norm = nn.LayerNorm(dim, eps=NORM_EPSILON)
            self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, classes))
            self.head_dist = nn.Linear(dim, classes)
            # Public checkpoints have it though nothing reads it; it must not wait for gradients.
            self.head_dist.requires_grad_(head == "separated")
        self._compiled: Callable[..., Predictions] | None = None
        self._draw_weights()

    def _draw_weights(self) -> None:
        """Draw tokens, encodings and matrices as the reference does; the rest is torch's own."""
        tokens = (self.cls_token, self.dist_token)
        encodings = (self.new_pos_embed, self.freq_new_pos_embed, self.time_new_pos_embed)
        linears = [module for module in self.modules() if isinstance(module, nn.Linear)]
        for parameter in (*tokens, *encodings, *(linear.weight for linear in linears)):
            nn.init.trunc_normal_(parameter, std=_INITIAL_STD)
        for linear in linears:
            nn.init.zeros_(linear.bias)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile what training computes, in place; arguments as `torch.compile`.

        Patchout is drawn outside, so that a new draw compiles nothing anew, and shapes are taken as
        fixed, as they are in a run. Evaluation, whose shapes are others, is left as it is. State
        dicts keep their names.
        """
        # Not bound to this instance: a copy, as weight averaging makes, must compute with its own.
        self._compiled = torch.compile(MAEST._predict, *args, **({"dynamic": False} | kwargs))

    def forward(
        self,
        mel: Tensor,
        *,
        generator: torch.Generator | None = None,
        kept: Tensor | None = None,
        offset: int | None = None,
    ) -> Predictions:
        """Classify.

        Parameters
        ----------
        mel : Tensor of floating point [batch, 96, frames]
            Normalised.
        generator : torch.Generator, optional
            Of the CPU; needed in training mode where something is to be drawn.
        kept : Tensor of int64 [kept], optional
            The patches to keep, indices in the input's row-major grid; by default drawn in
            training mode, else all.
        offset : int, optional
            First column of the time encoding; by default drawn in training mode, else 0.

        Returns
        -------
        Predictions

        Raises
        ------
        ValueError
            If the input or an argument does not fit the model, or the generator is missing.
        ConfigError
            If patchout leaves nothing of the input.
        """
        places = self._places(mel, kept, offset, generator)
        if self.training and self._compiled is not None:
            return self._compiled(self, mel, *places)
        return self._predict(mel, *places)

    def tokens(self, mel: Tensor, block: int, kept: Tensor | None = None) -> Tensor:
        """Give the tokens after a block, before the final norm.

        Parameters
        ----------
        mel : Tensor [batch, 96, frames]
            Normalised.
        block : int
            1 to the depth.
        kept : Tensor of int64 [kept], optional
            As for `forward`, but all by default in training mode too.

        Returns
        -------
        Tensor [batch, 2 + kept, dim]
            cls, dist, then patches in the order of `kept`.

        Raises
        ------
        ValueError
            If an argument does not fit the model.
        """
        if not 1 <= block <= self.depth:
            raise ValueError(f"block {block}: wanted 1 to {self.depth}")
        if kept is None:
            kept = torch.arange(GRID_ROWS * self._checked_columns(mel))
        tokens = self._embed(mel, *self._places(mel, kept, 0, None))
        for layer in list(self.blocks)[:block]:
            tokens = layer(tokens)
        return tokens

    def embeddings(self, mel: Tensor, blocks: Sequence[int]) -> Tensor:
        """Give the embeddings of blocks, as the engine gives them.

        Parameters
        ----------
        mel : Tensor [batch, 96, frames]
            Normalised.
        blocks : sequence of int
            Ascending, each 1 to the depth.

        Returns
        -------
        Tensor [batch, blocks, 3 * dim]
        """
        kept = torch.arange(GRID_ROWS * self._checked_columns(mel))
        tokens = self._embed(mel, *self._places(mel, kept, 0, None))
        found = []
        for number, layer in enumerate(list(self.blocks)[: max(blocks)], start=1):
            tokens = layer(tokens)
            if number in blocks:
                found.append(embedding_of(tokens))
        return torch.stack(found, dim=1)

    def predict_masked(
        self, mel: Tensor, mask: Tensor, share: float, generator: torch.Generator
    ) -> tuple[Predictions, Tensor, Tensor]:
        """Classify with some of the patches that patchout keeps masked.

        Parameters
        ----------
        mel : Tensor [batch, 96, frames]
            Normalised.
        mask : Tensor [dim]
            What stands for a masked patch, before its encodings.
        share : float
            Of the patches, above 0 and below 1; the same ones for the whole batch.
        generator : torch.Generator
            Of the CPU.

        Returns
        -------
        predictions : Predictions
        tokens : Tensor [batch, masked, dim]
            Of the masked patches, after the last block.
        patches : Tensor [batch, masked, 256]
            What was masked: normalised mel values.
        """
        row, column, encoding = self._places(mel, None, None, generator)
        count = max(1, round(share * len(row)))
        masked = torch.randperm(len(row), generator=generator)[:count].to(mel.device)
        hidden = torch.zeros(len(row), 1, dtype=torch.bool, device=mel.device)
        hidden[masked] = True
        patches = torch.where(hidden, mask, self.patch_embed(mel, row, column))
        tokens = self._with_pair(patches + self._encodings(row, encoding))
        for block in self.blocks:
            tokens = self._run(block, tokens)
        told = tokens[:, _CLASS_TOKENS + masked]
        values = patch_values(mel, row[masked], column[masked])
        return self._classify(tokens), told, values

    def _checked_columns(self, mel: Tensor) -> int:
        """Give the patch columns of an input that fits the model."""
        longest = PATCH_SIZE + PATCH_STRIDE * self.columns - 1
        if mel.ndim != 3 or mel.shape[1] != MEL_BANDS:
            raise ValueError(
                f"mel spectrograms of shape {list(mel.shape)}: wanted [batch, {MEL_BANDS}, frames]"
            )
        if not PATCH_SIZE <= mel.shape[2] <= longest:
            raise ValueError(
                f"mel spectrograms of {mel.shape[2]} frames: wanted {PATCH_SIZE} to {longest}"
            )
        return grid_columns(mel.shape[2])

    def _places(
        self,
        mel: Tensor,
        kept: Tensor | None,
        offset: int | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Give the row, the column and the encoding's column of every kept patch."""
        columns = self._checked_columns(mel)
        spare = self.columns - columns
        if kept is None:
            if self.training and self.patchout != PatchoutConfig():
                kept = draw_kept(GRID_ROWS, columns, self.patchout, _needed(generator))
            else:
                kept = torch.arange(GRID_ROWS * columns)
        else:
            _check_kept(kept, GRID_ROWS * columns)
        if offset is None:
            offset = 0
            if self.training and spare:
                drawn = torch.randint(spare + 1, (), generator=_needed(generator))
                offset = int(drawn)
        elif not 0 <= offset <= spare:
            raise ValueError(f"offset {offset}: wanted 0 to {spare} for {columns} columns")
        row = torch.div(kept, columns, rounding_mode="floor")
        column = kept - row * columns
        places = torch.stack([row, column, column + offset]).to(mel.device, non_blocking=True)
        return places[0], places[1], places[2]

    def _embed(self, mel: Tensor, row: Tensor, column: Tensor, encoding: Tensor) -> Tensor:
        """Give the tokens that enter block 1: cls, dist, then the kept patches."""
        patches = self.patch_embed(mel, row, column) + self._encodings(row, encoding)
        return self._with_pair(patches)

    def _encodings(self, row: Tensor, encoding: Tensor) -> Tensor:
        # Tables, for their gradients are sums in a fixed order on every device.
        frequency = functional.embedding(row, self.freq_new_pos_embed[0, :, :, 0].T)
        time = functional.embedding(encoding, self.time_new_pos_embed[0, :, 0].T)
        return frequency + time

    def _with_pair(self, patches: Tensor) -> Tensor:
        pair = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        tokens = torch.cat([pair.expand(len(patches), -1, -1), patches], dim=1)
        device = patches.device.type
        if self.narrow_stream and torch.is_autocast_enabled(device):
            return tokens.to(torch.get_autocast_dtype(device))
        return tokens

    def _predict(self, mel: Tensor, row: Tensor, column: Tensor, encoding: Tensor) -> Predictions:
        tokens = self._embed(mel, row, column, encoding)
        *others, last = self.blocks
        for block in others:
            tokens = self._run(block, tokens)
        read = () if self.head_type == "embedding" else (_CLASS_TOKENS,)
        return self._classify(self._run(last, tokens, *read))

    def _classify(self, tokens: Tensor) -> Predictions:
        """Classify by the tokens that leave the last block."""
        if self.head_type == "embedding":
            return Predictions(self.head(embedding_of(tokens)))
        pair = self.norm(tokens[:, :_CLASS_TOKENS])
        if self.head_type == "mean":
            return Predictions(self.head(pair.mean(dim=1)))
        logits, teacher = self.head(pair[:, 0]), self.head_dist(pair[:, 1])
        if self.training:
            return Predictions(logits, teacher)
        return Predictions((logits + teacher) / 2)

    def _run(self, block: nn.Module, *inputs: Any) -> Tensor:
        # Of a frozen block nothing is kept anyway.
        if self.recompute and self.training and next(block.parameters()).requires_grad:
            result: Tensor = checkpoint(
                block, *inputs, use_reentrant=False, preserve_rng_state=False
            )
        else:
            result = block(*inputs)
        return result


def _needed(generator: torch.Generator | None) -> torch.Generator:
    if generator is None:
        raise ValueError(
            "training draws patches and the place in the time encoding: wanted a generator"
        )
    return generator


def _check_kept(kept: Tensor, patches: int) -> None:
    if kept.dtype != torch.int64 or kept.ndim != 1 or not len(kept):
        raise ValueError(
            f"kept is {kept.dtype} {list(kept.shape)}; wanted int64 [kept], at least one"
        )
    if kept.device.type == "cpu" and not 0 <= int(kept.min()) <= int(kept.max()) < patches:
        raise ValueError(
            f"kept has indices from {int(kept.min())} to {int(kept.max())}; wanted 0 to "
            f"{patches - 1}"
        )
