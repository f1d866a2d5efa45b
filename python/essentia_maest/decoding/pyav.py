"""PyAV, for what neither Essentia's FFmpeg nor libsndfile decodes: the extra ``formats``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..errors import DecodeError, InvalidArgumentError
from ..front_end import SAMPLE_RATE
from .pyav_memory import MemoryLimit

_PIECE = 10 * SAMPLE_RATE
# Less than this may be missing of what a file promises: codecs' delay and padding.
_TOLERATED_SECONDS = 0.1
# FFmpeg's packed sample formats.
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


class PyAvReader:
    """A file decoded by PyAV, as a `Reader`.

    Parameters
    ----------
    file : str
        Absolute path.
    known : _core.Container
        What the file is.

    Raises
    ------
    DecodeError
        PyAV is not installed, cannot open the file, or finds no sample in it.
    """

    def __init__(self, file: str, known: _core.Container) -> None:
        self._file = file
        self.container = known.container
        self._limit = MemoryLimit(file)
        self.found = 0
        self.ending = "unknown"
        self.damage = ""
        self._faults = 0
        self._start()
        stream = self._opened.streams.audio[0]
        # PyAV gives a stream no context whose codec it does not know.
        context = stream.codec_context
        if context is None or not context.sample_rate:
            raise DecodeError("PyAV cannot decode it: how it is coded is not known")
        self.codec = known.codec or str(context.name)
        self.sample_rate, self.channels = int(context.sample_rate), int(context.channels)
        self.seconds = _seconds(stream, known)
        self._ready = self._next_resampled()
        if not self._ready.size:
            raise DecodeError(f"no audio samples could be decoded ({self.damage or self.decoder})")

    def read(self, samples: int) -> npt.NDArray[np.float32]:
        """Give the next samples."""
        parts, left = [np.zeros(0, np.float32)], samples
        while left != 0:
            if not self._ready.size:
                self._ready = self._next_resampled()
                if not self._ready.size:
                    break
            part = self._ready if left < 0 else self._ready[:left]
            self._ready = self._ready[len(part) :]
            self.position += len(part)
            left -= len(part) if left > 0 else 0
            parts.append(part)
        return np.concatenate(parts)

    def seek(self, sample: int) -> None:
        """Go to a sample, by decoding what is before."""
        if sample < self.position:
            self._start()
        while self.position < sample:
            if not self.read(min(sample - self.position, _PIECE)).size:
                break

    def _start(self) -> None:
        try:
            import av
        except ImportError as error:
            raise DecodeError(f"PyAV cannot be used: {error}") from error
        self._error: Any = av.FFmpegError
        self.decoder = f"PyAV {av.__version__}"
        try:
            self._opened = av.open(self._file)
        except (av.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DecodeError(f"PyAV cannot open it: {reason}") from error
        if not self._opened.streams.audio:
            raise DecodeError("no audio stream in it")
        self._blocks = self._decoded()
        self._resampler: _core.Resampler | None = None
        self._ready = np.zeros(0, np.float32)
        self._faults = 0
        self.position = 0

    def _decoded(self) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Decode packet by packet: a damaged one costs itself."""
        stream = self._opened.streams.audio[0]
        packets = self._opened.demux(stream)
        opus = _opus_decoder(stream.codec_context)
        # Loud MPEG audio goes beyond full scale; Essentia's decoder and libsndfile's clip it.
        most = 1.0 if _codec_name(stream).startswith(("mp1", "mp2", "mp3")) else None
        while True:
            try:
                packet = next(packets)
                # The empty packet at the end asks for what is held back.
                frames = opus.decode(packet if packet.size else None) if opus else packet.decode()
            except StopIteration:
                return
            except self._error as error:
                self._faults += 1
                self.damage = self.damage or f"PyAV: {error.strerror}"
                if self._faults > 1000:
                    return
                continue
            for frame in frames:
                yield int(frame.sample_rate), _mixed(frame, most)

    def _next_resampled(self) -> npt.NDArray[np.float32]:
        for rate, mono in self._blocks:
            if self._resampler is None or self._resampler.rate != rate:
                try:
                    self._resampler = _core.Resampler(rate)
                except InvalidArgumentError as error:
                    self.damage = self.damage or str(error)
                    break
            resampled = self._resampler.push(mono)
            if resampled.size:
                return resampled
        self.found = self.position
        found = self.found / SAMPLE_RATE
        if self.seconds is not None and found + _TOLERATED_SECONDS < self.seconds:
            self.ending = "truncated"
        else:
            self.ending = "damaged" if self.damage else "complete"
        return np.zeros(0, np.float32)


def _opus_decoder(context: Any) -> Any | None:
    """Give libopus, which is nearer to what was encoded than FFmpeg's own decoder at low rates."""
    import av

    if context is None or context.name != "opus" or "libopus" not in av.codecs_available:
        return None
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.extradata = context.extradata
    decoder.layout = context.layout
    decoder.sample_rate = context.sample_rate
    return decoder


def _seconds(stream: Any, known: _core.Container) -> float | None:
    if known.promised >= 0 and known.rate > 0:
        return known.promised / known.rate
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None


def _codec_name(stream: Any) -> str:
    context = stream.codec_context
    return "" if context is None else str(context.name)


def _mixed(frame: Any, most: float | None = None) -> npt.NDArray[np.float32]:
    """Mix a frame's channels as the engine does: the mean, in float32 for two."""
    channels = len(frame.layout.channels)
    samples = _to_float(_channels_of(frame, channels))
    if most is not None:
        samples = samples.clip(-most, most)
    if channels == 1:
        return np.ascontiguousarray(samples[0])
    if channels == 2:
        return np.asarray((samples[0] + samples[1]) * np.float32(0.5))
    return np.asarray(samples.mean(axis=0, dtype=np.float64).astype(np.float32))


def _channels_of(frame: Any, channels: int) -> npt.NDArray[Any]:
    """Give a frame's samples, [channels, samples].

    Not by its ``to_ndarray``: of eight planes that reads a ninth, which is not there (av 18.1).
    """
    kind, count = _TYPES[frame.format.packed.name], frame.samples
    planes = frame.planes[:channels]
    if frame.format.is_planar:
        return np.stack([np.frombuffer(plane, kind, count) for plane in planes])
    return np.frombuffer(planes[0], kind, count * channels).reshape(-1, channels).T


def _to_float(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    half = 1 << (8 * samples.dtype.itemsize - 1)
    offset = half if samples.dtype.kind == "u" else 0
    return ((samples.astype(np.float64) - offset) / half).astype(np.float32)
