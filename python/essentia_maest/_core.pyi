"""Types of the C++ engine; its behaviour is documented where the package wraps it."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float32]

class OutputKind(Enum):
    activations = ...
    logits = ...
    embeddings = ...
    tokens = ...

class _FrontEnd:
    """Samples -> mel frames: a submodule."""

    sample_rate: int
    frame_size: int
    hop_size: int
    mel_bands: int
    compression: str
    normalization_mean: float
    normalization_divisor: float
    def frame_count(self, samples: int) -> int: ...
    def frames_to_seconds(self, frames: int) -> float: ...

class _Patches:
    """Segments -> grids of patches, as every public model has them: a submodule."""

    size: int
    stride: int
    rows: int
    def columns(self, segment_frames: int) -> int: ...
    def segment_frames(self, columns: int) -> int: ...
    def own_hop_frames(self, segment_frames: int) -> int: ...

front_end: Final[_FrontEnd]
patches: Final[_Patches]
TAILS: Final[tuple[str, ...]]
TOKENS: Final[tuple[str, ...]]
MOST_THREADS: Final[int]
OLDEST_ORT: Final[str]
OPERATOR_DOMAIN: Final[str]
MODEL_FORMAT: Final[str]

class Source:
    """One decoder by itself; AudioFile chooses among them."""

    codec: str
    decoder: str
    rate: int
    channels: int
    promised: int
    def next(self) -> tuple[_Array, int]: ...
    def seek(self, sample: int) -> bool: ...
    def skip(self, samples: int) -> int: ...
    def damage(self) -> str: ...

def open_ffmpeg(path: str | bytes, demuxer: str, decoder: str = "") -> Source: ...

HEAD_LABELS_KEY: Final[str]

class Head:
    input_name: str
    input_shape: list[int]
    output_name: str
    output_shape: list[int]
    labels: list[str]
    def __init__(self, path: str | bytes, threads: int, output: str) -> None: ...
    def metadata(self, key: str) -> str | None: ...
    def predict(self, values: _Array) -> _Array: ...

class ModelInfo:
    name: str
    trained: bool
    precision: str
    segment_frames: int
    segment_hop_frames: int
    segment_seconds: float
    hop_seconds: float
    outputs: tuple[OutputKind, ...]
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
    @property
    def operators(self) -> dict[str, str]:
        """Each operator of ours -> the instruction set of the kernel that computes its nodes.

        "onnxruntime" where the engine computes none of them.
        """

    @property
    def operator_nodes(self) -> dict[str, int]:
        """Each operator of ours -> the number of nodes that the engine computes."""

    def plan(self, request: Request) -> Plan: ...
    def hearing(self, plan: Plan) -> Hearing: ...

class Request:
    """What is asked. None is the engine's default, which the attribute of that name then tells.

    A `hop` of None is the model's own, a `batch_size` of None one segment per thread: both stay
    None here, and `Plan` tells what they come to.
    """

    def __init__(
        self,
        *,
        outputs: Sequence[OutputKind] = ...,
        block: int | Sequence[int] | None = None,
        tokens: Sequence[str] | None = None,
        patchout: str | tuple[Sequence[int], int] | None = None,
        hop: float | None = None,
        tail: str | None = None,
        batch_size: int | None = None,
    ) -> None: ...
    @property
    def outputs(self) -> tuple[OutputKind, ...]: ...
    @property
    def block(self) -> int: ...
    @property
    def blocks(self) -> tuple[int, ...]: ...
    @property
    def tokens(self) -> tuple[str, ...]: ...
    @property
    def patchout(self) -> str | tuple[tuple[int, ...], int]: ...
    @property
    def hop(self) -> float | None: ...
    @property
    def tail(self) -> Literal["discard", "repeat", "pad"]: ...
    @property
    def batch_size(self) -> int | None: ...

class Plan:
    """What a request comes to with one model; made by `Extractor.plan`, which checks it."""

    @property
    def request(self) -> Request: ...
    @property
    def segment_frames(self) -> int: ...
    @property
    def segment_seconds(self) -> float: ...
    @property
    def hop_frames(self) -> int: ...
    @property
    def hop_seconds(self) -> float: ...
    @property
    def depth(self) -> int:
        """Blocks to compute."""

    @property
    def batch_size(self) -> int:
        """Segments computed at once at the most."""

    @property
    def kept_patches(self) -> int:
        """How many patches of a whole segment the model is given."""

    @property
    def kept_rows(self) -> tuple[int, ...]: ...
    @property
    def kept_columns(self) -> tuple[int, ...]: ...
    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of each output of one whole segment, in the order of `Request.outputs`."""

    def start_seconds(self, segments: int, first: int = 0) -> npt.NDArray[np.float64]:
        """Where the segments from number `first` on start, that of the tail included."""

class Stream:
    def __init__(self, extractor: Extractor, request: Request) -> None: ...
    def push(self, samples: _Array) -> tuple[_Array, ...]: ...
    def push_file(
        self, file: AudioFile | HeardFile, turn: Callable[[bool], object]
    ) -> tuple[tuple[_Array, ...], int, float]:
        """Push what is left of a file; give outputs, how many samples, and the largest of them.

        `turn` is called with True before samples are computed, with False before others are
        decoded.
        """

    def finish(self) -> tuple[_Array, ...]: ...
    def reset(self, lead_frames: int = 0) -> None: ...
    def stop(self) -> None: ...
    @property
    def plan(self) -> Plan: ...
    @property
    def seconds(self) -> tuple[float, float]:
        """Time that the front end and the model took so far; that of several threads added up."""

class Resampler:
    """Any rate to that of the models, as Essentia's ``Resample`` of quality 4 to the bit."""

    def __init__(self, rate: int) -> None: ...
    @property
    def rate(self) -> int: ...
    def push(self, samples: _Array) -> _Array: ...
    def start_at(self, output: int) -> int:
        """Make a resampled sample the next one; give the sample that `push` has to begin with."""

    def count_of(self, samples: int) -> int:
        """How many resampled samples a signal of so many gives."""

class Container:
    """What a file is, by its own bytes."""

    @property
    def container(self) -> str:
        """Empty: no audio file that is known."""

    @property
    def codec(self) -> str: ...
    @property
    def foreign(self) -> str:
        """What it is where it is no audio, in words."""

    @property
    def rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def promised(self) -> int:
        """Samples of each channel, by the header; -1: not told."""

    @property
    def cut(self) -> bool:
        """By its own sizes the file would be longer than it is."""

    @property
    def chained(self) -> bool: ...

class Route:
    """Who decodes a codec in a container."""

    @property
    def container(self) -> str: ...
    @property
    def codec(self) -> str:
        """``"*"``: any that has no route of its own."""

    @property
    def readers(self) -> tuple[Literal["ffmpeg", "sndfile", "extra"], ...]: ...
    @property
    def demuxer(self) -> str: ...
    @property
    def decoder(self) -> str: ...
    @property
    def way_out(self) -> str:
        """What the file's owner can do where no reader is there."""

class AudioFile:
    """An audio file as mono samples at 16 kHz; opened by the engine's own readers."""

    def __init__(self, path: bytes) -> None: ...
    @property
    def container(self) -> str: ...
    @property
    def codec(self) -> str: ...
    @property
    def decoder(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def position(self) -> int: ...
    @property
    def ending(self) -> Literal["unknown", "complete", "truncated", "damaged"]: ...
    @property
    def found(self) -> int: ...
    @property
    def damage(self) -> str: ...
    def read(self, samples: int) -> _Array:
        """Give the next samples, at most so many; a negative number is all that are left."""

    def read_into(self, array: _Array) -> int:
        """Fill an array with the next samples; give how many there were."""

    def seek(self, sample: int) -> None: ...

class MelFrontend:
    def __init__(self) -> None: ...
    def push(self, samples: _Array) -> _Array: ...
    def finish(self) -> _Array: ...
    def reset(self) -> None: ...

def mel_spectrogram(samples: _Array) -> _Array: ...
def extract(extractor: Extractor, request: Request, samples: _Array) -> tuple[_Array, ...]: ...
def analyze_file(
    extractor: Extractor, request: Request, audio_file: AudioFile, one_step: bool = False
) -> tuple[_Array, ...]:
    """Compute what is asked of a file, from its beginning to its end.

    What no kept patch hears is not decoded where samples stay the same to the bit, or, for
    `one_step`, within one step of 16 bits.
    """

class Hearing:
    """Where in its segments a model hears anything; can be pickled."""

    @property
    def has_gaps(self) -> bool:
        """Whether there is anything that it does not hear."""

class HeardFile:
    """A file of which no more is decoded than what is heard."""

    def read(self, samples: int) -> _Array:
        """Give the next samples, at most so many: zeros where nothing is heard."""

    @property
    def failed(self) -> bool:
        """Whether the file is not as long as was taken for granted: nothing read counts."""

def hear_whole(audio_file: AudioFile, hearing: Hearing, one_step: bool = False) -> HeardFile | None:
    """Begin a file from its beginning; None where nothing can be left out."""

def hear_section(
    audio_file: AudioFile,
    hearing: Hearing,
    first_frame: int,
    begin: int,
    end: int,
    one_step: bool = False,
) -> HeardFile | None:
    """Go to the samples of one segment; None where nothing of them can be left out."""

def identify(path: bytes) -> Container: ...
def routes() -> tuple[Route, ...]:
    """Give the whole table of who decodes what."""

def route_of(container: Container) -> Route: ...
def set_ffmpeg_library(path: bytes) -> None: ...
def set_sndfile_library(path: bytes) -> None: ...
def ffmpeg_memory_limit(file_bytes: int) -> int: ...
def ffmpeg_version() -> str:
    """Give the name and version of Essentia's FFmpeg; empty where there is none that is usable."""

def sndfile_version() -> str:
    """Give the name and version of libsndfile; empty where there is none that is usable."""

def set_ort_library(path: bytes) -> None: ...
def ort_version() -> str: ...
def ort_library() -> str:
    """Give the path of the library that is loaded."""

def kernels() -> dict[str, str]:
    """Tell which kernels a model opened now is computed with.

    ``isa`` is the instruction set chosen, ``mel``, ``gelu`` and ``attention`` (in 8-bit integers)
    the ones that these kernels were compiled for; "onnxruntime" where the engine has none.
    """

def instruction_sets() -> tuple[str, ...]:
    """Give the instruction sets that this CPU runs, the slowest first."""

def available_cpus() -> int: ...
