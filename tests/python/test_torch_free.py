"""torch is asked for where a pickle must be read, and nowhere else."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from checkpoint_files import (
    LABELS,
    export_official,
    save_folder,
    save_lightning,
    small_ast,
    small_maest,
)
from essentia_maest.making.conversion import convert

WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from essentia_maest.commands.cli import main
code = main(sys.argv[1:])
assert "torch" not in sys.modules
sys.exit(code)
"""


def without_torch(*arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def safetensors(folder):
    save_file(small_maest().state_dict(), folder / "a.safetensors")
    return folder / "a.safetensors"


def bfloat16(folder):
    halves = {name: value.bfloat16() for name, value in small_ast().state_dict().items()}
    save_file(halves, folder / "a.safetensors")
    return folder / "a.safetensors"


def hugging_face(folder):
    save_folder(folder / "folder", small_ast())
    return folder / "folder"


def official(folder):
    export_official(folder / "official.onnx")
    return folder / "official.onnx"


def own(folder):
    return convert(official(folder), folder / "own.onnx", labels=LABELS)


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(LABELS))
    return path


@pytest.mark.parametrize("make", [safetensors, bfloat16, hugging_face, official, own])
def test_sources_that_are_no_pickles(tmp_path, labels, make):
    source, destination = make(tmp_path), tmp_path / "a.onnx"
    done = without_torch("convert", source, destination, "--labels", labels)
    assert done.returncode == 0, done.stderr
    with_torch = convert(source, tmp_path / "b.onnx", labels=labels)
    assert destination.read_bytes() == with_torch.read_bytes()


@pytest.mark.parametrize("name", ["a.ckpt", "a.pt", "folder"])
def test_pickles_name_the_extra(tmp_path, labels, name):
    if name == "folder":
        save_folder(tmp_path / name, small_ast(), "pytorch_model.bin")
    elif name == "a.ckpt":
        save_lightning(tmp_path / name, small_maest().state_dict())
    else:
        torch.save(small_maest().state_dict(), tmp_path / name)
    done = without_torch("convert", tmp_path / name, tmp_path / "a.onnx", "--labels", labels)
    assert done.returncode == 2
    assert "a pickle; reading it needs the package torch" in done.stderr
    assert "pip install 'essentia-maest[torch]'" in done.stderr
    assert not (tmp_path / "a.onnx").exists()


def test_random_weights(tmp_path):
    done = without_torch("convert", "--random-weights", "tiny", tmp_path / "a.onnx")
    assert done.returncode == 0, done.stderr
