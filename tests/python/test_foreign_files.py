"""Files that stand for others, belong to other programs, or are written otherwise than expected."""

import codecs
import json
import logging
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save_file

import essentia_maest as maest
from audio_fixtures import write_audio
from checkpoint_files import (
    FRAMES,
    LABELS,
    check_outputs,
    export_official,
    properties,
    save_folder,
    save_legacy,
    save_lightning,
    small_ast,
    small_maest,
)
from essentia_maest.commands.cli import main
from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.huggingface import read_huggingface_folder
from essentia_maest.making.conversion import convert, convert_random
from essentia_maest.reading.plain_text import is_plain, printable
from reference_models import random_mel, run_maest

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 348052337\n"
# Of Essentia's files: a node, its length, its name, its operator.
GRAPH_DEF = (
    b"\x0a\x3c\x0a\x0emelspectrogram\x12\x0bPlaceholder" + b"\x00" * 40,
    b"\x0a\xac\x02\x0a\x05const\x12\x05Const*\x0b" + b"\x00" * 400,
)


@pytest.fixture(scope="module")
def state():
    return {name: tensor.clone() for name, tensor in small_maest().state_dict().items()}


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "config.json"])
def test_git_lfs_pointers_in_a_hugging_face_folder(tmp_path, name):
    weights = name if name != "config.json" else "model.safetensors"
    save_folder(tmp_path / "folder", small_ast(), weights)
    (tmp_path / "folder" / name).write_text(POINTER)
    with pytest.raises(ModelError, match=f"{name}: found a Git LFS pointer.*git lfs pull"):
        convert(tmp_path / "folder", tmp_path / "a.onnx")


@pytest.mark.parametrize("name", ["a.ckpt", "a.pt", "a.safetensors", "a.onnx"])
def test_git_lfs_pointers(tmp_path, name):
    (tmp_path / name).write_text(POINTER)
    for use in (lambda path: convert(path, tmp_path / "b.onnx"), maest.Model):
        with pytest.raises(ModelError, match=f"{name}: found a Git LFS pointer.*git lfs pull"):
            use(tmp_path / name)


@pytest.mark.parametrize("name", ["labels.txt", "labels.json"])
def test_git_lfs_pointers_as_labels(tmp_path, state, name):
    torch.save(state, tmp_path / "a.pt")
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(ModelError, match=f"{name}: found a Git LFS pointer"):
        convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=tmp_path / name)


def test_git_lfs_pointers_beside_an_official_file(tmp_path):
    export_official(tmp_path / "o.onnx")
    (tmp_path / "o.json").write_text(POINTER)
    for use in (lambda path: convert(path, tmp_path / "b.onnx"), maest.Model):
        with pytest.raises(ModelError, match=r"o\.json: found a Git LFS pointer"):
            use(tmp_path / "o.onnx")


WORDS = (
    "found a model of TensorFlow",
    "https://essentia.upf.edu/models.html",
    "https://huggingface.co/mtg-upf",
    "https://github.com/palonso/MAEST",
    "maest convert",
)


@pytest.mark.parametrize("content", GRAPH_DEF)
@pytest.mark.parametrize("name", ["discogs-maest-30s-pw-519l-2.pb", "graph.pb", "graph.onnx"])
def test_models_of_tensorflow(tmp_path, capsys, name, content):
    path, audio = tmp_path / name, tmp_path / "a.wav"
    path.write_bytes(content)
    write_audio(audio, 12.0)
    fetched = "discogs-maest-30s-pw-519l" if name.startswith("disc") else "NAME"
    for arguments in (
        ("info", path),
        ("bench", "--model", path, "--audio", audio),
        ("analyze", audio, "--model", path, "-o", tmp_path / "out"),
        ("convert", path, tmp_path / "b.onnx"),
    ):
        assert main([str(argument) for argument in arguments]) == 2
        said = capsys.readouterr().err
        for words in (*WORDS, f"`maest fetch {fetched}"):
            assert words in said, arguments
    with pytest.raises(ModelError, match="TensorFlow"):
        maest.Model(path)


def test_a_saved_model_of_tensorflow(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    for use in (maest.Model, lambda path: convert(path, tmp_path / "b.onnx")):
        with pytest.raises(ModelError, match="model: found a model of TensorFlow"):
            use(tmp_path / "model")


@pytest.mark.parametrize("name", ["a.ckpt", "a.pt", "a.safetensors", "folder"])
def test_checkpoints_are_no_model_files(tmp_path, state, name):
    save = {
        "a.ckpt": lambda path: save_lightning(path, state),
        "a.pt": lambda path: save_legacy(path, state),
        "a.safetensors": lambda path: save_file(state, path),
        "folder": lambda path: save_folder(path, small_ast()),
    }
    save[name](tmp_path / name)
    with pytest.raises(ModelError, match=f"{name}: found a checkpoint.*`maest convert` makes"):
        maest.Model(tmp_path / name)


def test_models_of_tensorflow_that_are_not_there(tmp_path):
    for use in (maest.Model, lambda path: convert(path, tmp_path / "b.onnx")):
        with pytest.raises(ModelError, match="`maest fetch discogs-maest-5s-pw`"):
            use("discogs-maest-5s-pw-2.pb")


LINES = "\r\n".join(["", *LABELS[:3], "", "  ", *LABELS[3:], "", ""])
JSON = json.dumps(LABELS)


@pytest.mark.parametrize("text", [LINES, JSON, json.dumps({"classes": LABELS})])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_labels_in_any_encoding_with_a_mark(tmp_path, state, text, mark, encoding):
    torch.save(state, tmp_path / "a.pt")
    path = tmp_path / ("labels.txt" if text is LINES else "labels.json")
    path.write_bytes(mark + text.replace("Genre", "Génre 音").encode(encoding))
    convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=path)
    wanted = [label.replace("Genre", "Génre 音") for label in LABELS]
    assert properties(tmp_path / "a.onnx")["labels"].split("\n") == wanted


def test_labels_that_are_not_text(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    (tmp_path / "labels.txt").write_bytes("Génre".encode("latin-1"))
    with pytest.raises(ModelError, match=r"labels\.txt: found bytes that are not UTF-8.*byte 1"):
        convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=tmp_path / "labels.txt")


def test_settings_and_metadata_with_a_mark(tmp_path):
    save_folder(tmp_path / "folder", small_ast())
    path = tmp_path / "folder/config.json"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert read_huggingface_folder(tmp_path / "folder", None).labels == tuple(LABELS)
    export_official(tmp_path / "o.onnx")
    (tmp_path / "o.json").write_text(json.dumps({"classes": LABELS}), encoding="utf-16")
    assert maest.Model(tmp_path / "o.onnx").labels == tuple(LABELS)
    convert(tmp_path / "o.onnx", tmp_path / "a.onnx")
    assert properties(tmp_path / "a.onnx")["labels"].split("\n") == LABELS


@pytest.mark.parametrize("text", ['{"classes": ' + "[" * 200_000, "[" * 200_000 + "]" * 200_000])
def test_json_that_is_nested_too_deeply(tmp_path, state, text):
    torch.save(state, tmp_path / "a.pt")
    save_folder(tmp_path / "folder", small_ast())
    export_official(tmp_path / "o.onnx")
    for path in ("labels.json", "folder/config.json", "o.json"):
        (tmp_path / path).write_text(text)
    with pytest.raises(ModelError, match="nested too deeply"):
        convert(tmp_path / "a.pt", tmp_path / "a.onnx", labels=tmp_path / "labels.json")
    with pytest.raises(ModelError, match="nested too deeply"):
        convert(tmp_path / "folder", tmp_path / "a.onnx")
    for use in (lambda path: convert(path, tmp_path / "a.onnx"), maest.Model):
        with pytest.raises(ModelError, match="nested too deeply"):
            use(tmp_path / "o.onnx")


@pytest.mark.parametrize("name", ["config.json", "README.md"])
def test_text_without_an_end_does_not_fill_the_memory(tmp_path, name):
    save_folder(tmp_path / "folder", small_ast())
    with open(tmp_path / "folder" / name, "wb") as file:
        file.truncate(1 << 40)
    if name == "README.md":
        assert read_huggingface_folder(tmp_path / "folder", None).license is None
        return
    with pytest.raises(ModelError, match=r"config\.json: found more than 64 MB; wanted a text"):
        read_huggingface_folder(tmp_path / "folder", None)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: cc-by-nc-sa-4.0\n---\n", "cc-by-nc-sa-4.0"),
        ("\ufeff---\r\ntags: [x]\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("---\ntags:\n  license: no\n---\nlicense: no\n", "no"),
        ("# Title\n---\nlicense: mit\n---\n", None),
        ("---\nlicense: \x1b[31mred\n---\n", None),
        ("---\n" + "\n" * 200_000 + "license: mit\n---\n", None),
        ("---" + "\n" * 200_000, None),
        ("---\n" + " " * 2_000_000 + "\nlicense: mit\n---\n", None),
        ("", None),
    ],
)
def test_the_licence_of_a_model_card(tmp_path, card, licence):
    save_folder(tmp_path / "folder", small_ast())
    (tmp_path / "folder/README.md").write_text(card, encoding="utf-8", newline="")
    began = time.monotonic()
    assert read_huggingface_folder(tmp_path / "folder", None).license == licence
    assert time.monotonic() - began < 10


PREFIXES = {
    "averaging's wrapper": ("net_swa.module.", "net."),
    "averaging's, both wrapped": ("net_swa.module.", "net.module."),
    "compiled": ("net_swa._orig_mod.", "_orig_mod."),
    "plain": ("net.", ""),
    "several cards": ("module.net_swa.", "module.net."),
}


@pytest.mark.parametrize("case", PREFIXES)
def test_which_weights_are_taken(tmp_path, state, case, caplog):
    taken, left = PREFIXES[case]
    content = {f"{taken}{name}": value for name, value in state.items()}
    content |= {f"{left}{name}": torch.randn_like(value) for name, value in state.items()}
    save_file(content, tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "a.onnx", labels=LABELS)
    check_outputs(tmp_path / "a.onnx", run_maest(small_maest(), random_mel(FRAMES)))
    assert f"(weights {taken}*)" in properties(tmp_path / "a.onnx")["source"]
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert f"took {taken!r}" in told[0].getMessage()
    assert repr(left) in told[0].getMessage()


def test_nothing_is_told_where_there_is_no_choice(tmp_path, state, caplog):
    content = {f"net_swa.module.{name}": value for name, value in state.items()}
    save_file(content, tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "a.onnx", labels=LABELS)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_two_that_are_averaged(tmp_path, state):
    content = {f"net_swa.{name}": value for name, value in state.items()}
    content |= {f"net_swa.module.{name}": value.clone() for name, value in state.items()}
    save_file(content, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"found 2 models, prefixes 'net_swa\.', 'net_swa\.modu"):
        convert(tmp_path / "a.safetensors", tmp_path / "a.onnx", labels=LABELS)


def test_the_command_tells_which_weights(tmp_path, state):
    save_lightning(tmp_path / "a.ckpt", state)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    command = [sys.executable, "-m", "essentia_maest", "convert", "a.ckpt", "a.onnx"]
    command += ["--labels", "labels.txt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "a.ckpt: found the models 'net.', 'net_swa.'; took 'net_swa.'" in done.stderr


def test_terminals_are_not_obeyed(tmp_path, capsys):
    """What a model says of itself is shown, with control characters spelt out."""
    import onnx

    convert_random("tiny", tmp_path / "tiny.onnx", labels=["a", "b"])
    model = onnx.load(tmp_path / "tiny.onnx")
    hostile = {
        "maest.labels": "\x1b[2Jrock\nb\x9b31mroll\u202e",
        "maest.license": "\x1b]0;title\x07free",
        "maest.source": "\x1b[1;31msource\r",
    }
    for entry in model.metadata_props:
        entry.value = hostile.get(entry.key, entry.value)
    onnx.save(model, tmp_path / "hostile.onnx")
    write_audio(tmp_path / "a.wav", 12.0)
    path = str(tmp_path / "hostile.onnx")
    assert main(["info", path]) == 0
    assert (
        main(["analyze", str(tmp_path / "a.wav"), "--model", path, "-o", str(tmp_path / "o")]) == 0
    )
    assert main(["convert", path, str(tmp_path / "b.onnx")]) == 2
    said = "".join(capsys.readouterr())
    assert r"\x1b]0;title\x07free" in said
    assert r"\x1b[2Jrock" in said
    assert r"b\x9b31mroll\u202e" in said
    assert is_plain(said.replace("\n", ""))


def test_plain_text():
    for text in ("Électronique — 音楽 👩‍🎤", "a\\b", "می‌خواهم"):
        assert is_plain(text)
        assert printable(text) == text
    for text, shown in (("a\tb", r"a\tb"), ("\x9b0m", r"\x9b0m"), ("a\u2028b", r"a\u2028b")):
        assert not is_plain(text)
        assert printable(text) == shown
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"
