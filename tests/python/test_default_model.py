"""The name "default" and what ships: true of any model that takes the place."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from essentia_maest.model_store import DEFAULT, shipped_models

CARDS = Path(__file__).parents[2] / "models" / "README.md"


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model("default")


def test_default_is_one_of_the_models_shipped(model: maest.Model) -> None:
    assert maest.Model().path == model.path == shipped_models()[DEFAULT]
    assert maest.Model(DEFAULT).path == model.path


def test_every_model_shipped_is_small_and_has_a_card() -> None:
    cards = CARDS.read_text()
    for path in shipped_models().values():
        assert path.stat().st_size < 15e6
        assert hashlib.sha256(path.read_bytes()).hexdigest() in cards


def test_the_json_beside_it_is_the_one_inside(model: maest.Model) -> None:
    assert json.loads(model.path.with_suffix(".json").read_text()) == model.info
    assert model.info["classes"] == list(model.labels)


def test_it_says_what_it_is_worth() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = maest.Model("default")
    warned = any(issubclass(each.category, maest.UntrainedModelWarning) for each in caught)
    assert warned is not model.trained
    assert ("untrained" in model.name) is not model.trained


def test_it_hears_the_example(model: maest.Model) -> None:
    audio = maest.load_audio(maest.example_audio())
    activations, embeddings = model.analyze(audio, tail="repeat")
    segments = round(30 / model.hop_seconds)
    assert activations.shape == (segments, len(model.labels))
    assert embeddings.shape == (segments, 3 * model.dim)
    assert np.isfinite(embeddings).all()
    assert 0 <= activations.min() < activations.max() <= 1
