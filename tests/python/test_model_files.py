"""What Model says of files that are not, or no longer, models."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from untrained import UNTRAINED


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"not a model", "cannot be loaded"),
        (b"\x08\x08" + bytes(1000), "cannot be loaded|not a MAEST model"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(maest.ModelError, match=words):
        maest.Model(path)


def test_missing_models(tmp_path: Path) -> None:
    with pytest.raises(maest.ModelError, match="neither a file nor.*default"):
        maest.Model("no-such-model")
    with pytest.raises(maest.ModelError, match="not a file"):
        maest.Model(tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_truncated_models(tmp_path: Path, model: maest.Model, part: float) -> None:
    content = model.path.read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(maest.ModelError, match=str(path)):
        maest.Model(path)


def test_bytes_that_changed(tmp_path: Path, model: maest.Model) -> None:
    """Every damage is an error of ours or leaves a model that computes; nothing crashes."""
    content = model.path.read_bytes()
    rng = np.random.default_rng(0)
    audio = rng.standard_normal(11 * 16000).astype(np.float32)
    path = tmp_path / "damaged.onnx"
    refused = 0
    for _ in range(120):
        damaged = bytearray(content)
        # The first and the last bytes hold the structure and the metadata, the rest is weights.
        start, stop = [(0, 4000), (len(content) - 60000, len(content)), (0, len(content))][
            rng.integers(3)
        ]
        for position in rng.integers(start, stop, size=3):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            result = maest.Model(path, num_threads=1).predict(audio, patchout="F4T10")
        except maest.ModelError:
            refused += 1
        else:
            assert np.isfinite(result).all()
    assert refused > 20


def test_an_undecodable_file_name(tmp_path: Path, model: maest.Model) -> None:
    path = tmp_path / os.fsdecode(b"mod\xe8le.onnx")
    with pytest.raises(maest.ModelError, match="neither a file"):
        maest.Model(path)
    path.write_bytes(model.path.read_bytes())
    assert maest.Model(path).labels == model.labels
    path.write_bytes(b"nonsense")
    with pytest.raises(maest.ModelError, match="cannot be loaded"):
        maest.Model(path)


def edited(model: maest.Model, path: Path, **changes: str | None) -> Path:
    """Write a copy of the model with other metadata; None removes an entry."""
    proto = onnx.load(model.path)
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    for key, value in changes.items():
        if value is None:
            del entries["maest." + key]
        else:
            entries["maest." + key] = value
    onnx.helper.set_model_props(proto, entries)
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": "99"}, "format_version = '99'.*'1'"),
        ({"format_version": None}, "not a MAEST model.*maest convert"),
        ({"sample_rate": "44100"}, "44100"),
        ({"dim": None}, "maest.dim"),
        ({"dim": "97"}, r"'tokens'.*97"),
        ({"dim": "-4"}, "-4"),
        ({"dim": "many"}, "many"),
        ({"labels": "only\ntwo"}, r"'logits'.*400.*2"),
        ({"segment_frames": "100"}, "100 frames"),
        ({"grid_rows": "10"}, "10 x"),
        ({"normalization_divisor": "0"}, "positive"),
        ({"normalization_mean": "nan"}, "finite"),
        ({"trained": "perhaps"}, "perhaps"),
        ({"essentia_metadata": "{"}, "not JSON"),
        ({"essentia_metadata": "[]"}, "an object is wanted"),
    ],
)
def test_contradicting_metadata(
    tmp_path: Path, model: maest.Model, changes: dict[str, str | None], words: str
) -> None:
    with pytest.raises(maest.ModelError, match=words):
        maest.Model(edited(model, tmp_path / "edited.onnx", **changes))


def test_a_foreign_onnx_file(tmp_path: Path) -> None:
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 3])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    proto = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(proto, tmp_path / "foreign.onnx")
    with pytest.raises(maest.ModelError, match=r"'x' \[1, 3\].*maest convert"):
        maest.Model(tmp_path / "foreign.onnx")


def test_a_name_says_nothing(tmp_path: Path, model: maest.Model) -> None:
    path = tmp_path / "discogs-maest-30s-pw-519l.onnx"
    path.write_bytes(model.path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert maest.Model(path).segment_seconds == model.segment_seconds


def test_json_beside_a_model(model: maest.Model) -> None:
    assert json.loads(model.path.with_suffix(".json").read_text()) == model.info
