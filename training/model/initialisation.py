"""What the weights start from: other networks' checkpoints, made to fit (paper, section 3.2)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from essentia_maest.making.checkpoints.checkpoint import listing
from essentia_maest.making.weights import GRID_ROWS, PATCH_SIZE
from training.errors import CheckpointError, ConfigError
from training.model.maest import MAEST
from training.model.network import Network
from training.model.pretrained import PUBLIC_NORMALISATION, Pretrained, read_pretrained

Source = Literal["random", "deit", "passt", "maest"]

_FILES = {
    "deit": "deit_base_distilled_patch16_384-*.pth",
    "passt": "passt-s-f128-p16-s10-ap.476-swa.pt",
    "maest": "any checkpoint of a MAEST, for instance discogs-maest-30s-pw-129e-swa.ckpt, or a "
    "model file",
}
_FREQUENCY, _TIME = "freq_new_pos_embed", "time_new_pos_embed"
_KERNEL = "patch_embed.proj.weight"
_CLASS_TOKENS = 2

Arrays = dict[str, Tensor]


class Start(NamedTuple):
    """What a network started from.

    Parameters
    ----------
    notes : list of str
        What was interpolated, summed, left out or made anew.
    normalisation : tuple of float, optional
        Mean and standard deviation that the weights' inputs were normalised by; None where they
        come from no spectrograms of this front end.
    """

    notes: list[str]
    normalisation: tuple[float, float] | None = None


def initialise(
    network: Network,
    source: Source,
    checkpoint: Path | None,
    classes: Sequence[str] | None = None,
) -> Start:
    """Start a network from another one's weights.

    Parameters
    ----------
    network : Network
        Changed in place, once all has been checked.
    source : {"random", "deit", "passt", "maest"}
        random leaves the network as it is. deit: DeiT B distilled 384, whose encodings of a
        square image are interpolated to the patch grid and averaged along each axis. passt:
        PaSST-S, and maest: any MAEST; their encodings are interpolated to the network's lengths.
    checkpoint : Path, optional
        The file, or the name of a model that ships or was fetched, for all but random.
    classes : sequence of str, optional
        Names of the network's classes: the checkpoint's head is kept if it has the same, in
        whatever order. None: those of the checkpoint, whatever it calls them.

    Returns
    -------
    Start

    Raises
    ------
    ConfigError
        If the arguments do not go together.
    CheckpointError
        If the checkpoint is missing, damaged, of another kind or size, or has values that are
        not finite.
    """
    if source == "random":
        if checkpoint is not None:
            raise ConfigError(f"initialisation: random takes no checkpoint, found {checkpoint}")
        return Start(["weights: random"])
    if source not in _FILES:
        raise ConfigError(f"initialisation {source!r}: wanted random, {', '.join(_FILES)}")
    if not isinstance(network, MAEST):
        raise ConfigError(f"initialisation {source!r}: only MAEST has it; wanted random")
    if checkpoint is None:
        raise ConfigError(f"initialisation {source!r}: wanted its checkpoint, {_FILES[source]}")
    pretrained = read_pretrained(Path(checkpoint))
    notes = [f"weights: {source}, {checkpoint}", *pretrained.notes]
    arrays = dict(pretrained.arrays)
    origin = str(checkpoint)
    _check_kind(arrays, source, origin)
    _check_size(pretrained, network, origin)
    if source == "deit":
        notes += _split_image_encodings(arrays, network.columns, origin)
    else:
        notes += _resize_encodings(arrays, network.columns, origin)
    cut = _cut(arrays, network.depth)
    notes += [*cut, *_adapt_kernel(arrays)]
    anew = _leave_heads(arrays, network, notes, cut=bool(cut))
    if "head.1.weight" in arrays:
        anew = _order_head(arrays, pretrained.labels, classes, anew, notes)
    _load(network, arrays, anew, origin)
    if source != "maest":
        return Start(notes)
    # Bare weights say nothing: those of palonso/MAEST are the public models'.
    return Start(notes, pretrained.normalisation or PUBLIC_NORMALISATION)


def _check_kind(arrays: Arrays, source: str, origin: str) -> None:
    """Check that a checkpoint is what the configuration says it is."""
    is_image = "pos_embed" in arrays
    if is_image != (source == "deit"):
        found = "an image transformer (pos_embed)" if is_image else "no pos_embed"
        raise CheckpointError(f"{origin}: found {found}; wanted for {source}: {_FILES[source]}")
    if source == "maest" and _FREQUENCY in arrays and arrays[_FREQUENCY].ndim == 4:
        rows = arrays[_FREQUENCY].shape[2]
        if rows != GRID_ROWS:
            raise CheckpointError(
                f"{origin}: found {rows} patch rows, a MAEST has {GRID_ROWS}; if it is a PaSST, "
                "the initialisation is 'passt'"
            )


def _depth(arrays: Arrays) -> int:
    return 1 + max((_block(name) for name in arrays), default=-1)


def _block(name: str) -> int:
    """Give the block that an array belongs to, counted from 0; -1 for none."""
    match = re.match(r"blocks\.(\d+)\.", name)
    return int(match[1]) if match else -1


def _cut(arrays: Arrays, depth: int) -> list[str]:
    """Leave out the blocks above the network's, and what heads had learnt of them."""
    found = _depth(arrays)
    if found <= depth:
        return []
    for name in [name for name in arrays if _block(name) >= depth]:
        del arrays[name]
    for name in [name for name in arrays if name.startswith(("head.1.", "head_dist."))]:
        del arrays[name]
    return [f"blocks: the first {depth} of {found}"]


def _check_size(pretrained: Pretrained, network: MAEST, origin: str) -> None:
    depth = _depth(pretrained.arrays)
    width = _take(pretrained.arrays, "cls_token", origin).shape[-1]
    # Of a deeper one, the first blocks are taken.
    depth = min(depth, network.depth) if width == network.dim else depth
    found, wanted = [f"width {width}, {depth} blocks"], [f"width {network.dim}, "]
    wanted[0] += f"{network.depth} blocks"
    if pretrained.heads is not None:
        found.append(f"{pretrained.heads} attention heads")
        wanted.append(f"{network.heads} attention heads")
    if found != wanted:
        raise CheckpointError(
            f"{origin}: a checkpoint of the wrong size: found {', '.join(found)}; wanted "
            f"{', '.join(wanted)}"
        )


def _split_image_encodings(arrays: Arrays, columns: int, origin: str) -> list[str]:
    """Replace the encodings of a square image by those of frequency and time, as PaSST does."""
    joint = arrays.pop("pos_embed")
    side = math.isqrt(max(joint.shape[1] - _CLASS_TOKENS, 0)) if joint.ndim == 3 else 0
    if side < 1 or joint.shape[0] != 1 or joint.shape[1] != _CLASS_TOKENS + side * side:
        raise CheckpointError(
            f"{origin}: 'pos_embed' has the shape {list(joint.shape)}; wanted [1, 2 + n * n, "
            "width], of a distilled DeiT on square images"
        )
    arrays["new_pos_embed"] = joint[:, :_CLASS_TOKENS]
    image = joint[0, _CLASS_TOKENS:].T.reshape(1, -1, side, side)
    grid = _interpolate(image, (GRID_ROWS, columns))
    arrays[_FREQUENCY] = grid.mean(dim=3, keepdim=True)
    arrays[_TIME] = grid.mean(dim=2, keepdim=True)
    return [
        f"position encodings: {side} x {side} interpolated to {GRID_ROWS} x {columns}, then "
        "averaged along each axis"
    ]


def _resize_encodings(arrays: Arrays, columns: int, origin: str) -> list[str]:
    notes = []
    wanted = {_FREQUENCY: (GRID_ROWS, 1), _TIME: (1, columns)}
    for axis, (name, shape) in enumerate(wanted.items(), start=2):
        table = _take(arrays, name, origin)
        if table.ndim != 4 or not table.numel() or table.shape[5 - axis] != 1:
            raise CheckpointError(f"{origin}: {name!r} has the shape {list(table.shape)}")
        if tuple(table.shape[2:]) != shape:
            arrays[name] = _interpolate(table, shape)
            kind = "frequency" if name == _FREQUENCY else "time"
            notes.append(f"{kind} encoding: {table.shape[axis]} interpolated to {max(shape)}")
    return notes


def _interpolate(table: Tensor, shape: tuple[int, int]) -> Tensor:
    return functional.interpolate(table.float(), size=shape, mode="bicubic", align_corners=False)


def _adapt_kernel(arrays: Arrays) -> list[str]:
    """Sum the input convolution over colours: a spectrogram is a grey picture."""
    kernel = arrays.get(_KERNEL)
    if kernel is None:
        return []
    if kernel.ndim == 2:  # early timm: the patches as vectors
        kernel = kernel.reshape(len(kernel), -1, PATCH_SIZE, PATCH_SIZE)
        arrays[_KERNEL] = kernel
    if kernel.ndim != 4 or kernel.shape[1] != 3:
        return []
    arrays[_KERNEL] = kernel.sum(dim=1, keepdim=True)
    return ["input convolution: summed over 3 colours"]


def _leave_heads(arrays: Arrays, network: MAEST, notes: list[str], *, cut: bool) -> tuple[str, ...]:
    """Leave out heads of other classes; give how the names begin that stay random instead."""
    anew: tuple[str, ...] = ("head_dist.",)  # nothing reads it in most models
    head = arrays.get("head.1.weight")
    if network.head_type == "embedding" or "head.0.mean" in arrays:
        return _leave_heads_on_embeddings(arrays, network, notes)
    if "head.weight" in arrays:  # DeiT's has no LayerNorm
        anew = ("head.", "head_dist.")
        notes.append(f"heads: made anew for {network.classes} classes")
    elif head is not None and len(head) != network.classes:
        anew = ("head.1.", "head_dist.")
        notes.append(f"heads: {len(head)} classes, made anew for {network.classes}")
    elif cut:
        anew = ("head.1.", "head_dist.")
        notes.append(f"heads: made anew for {network.classes} classes")
    else:
        notes.append(f"head: kept, of {network.classes} classes")
        if "head_dist.weight" not in arrays:
            notes.append("head_dist: made anew, for there was none")
            return anew
        return ()
    for name in [name for name in arrays if name.startswith(anew)]:
        del arrays[name]
    return anew


def _leave_heads_on_embeddings(arrays: Arrays, network: MAEST, notes: list[str]) -> tuple[str, ...]:
    """Keep a head on the embedding, of the right size, in a network that has one."""
    head = arrays.get("head.1.weight")
    same = head is not None and head.shape == network.head[1].weight.shape
    anew: tuple[str, ...] = ("head.", "head_dist.", "norm.")
    if network.head_type == "embedding" and "head.0.mean" in arrays and same:
        notes.append(f"head: kept, of {network.classes} classes")
        anew = ("head_dist.", "norm.")
    else:
        notes.append(f"heads: made anew for {network.classes} classes")
    for name in [name for name in arrays if name.startswith(anew)]:
        del arrays[name]
    return anew


def _order_head(
    arrays: Arrays,
    found: Sequence[str] | None,
    wanted: Sequence[str] | None,
    anew: tuple[str, ...],
    notes: list[str],
) -> tuple[str, ...]:
    """Keep a head of the right size if its classes are the network's, by name."""
    if wanted is None:
        return anew
    if found == tuple(wanted):
        notes[:] = [
            f"{note}: the data set's, by name" if note.startswith("head: kept") else note
            for note in notes
        ]
        return anew
    if found is None or sorted(found) != sorted(wanted):
        differ = "does not name its classes" if found is None else "has other classes"
        notes[:] = [note for note in notes if not note.startswith("head")]
        notes.append(f"heads: made anew for {len(wanted)} classes: the checkpoint {differ}")
        anew = ("head.1.", "head_dist.")
        for name in [name for name in arrays if name.startswith(anew)]:
            del arrays[name]
        return anew
    place = {name: row for row, name in enumerate(found)}
    rows = torch.tensor([place[name] for name in wanted])
    for name in ("head.1.weight", "head.1.bias", "head_dist.weight", "head_dist.bias"):
        if name in arrays:
            arrays[name] = arrays[name][rows]
    notes[:] = [note for note in notes if not note.startswith("head: kept")]
    notes.append(
        f"head: kept, of {len(wanted)} classes: the data set's, by name, put into its order"
    )
    return anew


def _load(network: MAEST, arrays: Arrays, anew: tuple[str, ...], origin: str) -> None:
    own = network.state_dict()
    missing = [name for name in own if name not in arrays and not name.startswith(anew)]
    unknown = [name for name in arrays if name not in own]
    if missing or unknown:
        raise CheckpointError(
            f"{origin}: not a checkpoint of such a transformer: missing {listing(missing)}; "
            f"unknown {listing(unknown)}"
        )
    for name, array in arrays.items():
        if array.shape != own[name].shape:
            raise CheckpointError(
                f"{origin}: a checkpoint of the wrong size: {name!r} has the shape "
                f"{list(array.shape)}, wanted {list(own[name].shape)}"
            )
        if not array.is_floating_point() or not bool(torch.isfinite(array).all()):
            raise CheckpointError(f"{origin}: {name!r} has values that are not finite numbers")
    network.load_state_dict({**own, **arrays})


def _take(arrays: Arrays, name: str, origin: str) -> Tensor:
    if name not in arrays:
        raise CheckpointError(
            f"{origin}: wanted {name!r}, which is missing; found {listing(arrays)}"
        )
    return arrays[name]
