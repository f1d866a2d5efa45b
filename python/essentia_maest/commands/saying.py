"""Exit codes of `maest`, what it says on stderr, and a model opened without more words."""

from __future__ import annotations

import contextlib
import signal
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import UntrainedModelWarning
from ..progress import tell
from ..reading.plain_text import printable

# What computes is imported where it is needed: `maest --help` is to answer at once.
if TYPE_CHECKING:
    from ..model import Model

ALL_DONE, SOME_FAILED, BAD_USAGE, STOPPED_EARLY = 0, 1, 2, 3
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
_LINE_BREAK = "\n"


class Terminated(KeyboardInterrupt):
    """SIGTERM: end as after Ctrl-C."""


def complain(text: str, code: int = ALL_DONE) -> int:
    """Print a line on stderr, where results never go."""
    # Messages quote what files say of themselves.
    tell(f"maest: {printable(text, keep=_LINE_BREAK)}")
    return code


@contextlib.contextmanager
def one_line_warnings() -> Iterator[None]:
    """Say each warning in a line of its own, when all is done."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", UserWarning)
        yield
    for warning in caught:
        complain(f"warning: {warning.message}")


def open_model(name: str, threads: int) -> Model:
    """Open a model by name or path; whether it is untrained is for the caller to say."""
    from ..model import Model

    with warnings.catch_warnings():
        # Said by us, in one line, where somebody will see it.
        warnings.simplefilter("ignore", UntrainedModelWarning)
        return Model(name, num_threads=threads)
