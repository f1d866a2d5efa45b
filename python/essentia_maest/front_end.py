"""Constants of the front end: what samples and mel frames are, of every model."""

from __future__ import annotations

SAMPLE_RATE = 16000
"""Of everything the models hear, in Hz."""
FRAME_SIZE = 512
HOP_SIZE = 256
MEL_BANDS = 96
COMPRESSION = "log10(1+10000x)"
FRAMES_PER_SECOND = SAMPLE_RATE / HOP_SIZE
