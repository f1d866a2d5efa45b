"""What training costs: a step, reading a data set (pytest-benchmark)."""
