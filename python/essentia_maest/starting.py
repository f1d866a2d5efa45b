"""Ctrl-C while the command `maest` is still being imported: it ends, without a traceback.

To import this module is enough. It comes first, and imports next to nothing: what is before it is
Python's own start, which tells of Ctrl-C by a traceback.
"""

import os
import signal
import sys

_state = {"held": False}


def _hold_interrupts() -> None:
    if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        except ValueError:  # not in the main thread
            return
        _state["held"] = True


def let_interrupts_come() -> None:
    """Have SIGINT raise `KeyboardInterrupt` again, once there is somebody to take it."""
    if _state["held"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _state["held"] = False


def _is_command() -> bool:
    if os.path.basename(sys.argv[0] if sys.argv else "") == "maest":
        return True
    words = sys.orig_argv[1:]
    return "-m" in words and words[words.index("-m") + 1 :][:1] == [__package__]


_hold_interrupts()
