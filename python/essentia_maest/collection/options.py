"""What is asked of every track of a collection, as it is stored and compared."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..errors import InvalidArgumentError
from ..request import Output, Request

OUTPUTS: dict[str, tuple[Output, ...]] = {
    "predictions": ("predictions",),
    "embeddings": ("embeddings",),
    "both": ("predictions", "embeddings"),
}
"""Name of what is written -> what the model is asked for."""

_BOTH = Request(OUTPUTS["both"])


@dataclasses.dataclass(frozen=True)
class AnalysisOptions:
    """How tracks are analysed, and what is told of them.

    Attributes
    ----------
    request : Request
        What the model is asked for: one of the values of `OUTPUTS`, and how.
    top_k : int
        How many labels are named per segment and per track; all of them if there are fewer.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        `top_k` is below 1.
    """

    request: Request = _BOTH
    top_k: int = 5

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise InvalidArgumentError(f"top-k is {self.top_k}; 1 or more wanted")

    @classmethod
    def of(cls, output: str = "both", *, top_k: int = 5, **asked: Any) -> AnalysisOptions:
        """Make options from the names that the command line has.

        Parameters
        ----------
        output : {"predictions", "embeddings", "both"}
            What is computed and written.
        top_k : int
            See `AnalysisOptions`.
        **asked
            Fields of `Request`.

        Returns
        -------
        AnalysisOptions

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            A value is none that any model could take.
        """
        if output not in OUTPUTS:
            raise InvalidArgumentError(f"output is {output!r}; wanted: {', '.join(OUTPUTS)}")
        return cls(Request(OUTPUTS[output], **asked), top_k)

    @property
    def predictions(self) -> bool:
        """Whether predictions are wanted."""
        return "predictions" in self.request.outputs

    @property
    def embeddings(self) -> bool:
        """Whether embeddings are wanted."""
        return "embeddings" in self.request.outputs

    def as_json(self) -> dict[str, Any]:
        """Return the options as JSON has them, without those that do not bear on the output.

        Returns
        -------
        dict
            Equal for two values exactly if they ask for the same results.
        """
        values = self.request.as_json()
        outputs = tuple(values.pop("outputs"))
        name = next(name for name, asked in OUTPUTS.items() if asked == outputs)
        told = {"top_k": self.top_k} if self.predictions else {}
        return {"output": name, **values, **told}
