"""A model file takes values from files of its own folder, and from no others."""

import os
import shutil

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from checkpoint_files import export_official
from essentia_maest.making.conversion import convert, convert_random


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    export_official(folder / "official.onnx")
    convert_random("tiny", folder / "own.onnx")
    return folder


def tensors_of(model):
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def moved_out(source, target, location, *, constants=False):
    """Copy a model with its largest array in another file, which is written if it can be."""
    model = onnx.load(source)
    if constants:  # initialisers become Constant nodes, whose values lie in attributes
        tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
        node = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        model.graph.initializer.remove(tensor)
        model.graph.node.insert(0, node)
    tensor = max(tensors_of(model), key=lambda one: len(one.raw_data))
    values = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(values)))):
        tensor.external_data.add(key=key, value=value)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(model.SerializeToString())
    return values


@pytest.mark.parametrize("kind", ["own", "official"])
def test_a_file_of_the_same_folder(tmp_path, files, kind, monkeypatch):
    target = tmp_path / "model/m.onnx"
    values = moved_out(files / f"{kind}.onnx", target, "weights/a.bin")
    (tmp_path / "model/weights").mkdir()
    (tmp_path / "model/weights/a.bin").write_bytes(values)
    audio = (0.1 * np.random.default_rng(0).standard_normal(200_000)).astype(np.float32)
    wanted = maest.Model(files / f"{kind}.onnx").predict(audio)
    np.testing.assert_array_equal(maest.Model(target).predict(audio), wanted)
    monkeypatch.chdir(tmp_path / "model")
    np.testing.assert_array_equal(maest.Model("m.onnx").predict(audio), wanted)
    convert(target, tmp_path / "converted.onnx")
    convert(files / f"{kind}.onnx", tmp_path / "other.onnx")
    one, other = (onnx.load(tmp_path / f"{name}.onnx") for name in ("converted", "other"))
    assert one.graph == other.graph


def absolute(folder):
    return str(folder / "outside.bin")


def above(_folder):
    return "../outside.bin"


def through_a_folder(_folder):
    return "inner/../../outside.bin"


def linked(folder):
    (folder / "model/link.bin").symlink_to(folder / "outside.bin")
    return "link.bin"


def linked_folder(folder):
    (folder / "model/link").symlink_to(folder)
    return "link/outside.bin"


def of_a_neighbour(folder):
    """A folder whose name begins with that of the model's."""
    (folder / "model-2").mkdir()
    shutil.copy(folder / "outside.bin", folder / "model-2")
    return "../model-2/outside.bin"


def memory(_folder):
    """What ONNX Runtime takes for an address in this process."""
    return "*/_ORT_MEM_ADDR_/*"


PLACES = [absolute, above, through_a_folder, linked, linked_folder, of_a_neighbour, memory]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["own", "official", "official constants"])
def test_another_file_is_refused(tmp_path, files, kind, place):
    (tmp_path / "model/inner").mkdir(parents=True)
    source = files / f"{kind.split()[0]}.onnx"
    target = tmp_path / "model/m.onnx"
    options = {"constants": kind.endswith("constants")}
    values = moved_out(source, target, "x", **options)
    (tmp_path / "outside.bin").write_bytes(values)
    moved_out(source, target, place(tmp_path), **options)
    with pytest.raises(maest.ModelError, match="the model's own folder"):
        maest.Model(target)
    with pytest.raises(maest.ModelError, match="own folder"):
        convert(target, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(
    "hidden_behind",
    [
        b"\x0b\x0c",  # a group
        b"\x80\x80\x80\x80\x80\x01\x00",  # a tag of more than 32 bits
        b"\x00\x00",  # field 0
        b"\x0a\xff\xff\xff\xff\x0f",  # longer than the file
    ],
)
def test_what_is_not_well_formed_hides_nothing(tmp_path, files, hidden_behind):
    target = tmp_path / "m.onnx"
    moved_out(files / "own.onnx", target, "/etc/passwd")
    target.write_bytes(hidden_behind + target.read_bytes())
    with pytest.raises(maest.ModelError, match="cannot be loaded|own folder"):
        maest.Model(target)


def test_deep_nesting(tmp_path):
    message = b""
    for depth in range(3000):  # graph of an attribute of a node of a graph ...
        field = (b"\x32", b"\x2a", b"\x0a")[depth % 3]
        length, size = len(message), b""
        while length > 0x7F:
            size += bytes([length & 0x7F | 0x80])
            length >>= 7
        message = field + size + bytes([length]) + message
    (tmp_path / "deep.onnx").write_bytes(message)
    with pytest.raises(maest.ModelError):
        maest.Model(tmp_path / "deep.onnx")
    assert os.listdir(tmp_path) == ["deep.onnx"]


def test_values_that_do_not_fit_their_shape(tmp_path, files):
    model = onnx.load(files / "own.onnx")
    tensor = next(one for one in model.graph.initializer if len(one.raw_data) > 64)
    tensor.raw_data = tensor.raw_data[:-1]
    onnx.save(model, tmp_path / "cut.onnx")
    with pytest.raises(maest.ModelError, match="does not fit their shape and type"):
        maest.Model(tmp_path / "cut.onnx")


def test_a_normalization_whose_bias_has_no_name(tmp_path, files):
    model = onnx.load(files / "own.onnx")
    for node in model.graph.node:
        if node.op_type == "LayerNormalization":
            node.input[2] = ""
    onnx.save(model, tmp_path / "nameless.onnx")
    with pytest.raises(maest.ModelError, match="has no name"):
        maest.Model(tmp_path / "nameless.onnx")
