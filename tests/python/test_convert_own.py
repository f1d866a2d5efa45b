"""A model file of ours in fp32 as a source: what comes out is what its own source would give."""

import json

import onnx
import pytest
import torch

from checkpoint_files import (
    LABELS,
    export_official,
    properties,
    save_folder,
    save_lightning,
    small_ast,
    small_maest,
)
from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints import read_checkpoint
from essentia_maest.making.conversion import convert, convert_random
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.weights import random_weights

FAMILIES = [f"Genre---{number}" for number in range(4)] + ["Metre---double", "Metre---triple"]


def checkpoint(folder):
    save_lightning(folder / "a.ckpt", small_maest().state_dict())
    return folder / "a.ckpt"


def hugging_face(folder):
    save_folder(folder / "discogs-maest", small_ast())
    return folder / "discogs-maest"


def official(folder):
    export_official(folder / "o.onnx")
    about = {"name": "o", "author": "Somebody", "classes": LABELS, "version": "2"}
    (folder / "o.json").write_text(json.dumps(about))
    return folder / "o.onnx"


@pytest.mark.parametrize("make", [checkpoint, hugging_face, official])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_equal_to_the_byte_to_converting_the_original(tmp_path, make, precision):
    source = make(tmp_path)
    own = LABELS if make is checkpoint else None
    convert(source, tmp_path / "fp32.onnx", labels=own)
    convert(source, tmp_path / "direct.onnx", labels=own, precision=precision)
    convert(tmp_path / "fp32.onnx", tmp_path / "again.onnx", precision=precision)
    for suffix in (".onnx", ".json"):
        direct = (tmp_path / f"direct{suffix}").read_bytes()
        assert (tmp_path / f"again{suffix}").read_bytes() == direct


def test_families_normalisation_and_separate_heads_are_kept(tmp_path):
    weights = random_weights(dim=64, depth=2, classes=len(FAMILIES), columns=15, seed=3)
    generator = torch.Generator().manual_seed(1)
    second = torch.randn(64, len(FAMILIES), generator=generator).numpy()
    weights = type(weights)(
        **vars(weights) | {"second_head_weight": second, "second_head_bias": second[0].copy()}
    )
    description = ModelDescription(
        name="Families",
        description="of several questions",
        labels=tuple(FAMILIES),
        trained=True,
        license="CC0-1.0",
        source="best.ckpt (weights net_swa.*)",
        source_sha256="ab" * 32,
        mean=1.5,
        standard_deviation=0.7,
        families=("Genre", "Metre"),
    )
    write_model(weights, description, "fp32", tmp_path / "fp32.onnx")
    # For int8 more is decided from audio: the same again for the same file.
    convert(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", precision="int8")
    for precision in ("fp32", "int8"):
        convert(tmp_path / "fp32.onnx", tmp_path / "again.onnx", precision=precision)
        assert (tmp_path / "again.onnx").read_bytes() == (
            tmp_path / f"{precision}.onnx"
        ).read_bytes()
    assert properties(tmp_path / "int8.onnx")["labels"].splitlines() == FAMILIES
    relabelled = [f"other {number}" for number in range(len(FAMILIES))]
    convert(tmp_path / "fp32.onnx", tmp_path / "other.onnx", labels=relabelled)
    assert "label_families" not in json.loads((tmp_path / "other.json").read_text())


def test_random_weights_stay_untrained(tmp_path):
    convert_random("tiny", tmp_path / "fp32.onnx")
    convert_random("tiny", tmp_path / "direct.onnx", precision="int8")
    convert(tmp_path / "fp32.onnx", tmp_path / "again.onnx", precision="int8", lowest_cosine=-1)
    assert properties(tmp_path / "again.onnx")["trained"] == "false"
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "direct.onnx").read_bytes()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return convert_random("tiny", tmp_path_factory.mktemp("tiny") / "tiny.onnx")


def changed(model, name, value):
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if value is None:
        del entries[f"maest.{name}"]
    else:
        entries[f"maest.{name}"] = value
    onnx.helper.set_model_props(model, entries)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("format_version", "7", "of version '7', wanted '1'"),
        ("heads", None, r"lacks the metadata entry 'maest\.heads'"),
        ("heads", "two", "maest.heads is 'two', wanted a whole number"),
        ("heads", "5", "5 attention heads do not divide"),
        ("depth", "13", "wanted 'block_12/qkv/weight', which is missing"),
        ("dim", "128", r"has the shape \[64, 400\], wanted \[128, any\]"),
        ("normalization_mean", "x", "maest.normalization_mean is 'x', wanted a number"),
        ("normalization_divisor", "0", "standard deviation"),
        ("labels", "a", "found 1 labels, the model has 400"),
        ("essentia_metadata", "[", "is not JSON"),
        ("essentia_metadata", "[]", "no JSON object"),
    ],
)
def test_damaged_files_of_ours(tmp_path, tiny, name, value, message):
    model = onnx.load(tiny)
    changed(model, name, value)
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(ModelError, match=message):
        convert(tmp_path / "damaged.onnx", tmp_path / "a.onnx")


def renamed(model):
    next(tensor for tensor in model.graph.initializer if tensor.name == "norm/bias").name = "bias"


def added(model):
    scale = next(t for t in model.graph.initializer if t.name == "norm/scale")
    model.graph.initializer.append(scale)
    model.graph.initializer[-1].name = "gate/bias"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (renamed, "wanted 'norm/bias', which is missing"),
        (added, "found 'gate/bias', which a model file of ours does not have"),
    ],
)
def test_arrays_that_are_missing_or_unknown(tmp_path, tiny, edit, message):
    model = onnx.load(tiny)
    edit(model)
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(ModelError, match=message):
        convert(tmp_path / "damaged.onnx", tmp_path / "a.onnx")


def test_heads_are_as_the_file_says(tiny):
    assert read_checkpoint(tiny, heads=2).weights.heads == 2
    with pytest.raises(ModelError, match="has 2 attention heads, not 4"):
        read_checkpoint(tiny, heads=4)
