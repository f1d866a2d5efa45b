"""The command ``maest``: from what it is called with to its exit code. The work is done elsewhere.

Exit codes: 0 all done, 1 some files failed, 2 bad usage, 3 stopped early by the machine (a full
disk, no more processes, nowhere to print to), 130 and 143 interrupted and terminated.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence

from .. import log
from ..errors import MaestError, ends_all_work, in_words
from ..progress import json_lines
from ..starting import let_interrupts_come
from .arguments import make_parser
from .saying import (
    ALL_DONE,
    BAD_USAGE,
    INTERRUPTED,
    SOME_FAILED,
    STOPPED_EARLY,
    TERMINATED,
    Terminated,
    complain,
)
from .surroundings import (
    drop_output,
    flush_output,
    open_standard_files,
    require_working_directory,
)

__all__ = [
    "ALL_DONE",
    "BAD_USAGE",
    "INTERRUPTED",
    "SOME_FAILED",
    "STOPPED_EARLY",
    "TERMINATED",
    "main",
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the command's name; None is this process's own.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    SystemExit
        Help and version were asked for (0), or the arguments cannot be parsed (2).
    """
    open_standard_files()
    with contextlib.ExitStack() as told:
        try:
            let_interrupts_come()
            parsed = _parsed(arguments)
            told.enter_context(json_lines(getattr(parsed, "log", None) == "json"))
            require_working_directory()
            with log.shown(everything=parsed.verbose):
                code: int = parsed.run(parsed)
            flush_output()
            return code
        except Terminated:
            return complain("terminated", TERMINATED)
        except KeyboardInterrupt:
            return complain("interrupted", INTERRUPTED)
        except BrokenPipeError:
            drop_output()  # whoever read it has gone
            return SOME_FAILED
        except (MaestError, ImportError, OSError, RuntimeError, MemoryError) as error:
            if ends_all_work(error):
                return complain(f"stopped early: {in_words(error)}", STOPPED_EARLY)
            if isinstance(error, RuntimeError):
                raise
            return complain(str(error), BAD_USAGE)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return make_parser().parse_args(arguments)
    except SystemExit:
        flush_output()  # of help and version
        raise
