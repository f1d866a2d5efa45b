"""``python -m essentia_maest`` is ``maest``."""

import sys

from .commands.cli import main

if __name__ == "__main__":  # worker processes import this file too
    sys.exit(main())
