"""The name "default" and what ships: true of any model that takes the place."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from essentia_maest.reading.families import strongest_by_family
from essentia_maest.reading.store import DEFAULT, shipped_models

CARDS = Path(__file__).parents[2] / "models" / "README.md"
README = CARDS.parents[1] / "README.md"


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


def test_the_readme_shows_what_it_says_of_the_example(model: maest.Model) -> None:
    audio = maest.load_audio(maest.example_audio())
    mean = model.predict(audio, tail="repeat").mean(axis=0, dtype=np.float64)
    # Two more than are shown: how 8-bit integers are computed decides between nearly equal ones.
    found = strongest_by_family(mean, model.labels, model.label_families, 7, 6)
    shown = README.read_text().split("among other things:\n\n```text\n")[1].split("\n```")[0]
    families = [line.split()[0] for line in shown.splitlines()]
    assert families == ["Genre", "Instrument", "Tempo"]
    for family, line in zip(families, shown.splitlines(), strict=True):
        for entry in line.removeprefix(family).strip().split(", "):
            name, _, value = entry.rpartition(" ")
            assert found[family][name] == pytest.approx(float(value), abs=0.02)


def test_it_hears_which_instruments_play(model: maest.Model) -> None:
    """The clip is swing by tenor saxophone, guitar, organ, bass and drums."""
    audio = maest.load_audio(maest.example_audio())
    mean = model.predict(audio, tail="repeat").mean(axis=0)
    found = strongest_by_family(mean, model.labels, model.label_families, 5, 6)
    assert {"drums", "bass"} <= set(found["Instrument"])
    assert next(iter(found["Metre"])) == "quadruple"
    assert next(iter(found["Tempo"])) == "110 to 140"
