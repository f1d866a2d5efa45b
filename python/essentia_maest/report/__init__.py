"""A page to look at: results as one HTML file that needs no network."""
