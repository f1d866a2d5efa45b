"""The network that is measured: its shape, its patchouts, its cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass

PATCH_VALUES = 256
PATCH_ROWS = 9
CLASSES = 400
BLOCK = 7
"""Of the embeddings, counted from 1."""

ROWS_DROPPED = {"F0": (), "F3": (0, 7, 8), "F4": (0, 1, 7, 8)}
PATCHOUTS = ("F0T0", "F3T0", "F3T2", "F3T3", "F3T5", "F4T10")
"""As in the paper's Figure 3."""


@dataclass(frozen=True)
class Size:
    """A MAEST's shape.

    Attributes
    ----------
    name : str
    dim, heads, depth : int
    frames : int
        Of a segment.
    """

    name: str
    dim: int
    heads: int
    depth: int
    frames: int

    @property
    def columns(self) -> int:
        """Patch columns of a segment."""
        return (self.frames - 16) // 10 + 1

    @property
    def seconds(self) -> int:
        """Length of a segment, whose last frame is centred on its end."""
        return (self.frames - 1) * 256 // 16000

    @property
    def minutes(self) -> float:
        """Length of a segment."""
        return self.seconds / 60

    def kept(self, patchout: str) -> tuple[list[int], list[int]]:
        """Give the patch rows and the patch columns that a patchout such as F3T2 keeps."""
        dropped = ROWS_DROPPED[patchout[:2]]
        step = int(patchout[3:]) or 1
        rows = [row for row in range(PATCH_ROWS) if row not in dropped]
        return rows, list(range(0, self.columns, step))

    def tokens(self, patchout: str) -> int:
        """Count the tokens: the kept patches, and the two class tokens."""
        rows, columns = self.kept(patchout)
        return 2 + len(rows) * len(columns)

    def operations(self, patchout: str, blocks: int) -> float:
        """Count multiplications and additions of matrices, apart."""
        tokens = self.tokens(patchout)
        linear = 24.0 * tokens * self.dim**2
        attention = 4.0 * tokens**2 * self.dim
        return blocks * (linear + attention) + 2.0 * tokens * PATCH_VALUES * self.dim

    def as_json(self) -> dict[str, int | str]:
        """Give the fields."""
        return asdict(self)


SIZES = {
    "base": Size("base", dim=768, heads=12, depth=12, frames=1876),
    "tiny": Size("tiny", dim=64, heads=2, depth=12, frames=626),
}
"""base is the public MAEST-30s; tiny is for trying the benchmark out."""


def block_products(dim: int) -> list[tuple[int, int]]:
    """Give the shapes of a block's weight matrices: attention in, attention out, MLP in, out."""
    return [(dim, 3 * dim), (dim, dim), (dim, 4 * dim), (4 * dim, dim)]
