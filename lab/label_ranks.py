"""What tracks are shown with: the strongest labels, and those that rank highest in the collection.

`python -m lab.label_ranks OUT` reads tables that `maest analyze -o OUT` wrote, and tells in how
many tracks each label is among the first five, by activation and by rank.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

import numpy as np

from essentia_maest.results.opened import open_results

SHOWN, LISTED = 5, 6


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", metavar="OUT")
    results = open_results(parser.parse_args(arguments).results)
    activations, _ = results.predictions()
    strongest = Counter(
        results.labels[index]
        for row in activations
        for index in np.argsort(-row, kind="stable")[:SHOWN]
    )
    ranked = Counter(label.label for named in results.standing_out(SHOWN) for label in named)
    count = len(activations)
    print(f"{count} tracks, {results.info['model']['name']}\n")
    print(f"| label | among the {SHOWN} strongest, % | among {SHOWN} by rank, % |\n|-|-|-|")
    listed = [label for label, _ in strongest.most_common(LISTED)]
    listed += [label for label, _ in ranked.most_common(LISTED) if label not in listed]
    for label in listed:
        by_activation, by_rank = (100 * found[label] / count for found in (strongest, ranked))
        print(f"| {label} | {by_activation:.0f} | {by_rank:.0f} |")


if __name__ == "__main__":
    main()
