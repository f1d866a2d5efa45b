"""What is damaged, foreign, dangerous or not to be written is refused by name."""

import argparse
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from checkpoint_files import (
    DIM,
    FRAMES,
    LABELS,
    check_outputs,
    export_official,
    save_folder,
    save_legacy,
    save_lightning,
    small_ast,
    small_maest,
)
from essentia_maest.errors import AudioFileError, InvalidArgumentError, ModelError
from essentia_maest.making.conversion import convert, convert_random
from reference_models import random_mel, run_maest


@pytest.fixture(scope="module")
def maest():
    return small_maest()


@pytest.fixture(scope="module")
def ast():
    return small_ast()


@pytest.fixture(scope="module")
def state(maest):
    return {name: tensor.clone() for name, tensor in maest.state_dict().items()}


class Foreign:
    """A class that only this test knows, as Lightning files hold those of their project."""

    def __init__(self):
        self.things = [1, {2}]


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_foreign_objects_in_a_checkpoint_are_left_out_and_named(tmp_path, maest, state, caplog):
    settings = argparse.Namespace(rate=0.1)
    save_lightning(tmp_path / "a.ckpt", state, settings=settings, callback=Foreign())
    convert(tmp_path / "a.ckpt", tmp_path / "a.onnx", labels=LABELS)
    check_outputs(tmp_path / "a.onnx", run_maest(maest, random_mel(FRAMES)))
    assert "argparse.Namespace" in caplog.text
    assert "Foreign" in caplog.text


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_not_run(tmp_path, state, legacy):
    source, victim = tmp_path / "evil.ckpt", tmp_path / "victim"
    content = {"state_dict": state, "trick": Evil(victim)}
    torch.save(content, source, _use_new_zipfile_serialization=not legacy)
    convert(source, tmp_path / "a.onnx", labels=LABELS)
    assert not victim.exists()
    source.write_bytes(pickle.dumps(Evil(victim)))
    with pytest.raises(ModelError):
        convert(source, tmp_path / "b.onnx")
    assert not victim.exists()


def edited(**changes):
    def save(path, state):
        torch.save({k: v for k, v in (state | changes).items() if v is not None}, path)

    return save


def cut(save, name):
    def damage(path, state):
        save(path.with_name(name), state)
        content = path.with_name(name).read_bytes()
        path.with_name(name).unlink()
        path.write_bytes(content[: len(content) // 2])

    return damage


def save_compressed(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 24))


REFUSED = {
    "empty file": ("a.ckpt", lambda p, s: p.write_bytes(b""), "found an empty file"),
    "lfs": (
        "a.safetensors",
        lambda p, s: p.write_text("version https://git-lfs.github.com/spec/v1\noid x"),
        "Git LFS pointer.*git lfs pull",
    ),
    "text": ("a.ckpt", lambda p, s: p.write_text("hello there"), r"starts with b'hello th'"),
    "tensorflow": ("a.pb", lambda p, s: p.write_bytes(b"\n\x12\n\x0bmelspec"), "TensorFlow.*fetch"),
    "cut checkpoint": ("a.ckpt", cut(save_lightning, "b.ckpt"), "damaged file"),
    "cut legacy": ("a.pt", cut(save_legacy, "b.pt"), "damaged file"),
    "cut safetensors": (
        "a.safetensors",
        cut(lambda p, s: save_file(s, p), "b.safetensors"),
        "safetensors file, found damage",
    ),
    "foreign": (
        "a.pt",
        lambda p, s: torch.save({"conv1.weight": torch.zeros(3, 3)}, p),
        r"found the arrays 'conv1.weight'; wanted those of MAEST",
    ),
    "no tensors": ("a.pt", lambda p, s: torch.save({"epoch": 3}, p), "dictionary of 'epoch'"),
    "a tensor": ("a.pt", lambda p, s: torch.save(torch.zeros(3), p), "object of type Tensor"),
    "missing": ("a.pt", edited(**{"norm.bias": None}), "wanted 'norm.bias', which is missing"),
    "missing head": ("a.pt", edited(**{"head.1.weight": None}), "wanted 'head.1.weight'"),
    "no dist token": ("a.pt", edited(dist_token=None), "wanted 'dist_token'"),
    "missing block": (
        "a.pt",
        lambda p, s: torch.save({k: v for k, v in s.items() if "blocks.1." not in k}, p),
        r"found the blocks \[0, 2\]",
    ),
    "unknown": ("a.pt", edited(**{"gate.weight": torch.zeros(3)}), "found 'gate.weight', which"),
    "shape": (
        "a.pt",
        edited(**{"blocks.1.mlp.fc2.weight": torch.zeros(128, 500)}),
        r"'blocks.1.mlp.fc2.weight' has the shape \[128, 500\], wanted \[128, 512\]",
    ),
    "rgb": (
        "a.pt",
        edited(**{"patch_embed.proj.weight": torch.zeros(DIM, 3, 16, 16)}),
        r"\[128, 3, 16, 16\], wanted \[128, 1, 16, 16\]",
    ),
    "128 mel bands": (
        "a.pt",
        edited(freq_new_pos_embed=torch.zeros(1, DIM, 12, 1)),
        "12 patch rows .*; wanted 9",
    ),
    "integers": (
        "a.pt",
        edited(**{"norm.bias": torch.zeros(DIM, dtype=torch.int32)}),
        "'norm.bias' is int32, wanted floating point",
    ),
    "not finite": (
        "a.pt",
        edited(**{"norm.bias": torch.full((DIM,), torch.nan)}),
        "norm_bias: 128 of 128 values are NaN or infinite",
    ),
    "one number for all": (
        "a.pt",
        edited(**{"norm.bias": torch.zeros(1).expand(1 << 31, 1 << 31)}),
        "'norm.bias' of shape .* has more elements than the file has bytes",
    ),
    "compressed": (
        "a.ckpt",
        lambda p, s: save_compressed(p),
        "which is not compressed; found an archive of .* unpacks to 16777216",
    ),
    "no pickle": ("a.pt", lambda p, s: p.write_bytes(b"\x80\x02q\x00."), "damaged file"),
    "two models": (
        "a.pt",
        lambda p, s: torch.save(
            {f"student.{k}": v for k, v in s.items()} | {f"teacher.{k}": v for k, v in s.items()},
            p,
        ),
        r"found 2 models, prefixes 'student.', 'teacher.'",
    ),
    "cut onnx": (
        "a.onnx",
        lambda p, s: p.write_bytes(onnx_bytes(foreign_onnx())[:-20]),
        "wanted an ONNX file, found damage",
    ),
    "foreign onnx": (
        "a.onnx",
        lambda p, s: p.write_bytes(onnx_bytes(foreign_onnx())),
        r"initialisers 'w'; wanted one exported from transformers' AST",
    ),
    "noise onnx": ("a.onnx", lambda p, s: p.write_bytes(b"\x01" * 300), "ONNX"),
    "our int8": (
        "a.onnx",
        lambda p, s: convert_random("tiny", p, precision="int8"),
        r"in int8, whose rounding cannot be undone; wanted .*fp32.*random weights, size tiny",
    ),
}


def foreign_onnx():
    value = helper.make_tensor_value_info
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Add", ["x", "w"], ["y"])],
            "g",
            [value("x", TensorProto.FLOAT, [30])],
            [value("y", TensorProto.FLOAT, [30])],
            [numpy_helper.from_array(np.zeros(30, np.float32), "w")],
        )
    )


def onnx_bytes(model):
    return model.SerializeToString()


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_a_maest_model_is_refused_by_name(tmp_path, state, case):
    name, save, message = REFUSED[case]
    source = tmp_path / "in" / name
    source.parent.mkdir()
    save(source, state)
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match=message) as raised:
        convert(source, tmp_path / "out/a.onnx", labels=LABELS)
    if case not in ("not finite", "128 mel bands"):
        assert name in str(raised.value)
    assert not os.listdir(tmp_path / "out")


def test_a_source_that_does_not_exist(tmp_path):
    with pytest.raises(ModelError, match=r"no\.ckpt: does not exist"):
        convert(tmp_path / "no.ckpt", tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_mel_bins": 128}, "num_mel_bins is 128, wanted 96"),
        ({"time_stride": 16}, "time_stride is 16, wanted 10"),
        ({"model_type": "vit"}, "model_type is 'vit'"),
        ({"max_length": 1876}, "encodings of 144 patches, wanted 9 rows of 187"),
        ({"num_attention_heads": 5}, "5 attention heads do not divide"),
        ({"num_attention_heads": "two"}, "num_attention_heads is 'two'"),
        ({"num_attention_heads": 2.5}, "num_attention_heads is 2.5, wanted a whole number"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0, wanted a whole number"),
        ({"max_length": float("inf")}, "found Infinity, which JSON does not have"),
        ({"layer_norm_eps": float("nan")}, "found NaN, which JSON does not have"),
        ({"layer_norm_eps": 10**400}, "layer_norm_eps is 1000"),
        ({"id2label": {"0": "a"}}, "found 1 labels, the model has 7 classes"),
        ({"id2label": {"1": "a", "2": "b"}}, "without gaps"),
        ({"id2label": [1, 2]}, "id2label is not a mapping"),
    ],
)
def test_hugging_face_settings_that_do_not_fit(tmp_path, ast, change, message):
    save_folder(tmp_path / "folder", ast)
    path = tmp_path / "folder/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        convert(tmp_path / "folder", tmp_path / "a.onnx")


def test_hugging_face_folders_that_lack_a_file(tmp_path, ast):
    save_folder(tmp_path / "folder", ast)
    (tmp_path / "folder/model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"found 'README.md', 'config.json'; wanted model.safe"):
        convert(tmp_path / "folder", tmp_path / "a.onnx")
    (tmp_path / "folder/config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json is not JSON"):
        convert(tmp_path / "folder", tmp_path / "a.onnx")
    (tmp_path / "folder/config.json").unlink()
    with pytest.raises(ModelError, match=r"a folder without config\.json"):
        convert(tmp_path / "folder", tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:-1], "found 6 labels, the model has 7 classes"),
        ([*LABELS[:-1], ""], "label 6 is ''"),
        ([*LABELS[:-1], "a\nb"], r"label 6 is 'a\\nb'"),
        ([*LABELS[:-1], LABELS[0]], r"label 'Genre---Style 0' comes 2 times"),
        ([*LABELS[:-1], 3], "label 6 is 3"),
        ([*LABELS[:-1], "\x1b[2Jrock"], r"label 6 is '\\x1b\[2Jrock'; .*control characters"),
        ("no-such-file.txt", "no-such-file.txt: wanted class names"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, state, labels, message):
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=message):
        convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=labels)
    assert os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("model.json", "must end in .onnx"),
        ("none/model.onnx", "the folder .*none does not exist"),
        ("folder.onnx", "is a folder"),
        ("file/model.onnx", "the folder .*file does not exist"),
    ],
)
def test_destinations_that_cannot_be(tmp_path, destination, message):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidArgumentError, match=message):
        convert_random("tiny", tmp_path / destination)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.onnx"]


def test_the_source_is_not_overwritten(tmp_path):
    source = tmp_path / "a.onnx"
    export_official(source)
    before = source.read_bytes()
    with pytest.raises(InvalidArgumentError, match="the destination is the source"):
        convert(source, source, labels=LABELS)
    assert source.read_bytes() == before


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, function):
    path = convert_random("tiny", tmp_path / "a.onnx", seed=1)
    before = path.read_bytes()

    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(InvalidArgumentError, match=r"cannot be written \(No space left"):
        convert_random("tiny", path, seed=2)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.json", "a.onnx"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": "huge"}, InvalidArgumentError, "'huge': wanted one of tiny, base"),
        ({"precision": "fp16"}, InvalidArgumentError, "'fp16': wanted one of fp32, int8"),
        ({"classes": 0}, InvalidArgumentError, "0 classes"),
        ({"seconds": 0.01}, InvalidArgumentError, "a segment of 0.01 s"),
        ({"seconds": float("nan")}, InvalidArgumentError, "a segment of nan s"),
        ({"labels": ["a"], "classes": 2}, ModelError, "found 1 labels, the model has 2"),
    ],
)
def test_random_weights_that_cannot_be(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        convert_random(**{"size": "tiny", "destination": tmp_path / "a.onnx"} | arguments)
    assert not os.listdir(tmp_path)


def test_int8_that_changes_too_much_is_refused(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        InvalidArgumentError, match=r"cosine of embeddings 0\.99.*at least 1\. Noth"
    ):
        convert(
            tmp_path / "a.pt", tmp_path / "a.onnx", precision="int8", labels=LABELS, lowest_cosine=1
        )
    assert os.listdir(tmp_path) == ["a.pt"]


def test_samples_that_cannot_be_heard(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    (tmp_path / "noise.wav").write_bytes(b"no audio")
    with pytest.raises(AudioFileError, match=r"noise\.wav"):
        convert(
            tmp_path / "a.pt",
            tmp_path / "a.onnx",
            precision="int8",
            labels=LABELS,
            samples=[tmp_path / "noise.wav"],
        )
    assert sorted(os.listdir(tmp_path)) == ["a.pt", "noise.wav"]
