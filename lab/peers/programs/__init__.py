"""What peers are: one program each, run in the peer's own environment."""
