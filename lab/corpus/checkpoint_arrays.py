"""The tensors of a TensorFlow checkpoint: converted once, by TensorFlow, which nothing else needs.

TensorFlow has an environment of its own in the cache (`lab.peers.environments`), and its arrays
stay there as ``.npz``.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from essentia_maest.files import sha256_of, written_whole
from lab.peers.environments import python_of, run_once
from lab.peers.process import PeerError, environment_variables
from training.errors import CheckpointError

_PROGRAM = Path(__file__).parent / "read_by_tensorflow.py"
_SECONDS_ALLOWED = 300


def checkpoint_arrays(folder: Path, cache: Path) -> dict[str, NDArray[np.float32]]:
    """Give all float32 tensors of a checkpoint; those of other types are left out.

    Parameters
    ----------
    folder : path
        Of the checkpoint's files, ``.index`` and ``.data-00000-of-00001``, which have no other
        name.
    cache : path
        Where packages are kept; what is not there yet is fetched (TensorFlow) and made.

    Returns
    -------
    dict
        Name -> array.

    Raises
    ------
    CheckpointError
        A file is missing or is no checkpoint, or TensorFlow cannot be had.
    """
    path = arrays_path(folder, cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            with written_whole(path) as place:
                _convert(folder, place, cache)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); delete it to go on") from error


def arrays_path(folder: Path, cache: Path) -> Path:
    """Name the file with a checkpoint's arrays: another content, another file.

    Raises
    ------
    CheckpointError
        A file of the checkpoint is missing.
    """
    try:
        sums = [sha256_of(folder / name) for name in (".index", ".data-00000-of-00001")]
    except OSError as error:
        raise CheckpointError(f"{folder} is no TensorFlow checkpoint: {error}") from error
    key = hashlib.sha256("".join(sums).encode()).hexdigest()[:12]
    return cache / "arrays" / f"{folder.name}-{key}.npz"


def _convert(folder: Path, output: Path, cache: Path) -> None:
    try:
        run_once(
            f"{folder} cannot be read by TensorFlow",
            [str(python_of("tensorflow", cache)), str(_PROGRAM), f"{folder}/", str(output)],
            seconds=_SECONDS_ALLOWED,
            environment=environment_variables(1),
        )
    except PeerError as error:
        raise CheckpointError(str(error)) from error
