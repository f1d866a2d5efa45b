"""What a model is worth, measured on held-out music."""
