"""What peers are given: sound, and the same weights in each peer's format."""
