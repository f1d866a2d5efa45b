"""Training MAEST as in the paper (Alonso-Jimenez, Serra, Bogdanov, ISMIR 2023).

Run from the repository's root as ``python -m training``; nothing of it is in the wheel.
"""
