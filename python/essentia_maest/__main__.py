"""``python -m essentia_maest`` is ``maest``."""

import sys

try:
    from .commands.cli import main
except KeyboardInterrupt:  # before there is anything that could say so
    sys.exit(130)

if __name__ == "__main__":  # worker processes import this file too
    sys.exit(main())
