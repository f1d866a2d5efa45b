"""Training MAEST as in the paper (Alonso-Jimenez, Serra, Bogdanov, ISMIR 2023).

Run from the repository's root as ``python -m training``; nothing of it is in the wheel. In the
order in which it happens: `data` makes a data set, `model` builds a network, `run` trains and
scores it with the parts in `recipe`, `export` makes a model file of it. `config` says what an
experiment is.
"""
