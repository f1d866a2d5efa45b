"""The model that tests run: tiny, with random weights, so that nothing else about it can change."""

from pathlib import Path

UNTRAINED = Path(__file__).parents[1] / "data" / "untrained-tiny.onnx"
"""Written by ``maest convert --random-weights tiny``; test_convert.py makes it again."""
