"""What a loop of nothing but products reaches on this CPU."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from essentia_maest.errors import MaestError

_SOURCE = Path(__file__).parent / "loops.cpp"


def loop_rates() -> dict[str, float]:
    """Compile and run the loops.

    Returns
    -------
    dict of str to float
        "float32", "16 bits" and "8 bits" -> multiplications and additions a second, counted apart,
        on one CPU. 8 bits are those of AVX2: without VNNI.

    Raises
    ------
    MaestError
        Without a C++ compiler (``$CXX``, by default ``c++``), or on a CPU without AVX2.
    """
    compiler = os.environ.get("CXX", "c++")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "loops"
        try:
            for command in (
                [compiler, "-O2", "-std=c++17", str(_SOURCE), "-o", str(program)],
                [str(program)],
            ):
                done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            words = getattr(error, "stderr", None) or error
            raise MaestError(f"loops of products cannot be run: {words}") from error
    lines = [line.rpartition(" ") for line in done.stdout.splitlines()]
    return {name: 1e9 * float(rate) for name, _, rate in lines}
