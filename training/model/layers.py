"""The parts of a transformer, with the parameter names of timm, PaSST and palonso/MAEST."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from essentia_maest.making.weights import PATCH_SIZE, PATCH_STRIDE

NORM_EPSILON = 1e-6


class PatchEmbedding(nn.Module):
    """Projects patches of 16 mel bands and 16 frames; what is dropped is never projected."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # Held as the convolution that checkpoints know; computed as a matrix product.
        self.proj = nn.Conv2d(1, dim, kernel_size=PATCH_SIZE, stride=PATCH_STRIDE)

    def forward(self, mel: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Project the patches at some places of the grid.

        Parameters
        ----------
        mel : Tensor [batch, bands, frames]
        rows, columns : Tensor of int64 [kept]

        Returns
        -------
        Tensor [batch, kept, dim]
        """
        patches = patch_values(mel, rows, columns)
        return functional.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


def patch_values(mel: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Give the values [batch, kept, 256] of patches; arguments as `PatchEmbedding` takes."""
    grid = mel.unfold(1, PATCH_SIZE, PATCH_STRIDE).unfold(2, PATCH_SIZE, PATCH_STRIDE)
    return grid[:, rows, columns].flatten(2)


class _Normalised(torch.autograd.Function):
    """Tokens to mean 0 and variance 1 each; what the gradient needs is kept as narrow as it leaves.

    torch's own layer norm keeps its result in float32 beside the narrow copy that a matrix product
    takes: a quarter of what a norm moves through a GPU's memory.
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        centred = tokens.float()
        centred = centred - centred.mean(-1, keepdim=True)
        scale = torch.rsqrt(centred.square().mean(-1, keepdim=True) + epsilon)
        normed = (centred * scale).to(dtype)
        ctx.save_for_backward(normed, scale)
        ctx.dtype = tokens.dtype
        return normed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        normed, scale = ctx.saved_tensors
        wide, gradient = normed.float(), gradient.float()
        along = wide * (gradient * wide).mean(-1, keepdim=True)
        changed = scale * (gradient - gradient.mean(-1, keepdim=True) - along)
        return changed.to(ctx.dtype), None, None


def normed_input(
    norm: nn.LayerNorm, linear: nn.Linear, tokens: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Give what a linear layer behind a norm multiplies: input, weight and bias.

    Compiled, in mixed precision, the norm's own weight and bias are worked into the linear layer's:
    their gradients then come from its, with no pass over the tokens of their own.
    """
    device = tokens.device.type
    if not (torch.compiler.is_compiling() and torch.is_autocast_enabled(device)):
        return norm(tokens), linear.weight, linear.bias
    narrow = torch.get_autocast_dtype(device)
    normed: Tensor = _Normalised.apply(  # type: ignore[no-untyped-call]
        tokens, norm.eps, narrow
    )
    bias = linear.bias + (linear.weight * norm.bias).sum(1)
    return normed, linear.weight * norm.weight, bias


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, norm: nn.LayerNorm, wanted: int | None = None) -> Tensor:
        """Mix tokens.

        Parameters
        ----------
        tokens : Tensor [batch, tokens, dim]
        norm : nn.LayerNorm
            What they go through first.
        wanted : int, optional
            How many tokens, from the first, to compute; all attend to every token.

        Returns
        -------
        Tensor [batch, wanted, dim]
        """
        normed, weight, bias = normed_input(norm, self.qkv, tokens)
        if wanted is None:
            query, key, value = self._split(functional.linear(normed, weight, bias), 3)
        else:
            dim = tokens.shape[2]
            weights, biases = (torch.split(both, [dim, 2 * dim]) for both in (weight, bias))
            first = functional.linear(normed[:, :wanted], weights[0], biases[0])
            (query,) = self._split(first, 1)
            key, value = self._split(functional.linear(normed, weights[1], biases[1]), 2)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        output: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return output

    def _split(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Split [batch, tokens, parts * dim] into `parts` of [batch, heads, tokens, head dim]."""
        batch, count, width = projected.shape
        split = projected.view(batch, count, parts, self.heads, width // (parts * self.heads))
        return torch.unbind(split.permute(2, 0, 3, 1, 4))


class Perceptron(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor, norm: nn.LayerNorm) -> Tensor:
        """Transform every token by itself, after the norm."""
        hidden = functional.linear(*normed_input(norm, self.fc1, tokens))
        output: Tensor = self.fc2(functional.gelu(hidden))
        return output


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.mlp = Perceptron(dim, hidden)

    def forward(self, tokens: Tensor, wanted: int | None = None) -> Tensor:
        """Transform tokens [batch, tokens, dim]; of the result, only the first `wanted` if given.

        The last block's other tokens feed nothing, so that their queries and their perceptron
        need not be computed.
        """
        attended = tokens[:, :wanted] + self.attn(tokens, self.norm1, wanted)
        output: Tensor = attended + self.mlp(attended, self.norm2)
        return output


class Standardisation(nn.Module):
    """Takes a mean from values and multiplies them with a scale: numbers that do not learn."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, values: Tensor) -> Tensor:
        """Standardise values [..., width]."""
        return (values - self.mean) * self.scale


def embedding_of(tokens: Tensor) -> Tensor:
    """Give the embedding of a block's tokens [batch, 2 + patches, dim]: [batch, 3 * dim].

    As the engine gives it: cls, dist, and the mean of the others.
    """
    return torch.cat([tokens[:, 0], tokens[:, 1], tokens[:, 2:].mean(dim=1)], dim=1)
