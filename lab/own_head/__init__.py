"""A tagger of one's own from fifty real files, as a new user makes it: timed and scored."""
