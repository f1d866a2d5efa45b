"""What a module of this package is started with; the standard library only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lab.peers.sizes import Size


class Request:
    """The command line: the folder to write to, and JSON.

    Attributes
    ----------
    folder : Path
        Where files go.
    size : Size
    options : dict
    """

    def __init__(self) -> None:
        self.folder = Path(sys.argv[1])
        self.options: dict[str, Any] = json.loads(sys.argv[2])
        self.size = Size(**self.options["size"])

    def needed(self, name: str) -> Path:
        """Give the folder of an item that was asked for."""
        return Path(self.options["needs"][name])
