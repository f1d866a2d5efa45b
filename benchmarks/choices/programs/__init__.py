"""Programs that `benchmarks.choices` runs, one process each."""
