"""Programs that `lab.choices` runs, one process each."""
