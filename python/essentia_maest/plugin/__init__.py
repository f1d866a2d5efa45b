"""The algorithms inside the installed Essentia: which builds take them, and how they get there."""
