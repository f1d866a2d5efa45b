"""Every public format, and random weights, to the same model file."""

import hashlib
import json
import logging

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from safetensors.torch import save_file
from sklearn.metrics.pairwise import paired_cosine_distances

from checkpoint_files import (
    CLASSES,
    COLUMNS,
    DEPTH,
    DIM,
    FRAMES,
    HEADS,
    LABELS,
    check_outputs,
    export_official,
    outputs_of,
    properties,
    save_folder,
    save_legacy,
    save_lightning,
    save_plain_lightning,
    save_without_dist_head,
    small_ast,
    small_maest,
)
from essentia_maest import Model, example_audio, load_audio
from essentia_maest.errors import ModelError
from essentia_maest.making.conversion import convert, convert_random
from essentia_maest.making.metadata import segment_frames, segment_hop_frames, segment_seconds
from essentia_maest.making.precision_check import PrecisionReport
from reference_models import make_ast, make_maest, random_mel, run_ast, run_maest
from untrained import UNTRAINED


@pytest.fixture(scope="module")
def maest():
    return small_maest()


@pytest.fixture(scope="module")
def ast():
    return small_ast()


@pytest.fixture(scope="module")
def state(maest):
    return {name: tensor.clone() for name, tensor in maest.state_dict().items()}


@pytest.fixture(scope="module")
def ast_state(ast):
    return {name: tensor.clone() for name, tensor in ast.state_dict().items()}


MAEST_FORMATS = {
    "averaged.ckpt": save_lightning,
    "last.ckpt": save_plain_lightning,
    "bare.pt": lambda path, state: torch.save(state, path),
    "wrapped.pth": lambda path, state: torch.save({"model": state}, path),
    "legacy.bin": save_legacy,
    "mean-head.pt": save_without_dist_head,
    "maest.safetensors": lambda path, state: save_file(state, path),
}


@pytest.mark.parametrize("name", MAEST_FORMATS)
def test_maest_checkpoints(tmp_path, maest, state, name):
    source, destination = tmp_path / name, tmp_path / "model.onnx"
    MAEST_FORMATS[name](source, state)
    assert convert(source, destination, labels=LABELS) == destination
    check_outputs(destination, run_maest(maest, random_mel(FRAMES)))
    stored = properties(destination)
    assert stored["name"] == source.stem
    assert stored["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert stored["trained"] == "true"
    assert (stored["dim"], stored["heads"], stored["depth"]) == ("128", "2", "3")
    assert (stored["grid_rows"], stored["grid_columns"]) == ("9", str(COLUMNS))


def test_averaged_weights_are_preferred_and_named(tmp_path, state, caplog):
    save_lightning(tmp_path / "a.ckpt", state)
    with caplog.at_level(logging.INFO):
        convert(tmp_path / "a.ckpt", tmp_path / "a.onnx", labels=LABELS)
    assert "net_swa." in properties(tmp_path / "a.onnx")["source"]
    assert "net_swa." in caplog.text


@pytest.mark.parametrize("state_name", ["model.safetensors", "pytorch_model.bin"])
def test_hugging_face_folders(tmp_path, ast, state_name):
    save_folder(tmp_path / "discogs-maest", ast, state_name)
    convert(tmp_path / "discogs-maest", tmp_path / "a.onnx")
    check_outputs(tmp_path / "a.onnx", run_ast(ast, random_mel(FRAMES)))
    stored = properties(tmp_path / "a.onnx")
    assert stored["labels"].split("\n") == LABELS
    assert stored["license"] == "cc-by-nc-sa-4.0"
    assert stored["name"] == "discogs-maest"


def test_hugging_face_settings_are_used(tmp_path):
    """Another epsilon, and heads that are not 64 wide."""
    other = make_ast(FRAMES, CLASSES, dim=64, heads=4, depth=DEPTH, epsilon=0.3)
    save_folder(tmp_path / "folder", other)
    convert(tmp_path / "folder", tmp_path / "a.onnx")
    check_outputs(tmp_path / "a.onnx", run_ast(other, random_mel(FRAMES)))
    stored = properties(tmp_path / "a.onnx")
    assert stored["heads"] == "4"
    convert(tmp_path / "folder/model.safetensors", tmp_path / "b.onnx")
    check_outputs(tmp_path / "b.onnx", run_ast(other, random_mel(FRAMES)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_checkpoints(tmp_path, ast_state, ast, dtype):
    halves = {name: tensor.to(dtype) for name, tensor in ast_state.items()}
    save_file(halves, tmp_path / "ast.safetensors")
    convert(tmp_path / "ast.safetensors", tmp_path / "a.onnx", labels=LABELS)
    rounded = make_ast(FRAMES, CLASSES, dim=DIM, heads=HEADS, depth=DEPTH)
    rounded.load_state_dict({name: tensor.float() for name, tensor in halves.items()})
    check_outputs(tmp_path / "a.onnx", run_ast(rounded, random_mel(FRAMES)))


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "discogs-maest.onnx"
    model = export_official(path)
    metadata = {
        "name": "discogs-maest-30s-pw",
        "author": "Somebody",
        "classes": LABELS,
        "citation": "@misc{x}",
        "inference": {"algorithm": "TensorflowPredictMAEST"},
    }
    path.with_suffix(".json").write_text(json.dumps(metadata))
    names = [tensor.name for tensor in model.graph.initializer]
    assert sum(name.startswith("onnx::MatMul") for name in names) == 6 * DEPTH
    return path


def test_official_onnx(tmp_path, ast, official):
    convert(official, tmp_path / "a.onnx")
    check_outputs(tmp_path / "a.onnx", run_ast(ast, random_mel(FRAMES)))
    stored = properties(tmp_path / "a.onnx")
    assert stored["name"] == "discogs-maest-30s-pw"
    assert stored["labels"].split("\n") == LABELS
    metadata = json.loads((tmp_path / "a.json").read_text())
    assert metadata["author"] == "Somebody"
    assert metadata["citation"] == "@misc{x}"
    assert metadata["inference"]["algorithm"] == "OnnxPredictMAEST"


def test_official_onnx_with_the_older_names(tmp_path, ast, official):
    """The published files come from a transformers that had other module names."""
    model = onnx.load(official)
    renamed = {
        ".layers.": ".encoder.layer.",
        ".attention.q_proj.": ".attention.attention.query.",
        ".attention.k_proj.": ".attention.attention.key.",
        ".attention.v_proj.": ".attention.attention.value.",
        ".attention.o_proj.": ".attention.output.dense.",
        ".mlp.fc1.": ".intermediate.dense.",
        ".mlp.fc2.": ".output.dense.",
    }

    def old(name):
        if name.startswith("audio_spectrogram"):
            for new, older in renamed.items():
                name = name.replace(new, older)
        return name

    for tensor in model.graph.initializer:
        tensor.name = old(tensor.name)
    for node in model.graph.node:
        node.input[:] = [old(name) for name in node.input]
    assert any("attention.attention.query" in tensor.name for tensor in model.graph.initializer)
    onnx.save(model, tmp_path / "old.onnx")
    convert(tmp_path / "old.onnx", tmp_path / "a.onnx", labels=LABELS)
    check_outputs(tmp_path / "a.onnx", run_ast(ast, random_mel(FRAMES)))


def test_official_onnx_in_half_precision(tmp_path, ast, official):
    model = onnx.load(official)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    onnx.save(model, tmp_path / "half.onnx")
    convert(tmp_path / "half.onnx", tmp_path / "a.onnx", labels=LABELS)
    check_outputs(tmp_path / "a.onnx", run_ast(ast, random_mel(FRAMES)), tolerance=2e-2)
    stored = numpy_helper.to_array(
        next(t for t in onnx.load(tmp_path / "a.onnx").graph.initializer if "fc1/weight" in t.name)
    )
    assert np.array_equal(stored, stored.astype(np.float16))


@pytest.mark.parametrize("opset", [14, 17])
def test_official_onnx_epsilon_is_read_from_the_graph(tmp_path, opset):
    """LayerNorm is many nodes in one opset, and one node in the other."""
    other = make_ast(FRAMES, CLASSES, dim=64, heads=1, depth=DEPTH, epsilon=5e-4)
    torch.onnx.export(
        other,
        (torch.zeros(1, FRAMES, 96),),
        str(tmp_path / "o.onnx"),
        input_names=["melspectrogram"],
        opset_version=opset,
        dynamo=False,
    )
    convert(tmp_path / "o.onnx", tmp_path / "a.onnx", labels=LABELS)
    check_outputs(tmp_path / "a.onnx", run_ast(other, random_mel(FRAMES)), tolerance=2e-5)


def test_all_sources_give_the_same_file_contents(tmp_path, state, ast_state):
    save_lightning(tmp_path / "a.ckpt", state)
    save_file(state, tmp_path / "b.safetensors")
    arrays = []
    for source in ("a.ckpt", "b.safetensors"):
        destination = convert(tmp_path / source, tmp_path / f"{source}.onnx", labels=LABELS)
        initializers = onnx.load(destination).graph.initializer
        arrays.append({t.name: numpy_helper.to_array(t) for t in initializers})
    assert arrays[0].keys() == arrays[1].keys()
    assert all(np.array_equal(array, arrays[1][name]) for name, array in arrays[0].items())


def test_int8_is_smaller_and_close(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    for precision in ("fp32", "int8"):
        path = tmp_path / f"{precision}.onnx"
        convert(tmp_path / "a.pt", path, precision=precision, labels=LABELS)
        assert properties(path)["precision"] == precision
    exact, rounded = outputs_of(tmp_path / "fp32.onnx")[0], outputs_of(tmp_path / "int8.onnx")[0]
    cosine = (exact * rounded).sum() / np.linalg.norm(exact) / np.linalg.norm(rounded)
    assert cosine > 0.999
    sizes = [(tmp_path / f"{p}.onnx").stat().st_size for p in ("fp32", "int8")]
    assert sizes[1] < 0.4 * sizes[0]


def test_heads_must_be_told_where_the_width_does_not_tell(tmp_path):
    narrow = make_maest(FRAMES, CLASSES, dim=48, heads=3, depth=DEPTH)
    torch.save(narrow.state_dict(), tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"width of 48 is not a multiple of 64.*argument heads"):
        convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=LABELS)
    with pytest.raises(ModelError, match="5 attention heads do not divide a width of 48"):
        convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=LABELS, heads=5)
    convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=LABELS, heads=3)
    check_outputs(tmp_path / "a.onnx", run_maest(narrow, random_mel(FRAMES)))


def write_text(path):
    path.write_text("\n".join(LABELS) + "\n")


def write_json_list(path):
    path.write_text(json.dumps(LABELS))


def write_essentia(path):
    path.write_text(json.dumps({"name": "x", "classes": LABELS}))


@pytest.mark.parametrize(
    ("name", "write"),
    [("l.txt", write_text), ("l.json", write_json_list), ("e.json", write_essentia)],
)
def test_labels_from_files(tmp_path, state, name, write):
    torch.save(state, tmp_path / "a.pt")
    write(tmp_path / name)
    convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=tmp_path / name)
    assert properties(tmp_path / "a.onnx")["labels"].split("\n") == LABELS
    assert json.loads((tmp_path / "a.json").read_text())["classes"] == LABELS


def test_placeholder_labels_come_with_a_warning(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    with pytest.warns(UserWarning, match="has no class names; naming its 7 classes class-000"):
        convert(tmp_path / "a.pt", tmp_path / "a.onnx")
    labels = properties(tmp_path / "a.onnx")["labels"].split("\n")
    assert labels == [f"class-00{number}" for number in range(CLASSES)]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_random_weights(tmp_path, precision):
    path = convert_random("tiny", tmp_path / "a.onnx", precision=precision)
    again = convert_random("tiny", tmp_path / "b.onnx", precision=precision)
    other = convert_random("tiny", tmp_path / "c.onnx", precision=precision, seed=1)
    assert path.read_bytes() == again.read_bytes() != other.read_bytes()
    assert 500_000 < path.stat().st_size < 2_500_000
    stored = properties(path)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert stored["essentia_metadata"] == text
    metadata = json.loads(text)
    assert metadata["name"] == stored["name"] == "untrained-tiny-10s"
    assert "mean nothing" in metadata["description"]
    assert stored["trained"] == "false"
    assert metadata["classes"] == stored["labels"].split("\n")
    assert metadata["classes"][0] == "untrained-class-000"
    assert len(metadata["classes"]) == 400
    purposes = [output["output_purpose"] for output in metadata["schema"]["outputs"]]
    assert purposes == ["predictions", "logits", "embeddings"]
    expected = {
        "format_version": "1",
        "precision": precision,
        "sample_rate": "16000",
        "frame_size": "512",
        "hop_size": "256",
        "mel_bands": "96",
        "compression": "log10(1+10000x)",
        "normalization_mean": "2.06755686098554",
        "normalization_divisor": repr(2 * 1.268292820667291),
        "segment_frames": "626",
        "segment_hop_frames": "625",
        "patch_size": "16",
        "patch_stride": "10",
        "grid_rows": "9",
        "grid_columns": "62",
        "depth": "12",
        "source_sha256": "",
    }
    assert expected.items() <= stored.items()


def test_random_weights_with_labels(tmp_path):
    path = convert_random("tiny", tmp_path / "a.onnx", labels=["x", "y"], seconds=5)
    stored = properties(path)
    assert stored["labels"] == "x\ny"
    assert stored["segment_frames"] == "316"
    assert stored["name"] == "untrained-tiny-5s"


@pytest.mark.parametrize(
    ("columns", "frames", "seconds", "hop"),
    [(31, 316, 5, 313), (62, 626, 10, 625), (125, 1256, 20, 1250), (187, 1876, 30, 1875),
     (5, 56, 0.896, 56)],
)  # fmt: skip
def test_segments_follow_from_the_grid(columns, frames, seconds, hop):
    assert segment_frames(columns) == frames
    assert segment_seconds(frames) == pytest.approx(seconds)
    assert segment_hop_frames(frames) == hop


def test_random_weights_are_the_same_everywhere(tmp_path):
    made = convert_random("tiny", tmp_path / "tiny.onnx")
    assert onnx.load(made).graph == onnx.load(UNTRAINED).graph
    assert properties(made) == properties(UNTRAINED)


def test_int8_is_measured_before_it_is_written(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    found: list[PrecisionReport] = []
    convert(
        tmp_path / "a.pt", tmp_path / "a.onnx", precision="int8", labels=LABELS, report=found.append
    )
    (report,) = found
    exact = convert(tmp_path / "a.pt", tmp_path / "exact.onnx", labels=LABELS)
    audio = load_audio(example_audio())
    models = [Model(path) for path in (exact, tmp_path / "a.onnx")]
    assert [block.block for block in report.blocks] == list(range(1, DEPTH + 1))
    for block in report.blocks:
        one, other = (model.embed(audio, block=block.block, tail="repeat") for model in models)
        cosines = 1 - paired_cosine_distances(one.astype(float), other.astype(float))
        assert (report.files, report.segments) == (1, len(one))
        assert block.mean == pytest.approx(cosines.mean(), abs=1e-9)
        assert block.lowest == pytest.approx(cosines.min(), abs=1e-9)
    assert report.lowest == min(block.lowest for block in report.blocks)
    tags, other_tags = (model.predict(audio, tail="repeat") for model in models)
    assert report.same_top == np.mean(tags.argmax(1) == other_tags.argmax(1))
    assert report.activations == np.abs(tags - other_tags).max()
    assert report.holds
    assert sorted(path.name for path in tmp_path.iterdir() if path.stem == "a") == [
        "a.json",
        "a.onnx",
        "a.pt",
    ]
