"""`python -m lab.formats.damage_worker FOLDER SEED FIRST END SCRATCH`: decodes damaged files.

Lines on stdout are JSON: the number of a file before it is opened, its decoder once it is open, and
what came of it. A file that crashes the process is the last that was named.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from .mutations import damaged

_MOST_SAMPLES = 16000 * 600
MOST_MEMORY = 1 << 30
"""Bytes beyond which nothing that a header asks for is given."""

# Of every 20 frames a patch of 4: gaps even in a short clip.
_HEARD = (20, 20, 4, [0])
_ONE_STEP = 1.5 / 32768


def main() -> None:
    """Decode files FIRST to END."""
    folder, seed, first, end, scratch = sys.argv[1:]
    sound = sorted(path for path in Path(folder).iterdir() if path.is_file())
    contents = [path.read_bytes() for path in sound]
    import essentia_maest  # noqa: F401 - before memory is limited and measured

    _limit_memory()
    for number in range(int(first), int(end)):
        path, content = damaged_file(sound, contents, int(seed), number)
        place = Path(scratch, "damaged" + path.suffix)
        place.write_bytes(content)
        _say({"number": number, "of": path.name})
        _say(_decoded(place))
        place.unlink()


def damaged_file(
    sound: list[Path], contents: list[bytes], seed: int, number: int
) -> tuple[Path, bytes]:
    """Make a damaged file, the same one each time it is asked for.

    Parameters
    ----------
    sound : list of path
        Sound files.
    contents : list of bytes
        What is in them.
    seed, number : int

    Returns
    -------
    path
        The file that it was.
    bytes
    """
    random = np.random.default_rng([seed, number])
    chosen = int(random.integers(len(sound)))
    return sound[chosen], damaged(contents[chosen], contents, random)


def _decoded(path: Path) -> dict[str, Any]:
    from essentia_maest import AudioFile
    from essentia_maest.errors import MaestError

    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the most memory is counted anew
    before = _most_memory()
    answer: dict[str, Any] = {"decoder": ""}
    pieces, samples = [], 0
    try:
        with AudioFile(path) as file:
            answer["decoder"] = file.decoder
            _say({"open": file.decoder})
            while len(piece := file.read(1 << 15)) and samples < _MOST_SAMPLES:
                pieces.append(piece)
                samples += len(piece)
            answer["outcome"] = str(file.ending) if samples < _MOST_SAMPLES else "without end"
            other = samples < _MOST_SAMPLES and _heard_otherwise(file, np.concatenate(pieces))
            if other == "sound" and file.container == "mpeg":
                # Nothing tells that bits inside a frame are damaged, and then a frame is what its
                # decoder had before: counted, and no error.
                answer["other in part"] = True
            elif other:
                answer |= {"outcome": "odd error", "words": f"in part it has another {other}"}
    except MaestError as error:
        answer |= {"outcome": "refused", "words": str(error)[-200:]}
    except Exception as error:
        answer |= {"outcome": "odd error", "words": f"{type(error).__name__}: {error}"[-200:]}
    return answer | {"seconds": samples / 16000, "memory": _most_memory() - before}


def _heard_otherwise(file: Any, whole: npt.NDArray[np.float32]) -> str:
    """Decode no more than what a model would hear; tell what of it is another: length, or sound."""
    from essentia_maest import _core
    from essentia_maest.decoding.audio_file import engine_file

    opened = engine_file(file)
    if opened is None:
        return ""
    hearing = _core.Hearing.__new__(_core.Hearing)
    hearing.__setstate__(_HEARD)  # type: ignore[attr-defined]
    is_mpeg = file.container == "mpeg"
    for one_step in (False, True) if is_mpeg else (False,):
        heard = _core.hear_whole(opened, hearing, one_step)
        if heard is None:
            continue
        parts = [np.zeros(0, np.float32)]
        while len(piece := heard.read(1 << 15)):
            parts.append(piece)
        if heard.failed:
            continue
        found = np.concatenate(parts)
        if len(found) != len(whole):
            return "length"
        there = found != 0
        most = _ONE_STEP if one_step else 0.0
        if there.any() and not np.abs(found - whole)[there].max() <= most:
            return "sound"
    return ""


def _limit_memory() -> None:
    """Have no single allocation that a header asks for pass unseen."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        return  # it takes terabytes of addresses, and has a limit of its own
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_MEMORY, resource.RLIM_INFINITY))


def _most_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@functools.cache
def _answers() -> TextIO:
    """Keep stdout for answers: codecs print to it, too, and go to stderr from now on."""
    mine = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return mine


def _say(words: dict[str, Any]) -> None:
    print(json.dumps(words), file=_answers(), flush=True)


if __name__ == "__main__":
    main()
