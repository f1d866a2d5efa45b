"""Collections on the machines of a cluster."""
