"""The networks, their initialisations and baselines."""
