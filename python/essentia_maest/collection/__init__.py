"""Many files: find them, decode them in worker processes, analyse them, keep the results."""
