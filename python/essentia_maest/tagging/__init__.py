"""Tags inside audio files: read, changed with a way back, nothing else touched."""
