"""The tagger from fifty files: which pieces are taken, and what ways to pool are compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from essentia_maest.heads.examples import examples_of
from essentia_maest.heads.fitting import out_of_fold, probabilities_of
from essentia_maest.heads.groups import groups_of
from essentia_maest.heads.labels import read_labels
from head_fixtures import labelled
from lab.corpus.produced_music import PRODUCED_MUSIC, ProducedTrack
from lab.own_head import music
from lab.own_head.pooling import compare_poolings


def track(package, artist: str, name: str) -> ProducedTrack:
    path = Path("/music") / package.name / name
    return ProducedTrack(f"{package.name}/{name}", path, package, name, artist, 60.0)


def test_fifty_pieces_of_all_artists_in_turn(tmp_path, monkeypatch):
    def tracks_of(package, cache):
        artists = ("a", "b") if package.name == "nexuiz-music" else (package.name,)
        names = [f"{number}.ogg" for number in range(30)] + ["guitar.ogg"]
        return [track(package, artist, f"{artist}-{name}") for artist in artists for name in names]

    monkeypatch.setattr(music, "tracks_of", tracks_of)
    pieces = music.labelled_pieces(tmp_path)
    assert Counter(style for _, style in pieces) == {"orchestra": 25, "electronic or rock": 25}
    assert Counter(piece.artist for piece, _ in pieces)["a"] == 5
    known = {package.name for package in PRODUCED_MUSIC}
    assert {
        name for shares in music.STYLES.values() for names, _ in shares for name in names
    } <= known
    music.write_sheet(tmp_path / "labels.csv", pieces)
    labels = read_labels(tmp_path / "labels.csv")
    assert [(file.path, file.names, file.group) for file in labels.files] == [
        (str(piece.path), (style,), piece.artist) for piece, style in pieces
    ]


def test_poolings_are_scored_as_a_head_is(tmp_path):
    results, labels, _ = labelled(tmp_path, 24, ("folk", "rock"))
    examples, _ = examples_of(labels, results)
    groups, _ = groups_of(examples, None)
    found = {(one.fitted, one.given): one for one in compare_poolings(examples, groups, results, 0)}
    assert len(found) == 4
    right = []
    for test, logits in out_of_fold(examples.embeddings, examples.truth, groups, examples.kind, 0):
        best = probabilities_of(logits, examples.kind).argmax(axis=1)
        right += (best == examples.truth[test].argmax(axis=1)).tolist()
    accuracy = found["track means", "track means"].scores["accuracy"].value
    assert accuracy == pytest.approx(np.mean(right))
    losses = {one.log_loss for one in found.values()}
    assert len(losses) == 4
