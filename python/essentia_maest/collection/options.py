"""What is asked of every track of a collection, as it is stored and compared."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import InvalidArgumentError
from ..hearing import Mp3Error, checked_mp3_error
from ..patchout import Patchout
from ..request import BLOCK, Output, Request
from ..spread import Spread

if TYPE_CHECKING:
    from ..model import Model

OUTPUTS: dict[str, tuple[Output, ...]] = {
    "predictions": ("predictions",),
    "embeddings": ("embeddings",),
    "both": ("predictions", "embeddings"),
}
"""Name of what is written -> what the model is asked for."""

KEEP, REDO, REFUSE = MIXED = ("keep", "redo", "refuse")
"""What becomes of earlier results that were computed otherwise."""

PARQUET, FILES, CSV = FORMATS = ("parquet", "files", "csv")
"""How results are kept: tables; JSON and arrays for each track; tables, and sheets made of them."""

_BOTH = Request(OUTPUTS["both"])

_UNSAID = ("both", "predictions", "embeddings")


def output_of(model: Model) -> str:
    """Choose what is computed where nobody said it.

    Parameters
    ----------
    model : Model
        What is to compute it.

    Returns
    -------
    str
        ``"both"``, or what the model has of it: a name of `OUTPUTS`.
    """
    return next(name for name in _UNSAID if set(OUTPUTS[name]) <= set(model.outputs))


def block_of(model: Model) -> int:
    """Choose the block of embeddings where nobody said it: 7, or the last of a model with fewer."""
    return max(1, min(BLOCK, model.depth))


@dataclasses.dataclass(frozen=True)
class Shares:
    """How much of the machine a run takes.

    Attributes
    ----------
    workers : int
        Processes that decode.
    threads : int
        Tracks, or segments of one, that are computed at once.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        One is below 1, or higher than any machine could serve.
    """

    workers: int
    threads: int

    def __post_init__(self) -> None:
        for name, count in dataclasses.asdict(self).items():
            if count < 1:
                raise InvalidArgumentError(f"{name} is {count}; 1 or more wanted")
            if count > _core.MOST_THREADS:
                raise InvalidArgumentError(
                    f"{name} is {count}; {_core.MOST_THREADS} or fewer wanted"
                )

    @classmethod
    def of(cls, workers: int | None, threads: int) -> Shares:
        """Make them of what was asked.

        Parameters
        ----------
        workers : int or None
            None is one per CPU that this process may use.
        threads : int
            0 is one per CPU that this process may use.

        Returns
        -------
        Shares

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            See `Shares`.
        """
        cpus = _core.available_cpus()
        return cls(cpus if workers is None else workers, threads or cpus)


@dataclasses.dataclass(frozen=True)
class AnalysisOptions:
    """How tracks are analysed, and what is told of them.

    Attributes
    ----------
    request : Request
        What the model is asked for: one of the values of `OUTPUTS`, and how.
    top_k : int
        How many labels are named per segment and per track; all of them if there are fewer.
    segments : int or None
        How many segments of each track are computed, spread evenly over it; None is all, and so is
        what has no more.
    mp3_error : {"none", "1lsb"}
        See `Model.analyze_file`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        `top_k` or `segments` is below 1, `mp3_error` is neither.
    """

    request: Request = _BOTH
    top_k: int = 5
    segments: int | None = None
    mp3_error: Mp3Error = "none"

    def __post_init__(self) -> None:
        if self.segments is not None and self.segments < 1:
            raise InvalidArgumentError(f"segments is {self.segments}; 1 or more wanted")
        if self.top_k < 1:
            raise InvalidArgumentError(f"top-k is {self.top_k}; 1 or more wanted")
        checked_mp3_error(self.mp3_error)

    @classmethod
    def of(
        cls,
        output: str = "both",
        *,
        top_k: int = 5,
        segments: int | None = None,
        mp3_error: Mp3Error = "none",
        **asked: Any,
    ) -> AnalysisOptions:
        """Make options from the names that the command line has.

        Parameters
        ----------
        output : {"predictions", "embeddings", "both"}
            What is computed and written.
        top_k, segments, mp3_error
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
        return cls(Request(OUTPUTS[output], **asked), top_k, segments, mp3_error)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> AnalysisOptions:
        """Make options of what `as_json` gave.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            It did not, or another version did.
        """
        asked = dict(values)
        if isinstance(patchout := asked.get("patchout"), dict):
            asked["patchout"] = Patchout(tuple(patchout["rows"]), patchout["stride"])
        try:
            return cls.of(asked.pop("output"), **asked)
        except (KeyError, TypeError) as error:
            raise InvalidArgumentError(f"options {values} found, of another version") from error

    def with_output(self, output: str) -> AnalysisOptions:
        """Return the same options for another output.

        Parameters
        ----------
        output : {"predictions", "embeddings", "both"}
            What is computed and written.

        Returns
        -------
        AnalysisOptions
        """
        request = dataclasses.replace(self.request, outputs=OUTPUTS[output])
        return dataclasses.replace(self, request=request)

    def with_block(self, block: int) -> AnalysisOptions:
        """Return the same options for embeddings of another block."""
        return dataclasses.replace(self, request=dataclasses.replace(self.request, block=block))

    @property
    def predictions(self) -> bool:
        """Whether predictions are wanted."""
        return "predictions" in self.request.outputs

    @property
    def embeddings(self) -> bool:
        """Whether embeddings are wanted."""
        return "embeddings" in self.request.outputs

    def spread(self, plan: _core.Plan) -> Spread | None:
        """Tell which segments are computed; None is all.

        Parameters
        ----------
        plan : Plan
            What the request comes to.

        Returns
        -------
        Spread or None
        """
        return Spread.of(plan, self.segments)

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
        told: dict[str, Any] = {"top_k": self.top_k} if self.predictions else {}
        if self.segments is not None:
            told["segments"] = self.segments
        if self.mp3_error != "none":
            told["mp3_error"] = self.mp3_error
        return {"output": name, **values, **told}
