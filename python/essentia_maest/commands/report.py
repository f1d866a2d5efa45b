"""`maest report`: results as one HTML page to look at."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ..errors import InvalidArgumentError
from ..results.path_text import path_text
from .saying import ALL_DONE
from .surroundings import show

_PAGE = "report.html"


def add(commands: Any) -> None:
    """Add the sub-command `report` to the parsers of `maest`."""
    from ..report.options import MAPS, PageOptions

    parser = commands.add_parser(
        "report",
        help="make a page of the results, to look at",
        description="Make one HTML page of what `maest analyze` wrote: a map of the tracks, their "
        "labels and neighbours, tags over time, and what failed. It fetches nothing.",
        allow_abbrev=False,
    )
    defaults = PageOptions()
    add = parser.add_argument
    add("results", metavar="OUT", help="folder that `maest analyze -o` wrote")
    add("-o", dest="page", metavar="FILE", help=f"the page (default: OUT/{_PAGE})")
    add("--title", metavar="T", help="of the page (default: the name of OUT)")
    add(
        "--map",
        choices=MAPS,
        default=defaults.map,
        help="tracks near to their neighbours, or by the two directions in which they differ most "
        "(default: %(default)s)",
    )
    add(
        "--limit",
        type=int,
        default=defaults.limit,
        metavar="N",
        help="tracks in the page, spread evenly over more (default: %(default)s)",
    )
    add(
        "--over-time",
        type=int,
        default=defaults.over_time,
        metavar="N",
        help="tracks, from the first on, whose tags over time are in the page (default: "
        "%(default)s)",
    )
    parser.set_defaults(command="report", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the page, and give the exit code."""
    from ..report.options import PageOptions

    options = PageOptions(arguments.map, arguments.limit, arguments.over_time)
    options.check()

    from ..report.page import write_page
    from ..results.opened import open_results

    results = open_results(arguments.results)
    page = arguments.page or os.path.join(results.folder, _PAGE)
    if os.path.isdir(page) or not os.path.isdir(os.path.dirname(os.path.abspath(page))):
        raise InvalidArgumentError(
            f"{path_text(page)}: no page can be there; wanted: a file in a folder that exists"
        )
    contents = write_page(results, page, title=arguments.title, options=options)
    size = os.stat(page).st_size / 1e6
    show(f"wrote {path_text(page)}: {contents['tracks']} tracks, {size:.1f} MB")
    return ALL_DONE
