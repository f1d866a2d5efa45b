"""What all tests need of their process."""

from __future__ import annotations

import signal

# A shell starts background jobs with SIGINT ignored, and what they start inherits it: Ctrl-C, which
# some tests send, would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)
