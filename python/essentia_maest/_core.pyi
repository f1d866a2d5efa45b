"""Types of the C++ engine; its behaviour is documented where the package wraps it."""

from enum import Enum

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float32]

class OutputKind(Enum):
    activations = ...
    logits = ...
    embeddings = ...
    tokens = ...

class ModelInfo:
    name: str
    trained: bool
    precision: str
    segment_frames: int
    segment_hop_frames: int
    grid_rows: int
    grid_columns: int
    depth: int
    dim: int
    classes: int
    labels: list[str]
    license: str
    source: str
    source_sha256: str
    essentia_metadata: str
    official: bool

class Extractor:
    def __init__(self, path: bytes, threads: int) -> None: ...
    @property
    def info(self) -> ModelInfo: ...
    @property
    def threads(self) -> int: ...

class Request:
    def __init__(
        self,
        *,
        outputs: list[OutputKind],
        block: int,
        tokens: list[str],
        patchout: str | tuple[list[int], int],
        hop: float,
        tail: str,
        batch_size: int,
    ) -> None: ...

class Stream:
    def __init__(self, extractor: Extractor, request: Request) -> None: ...
    def push(self, samples: _Array) -> tuple[_Array, ...]: ...
    def finish(self) -> tuple[_Array, ...]: ...
    def reset(self) -> None: ...

class MelFrontend:
    def __init__(self) -> None: ...
    def push(self, samples: _Array) -> _Array: ...
    def finish(self) -> _Array: ...
    def reset(self) -> None: ...

def mel_spectrogram(samples: _Array) -> _Array: ...
def extract(extractor: Extractor, request: Request, samples: _Array) -> tuple[_Array, ...]: ...
def set_ort_library(path: bytes) -> None: ...
def ort_version() -> str: ...
def available_cpus() -> int: ...
