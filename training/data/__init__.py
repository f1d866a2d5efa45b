"""Audio and labels to a data set that trains fast."""
