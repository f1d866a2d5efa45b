"""Constants of the front end, as the engine tells them: samples and mel frames of every model."""

from __future__ import annotations

from . import _core

SAMPLE_RATE = _core.front_end.sample_rate
"""Of everything the models hear, in Hz."""
FRAME_SIZE = _core.front_end.frame_size
HOP_SIZE = _core.front_end.hop_size
MEL_BANDS = _core.front_end.mel_bands
COMPRESSION = _core.front_end.compression
FRAMES_PER_SECOND = SAMPLE_RATE / HOP_SIZE
