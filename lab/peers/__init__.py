"""The engine and its peers, side by side: `python -m lab.peers`.

programs/       what a peer is: a module with `open_peer`, run in the peer's own environment
material/       what peers are given: sound, and the same weights in each one's format
requirements/   environments besides the one that runs this, every version exact
*_studies.py    which peers do which cases: a new peer is a program and an entry here
rounds.py       turns; process.py and serve.py are the two ends of the pipe to a peer
results.py      ratios within rounds, marks; tables.py and figure.py show them
"""
