"""Heads of one's own: labels, what of them is in tables of results, fitting, scores, files."""
