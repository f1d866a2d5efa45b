"""What a loop of nothing but products reaches on this CPU."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from essentia_maest.errors import MaestError

_SOURCE = Path(__file__).parent / "loops.cpp"


def loop_rates(isa: str) -> dict[str, float]:
    """Compile and run the loops.

    Parameters
    ----------
    isa : str
        The instruction set that the engine uses: for "avx512vnni" loops of AVX-512 and VNNI, for
        all others those of AVX2.

    Returns
    -------
    dict of str to float
        "float32", "8 bits" and, of AVX2, "16 bits" -> multiplications and additions a second,
        counted apart, on one CPU.

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
    wanted = "avx512vnni " if isa == "avx512vnni" else "avx2 "
    lines = [line.rpartition(" ") for line in done.stdout.splitlines()]
    return {
        name.removeprefix(wanted): 1e9 * float(rate)
        for name, _, rate in lines
        if name.startswith(wanted)
    }
