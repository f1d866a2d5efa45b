"""Tagged music as it was published, into tracks tables: one module for each data set."""
