"""Where a model's time goes on this CPU, and what faster products would bring.

Each kind of operator by ONNX Runtime's profile, one thread; then how many times faster the whole
would be if products, or attention, or both, ran as fast as a loop of nothing but products.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import essentia_maest as maest
from essentia_maest import _core
from essentia_maest.machine import machine, versions
from lab.speed_bounds.operators import KINDS, Measured, measure
from lab.speed_bounds.rates import loop_rates

_PATCHOUTS = ("F0T0", "F3T5")
_BLOCK = 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 1 where this machine cannot."""
    parser = argparse.ArgumentParser(prog="python -m lab.speed_bounds", description=__doc__)
    parser.add_argument("models", nargs="+", help="model files or names, as default")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="of each model and patchout (%(default)s)"
    )
    chosen = parser.parse_args(arguments)
    before = machine()
    try:
        isa = _core.kernels()["isa"]
        rates = loop_rates(isa)
    except maest.MaestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    measured = []
    for name in chosen.models:
        precision = maest.Model(name, num_threads=1).precision
        for patchout in _PATCHOUTS:
            found = measure(name, patchout, block=_BLOCK, seconds=chosen.seconds)
            measured.append((f"{found.dim} wide, {precision}", patchout, precision, found))
    print("# Where the time goes\n")
    print(f"Machine: {before}; {versions()}. One segment to the embedding of block {_BLOCK}, one "
          "thread, CPU time; medians of runs.\n")  # fmt: skip
    print(f"Kernels of {isa}. Products are with what is done with their sums where one operator "
          "does both. Loops of nothing but products: " + ", ".join(
        f"{name} {rate * 1e-9:.0f} GOP/s" for name, rate in rates.items()
    ) + ".\n")  # fmt: skip
    _print_row("model", "patchout", "ms", *(f"{kind}, %" for kind in (*KINDS, "rest")),
               "products, GOP/s", "attention, GOP/s")  # fmt: skip
    print("|-" * (len(KINDS) + 6) + "|")
    for name, patchout, _, found in measured:
        shares = (100 * found.seconds[kind] / found.total for kind in (*KINDS, "rest"))
        _print_row(
            name, patchout, f"{1e3 * found.total:.1f}", *(f"{share:.1f}" for share in shares),
            f"{1e-9 * found.products / found.seconds['products']:.0f}",
            f"{1e-9 * found.attention / found.seconds['attention']:.0f}",
        )  # fmt: skip
    print("\nTimes faster, if these were as fast as such a loop (int8: products of 8 bits, "
          f"attention of {_attention_of(rates)}), and all else as it is:\n")  # fmt: skip
    _print_row("model", "patchout", "products", "attention", "both", "products took no time")
    print("|-" * 6 + "|")
    for name, patchout, precision, found in measured:
        _print_row(name, patchout, *_bounds(found, precision, rates))
    return 0


def _attention_of(rates: dict[str, float]) -> str:
    """Name the loop that attention of int8 is: of 8 bits only with VNNI."""
    return "16 bits" if "16 bits" in rates else "8 bits"


def _bounds(found: Measured, precision: str, rates: dict[str, float]) -> list[str]:
    integers = precision == "int8"
    products = min(
        found.seconds["products"], found.products / rates["8 bits" if integers else "float32"]
    )
    attention = min(
        found.seconds["attention"],
        found.attention / rates[_attention_of(rates) if integers else "float32"],
    )
    saved = {
        "products": found.seconds["products"] - products,
        "attention": found.seconds["attention"] - attention,
    }
    savings = [
        saved["products"], saved["attention"], sum(saved.values()), found.seconds["products"],
    ]  # fmt: skip
    return [f"{found.total / (found.total - saving):.2f}" for saving in savings]


def _print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    raise SystemExit(main())
