"""Tables of results: what they hold, written in whole parts, and read."""
