"""Files that are not on this machine's file systems: URLs, through fsspec."""
