"""Models whose classes come in families: what they say, and how their strongest are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.commands.cli import main
from essentia_maest.errors import ModelError
from essentia_maest.making.metadata import ModelDescription, essentia_metadata
from essentia_maest.making.weights import random_weights
from essentia_maest.reading.families import families_of, family_lines, strongest_by_family
from untrained import UNTRAINED

LABELS = ("Genre---rock", "Metre---3/4", "Genre---jazz", "Metre---4/4", "Genre---a---b")


def described(families: tuple[str, ...], labels: tuple[str, ...] = LABELS) -> ModelDescription:
    return ModelDescription(
        name="some",
        description="",
        labels=labels,
        trained=False,
        license="",
        source="",
        source_sha256="",
        families=families,
    )


@pytest.fixture(scope="module")
def families_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untrained model, its 400 classes renamed into four families of 100."""
    path = tmp_path_factory.mktemp("model") / "families.onnx"
    proto = onnx.load(UNTRAINED)
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    labels = [f"{family}---{number}" for number in range(100) for family in "DCBA"]
    info = json.loads(entries["maest.essentia_metadata"])
    info |= {"classes": labels, "label_families": ["A", "B", "C", "D"]}
    entries |= {"maest.labels": "\n".join(labels), "maest.essentia_metadata": json.dumps(info)}
    onnx.helper.set_model_props(proto, entries)
    onnx.save(proto, path)
    return path


def test_families_are_those_of_the_labels_in_their_order() -> None:
    assert families_of(LABELS, "here") == ("Genre", "Metre")
    for bad in ("rock", "---rock", "Genre---"):
        with pytest.raises(ModelError, match=f"here: found label '{bad}'; wanted Family---Name"):
            families_of([*LABELS, bad], "here")


def test_the_strongest_of_each_family() -> None:
    activations = np.array([0.1, 0.7, 0.30004, 0.7, 0.2], np.float32)
    found = strongest_by_family(activations, LABELS, ("Metre", "Genre"), 2, 3)
    assert found == {"Metre": {"3/4": 0.7, "4/4": 0.7}, "Genre": {"jazz": 0.3, "a---b": 0.2}}
    assert [list(names) for names in found.values()] == [["3/4", "4/4"], ["jazz", "a---b"]]
    assert family_lines(found) == ["Metre  3/4 0.70, 4/4 0.70", "Genre  jazz 0.30, a---b 0.20"]
    assert family_lines({}) == []


def test_metadata_has_families_only_where_they_are_asked_for() -> None:
    weights = random_weights(dim=64, heads=1, hidden=8, classes=5, columns=5, seed=0)
    written = essentia_metadata(described(("Metre", "Genre")), weights)
    assert written["label_families"] == ["Metre", "Genre"]
    assert "label_families" not in essentia_metadata(described(()), weights)
    with pytest.raises(ModelError, match=r"some: label_families is \['Genre'\]; wanted"):
        described(("Genre",))
    with pytest.raises(ModelError, match="found label 'rock'"):
        described(("Genre",), ("rock",))


@pytest.mark.parametrize("entry", [["A"], ["A", "B", "C", "D", "D"], "ABCD", {"A": 1}, 4])
def test_families_that_are_not_the_labels(
    tmp_path: Path, families_model: Path, entry: object
) -> None:
    proto = onnx.load(families_model)
    entries = {prop.key: prop.value for prop in proto.metadata_props}
    info = json.loads(entries["maest.essentia_metadata"]) | {"label_families": entry}
    entries["maest.essentia_metadata"] = json.dumps(info)
    onnx.helper.set_model_props(proto, entries)
    onnx.save(proto, tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"bad\.onnx'.*label_families is .*wanted \['D', 'C'"):
        maest.Model(tmp_path / "bad.onnx")


def test_analyze_names_the_strongest_of_each_family(
    tmp_path: Path, families_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = maest.Model(families_model)
    assert model.label_families == ("A", "B", "C", "D")
    assert maest.Model(UNTRAINED).label_families == ()
    music = write_audio(tmp_path / "in" / "song.wav", 21.0, 16000, 1)
    options = ["--model", str(families_model), "--workers", "1", "--top-k", "3"]
    options += ["--format", "files"]
    command = ["analyze", str(music), "-o", str(tmp_path / "out"), *options]
    assert main([*command, "--output", "predictions"]) == 0
    printed = capfd.readouterr().out.splitlines()

    written = json.loads((tmp_path / "out" / "song.wav.json").read_text())
    predictions = model.predict(maest.load_audio(music), tail="repeat")
    for entry, activations in [
        (written, predictions.mean(axis=0, dtype=np.float64)),
        *zip(written["segments"], predictions, strict=True),
    ]:
        assert list(entry["families"]) == ["A", "B", "C", "D"]
        of_b = activations[2::4]
        best = np.argsort(-of_b, kind="stable")[:3]
        assert list(entry["families"]["B"]) == [str(number) for number in best]
        assert list(entry["families"]["B"].values()) == pytest.approx(of_b[best], abs=1e-6)
        assert entry["top"][0]["label"] == model.labels[int(activations.argmax())]
        assert len(entry["top"]) == 3
    assert printed == family_lines(written["families"])

    assert main([*command, "--quiet"]) == 0
    assert capfd.readouterr().out == ""
    write_audio(tmp_path / "in" / "other.wav", 1.0, 16000, 1)
    command[1] = str(tmp_path / "in")
    assert main(command) == 0
    lines = capfd.readouterr().out.splitlines()  # of several tracks each has one
    names = sorted(line.split("\t")[0].rpartition("/")[2] for line in lines)
    assert names == ["other.wav", "song.wav"]
