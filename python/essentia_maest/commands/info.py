"""`maest info`: what a model file says of itself, and what computes here."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ..reading.plain_text import printable
from .saying import ALL_DONE, open_model
from .surroundings import show

if TYPE_CHECKING:
    from ..model import Model


def add(commands: Any) -> None:
    """Add the sub-command `info` to the parsers of `maest`."""
    parser = commands.add_parser("info", help="describe a model file", allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", help="model file, or name from `maest models`")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command="info", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Describe a model file, and give the exit code."""
    from ..origin import provenance, provenance_lines

    model = open_model(arguments.model, threads=1)
    described = _describe(model)
    here = provenance(model)
    if arguments.json:
        show(json.dumps({**described, "provenance": here}, indent=1, ensure_ascii=False))
    else:
        described |= provenance_lines(here)
        width = max(map(len, described))
        for key, value in described.items():
            shown = "NO (random weights)" if value is False else value
            show(f"{key.replace('_', ' '):{width}}  {printable(str(shown))}")
    return ALL_DONE


def _describe(model: Model) -> dict[str, Any]:
    from ..collection.describe import describe_model

    described = describe_model(model)
    info = model._info  # what the model file says of itself
    return {
        "name": described["name"],
        "trained": described["trained"],
        "labels": len(model.labels),
        "segment_seconds": model.segment_seconds,
        "hop_seconds": model.hop_seconds,
        "depth": model.depth,
        "dim": model.dim,
        "precision": described["precision"],
        "licence": info.license,
        "source": info.source,
        "source_sha256": info.source_sha256,
        "file": described["path"],
        "file_bytes": model.path.stat().st_size,
        "file_sha256": described["sha256"],
    }
