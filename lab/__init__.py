"""The workshop: what builds and measures the product, and is not part of it.

Run from the repository's root as ``python -m lab``; nothing of it is in the wheel.
"""
