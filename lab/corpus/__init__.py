"""Music from packages, for experiments on a fresh machine."""
