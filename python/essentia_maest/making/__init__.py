"""Model files from checkpoints: weights, graph, metadata, precision."""
