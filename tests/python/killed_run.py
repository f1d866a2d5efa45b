"""A run that is killed while it writes: `python killed_run.py MODEL MUSIC OUT FILE MOMENT`.

MOMENT says when of the FILEth file: before it is written, in the middle of it, or after it.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import essentia_maest as maest
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.results import parquet, parts
from remote_systems import CopyingFileSystem, register

OPTIONS = AnalysisOptions.of(block=1)


def analyse(model: str, music: str, out: str, *, resume: bool) -> tuple[int, int]:
    """Analyse music into parts of two tracks; give how many were done before, and now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", maest.UntrainedModelWarning)
        opened = maest.Model(model, num_threads=1)
    report = CollectionRun(
        opened,
        OPTIONS,
        TableSink(out, most_tracks=2),
        workers=1,
        reporter=SilentReporter(),
        resume=resume,
    ).run(scan([music]))
    return report.resumed, report.analyzed


def kill_at(file: int, moment: str) -> None:
    """Have this process killed when it writes a file of tables."""
    write, written = parts.write_file, 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(path: Path, content: bytes) -> None:
        nonlocal written
        written += 1
        if written == file and moment == "before":
            die()
        if written == file and moment == "in the middle":
            CopyingFileSystem.in_the_middle = lambda self: die()
        write(path, content)
        if written == file:
            die()

    writers: tuple[Any, ...] = (parts, parquet)
    for module in writers:
        module.write_file = counted


if __name__ == "__main__":
    register()
    kill_at(int(sys.argv[4]), sys.argv[5])
    analyse(*sys.argv[1:4], resume=False)
