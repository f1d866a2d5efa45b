"""Where a model's time goes, and what faster products would bring: `python -m lab.speed_bounds`.

loops.cpp       loops of nothing but products, compiled when they are asked for
rates.py        what they reach
operators.py    what each operator of a run took, by ONNX Runtime's profile
"""
