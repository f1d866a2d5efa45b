"""`graphFilename` stands for the file that `Model` would open, or the message helps."""

from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from essentia_helpers import RATE, noise, run_python, stream, write_head
from essentia_maest.errors import ModelError
from essentia_maest.reading.store import DEFAULT, resolve
from untrained import UNTRAINED

import essentia.standard as es  # isort: skip
import essentia.streaming as ess  # isort: skip


@pytest.mark.parametrize("name", ["default", DEFAULT])
def test_names_of_shipped_models(name: str) -> None:
    audio = noise(12 * RATE)
    wanted = maest.Model(name).predict(audio, tail="discard")
    standard = es.OnnxPredictMAEST(graphFilename=name)
    assert standard.paramValue("graphFilename") == name
    np.testing.assert_array_equal(standard(audio)[:, 0, 0], wanted)
    streamed = stream(ess.OnnxPredictMAEST(graphFilename=name), audio)
    np.testing.assert_array_equal(np.concatenate(streamed)[:, 0, 0], wanted)


def test_a_name_goes_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("default").write_bytes(UNTRAINED.read_bytes())
    assert resolve("default").stem == DEFAULT
    named = es.OnnxPredictMAEST(graphFilename="default")
    with pytest.raises(ValueError, match="operands could not be broadcast|shapes"):
        np.add(
            named(noise(11 * RATE))[0, 0, 0],
            es.OnnxPredictMAEST(graphFilename="./default")(noise(11 * RATE))[0, 0, 0],
        )


def test_names_may_have_any_letters(tmp_path: Path) -> None:
    path = tmp_path / "modèle ñ 音.onnx"
    path.write_bytes(UNTRAINED.read_bytes())
    audio = noise(11 * RATE)
    wanted = es.OnnxPredictMAEST(graphFilename=str(UNTRAINED))(audio)
    np.testing.assert_array_equal(es.OnnxPredictMAEST(graphFilename=str(path))(audio), wanted)


@pytest.mark.parametrize("algorithm", ["OnnxPredictMAEST", "OnnxPredict2D"])
@pytest.mark.parametrize("module", [es, ess])
def test_what_is_no_model_is_refused_in_the_words_of_model(module, algorithm: str) -> None:
    for name in ("defaults", "/nowhere/model.onnx"):
        with pytest.raises(ModelError) as refused:
            maest.Model(name)
        with pytest.raises(RuntimeError) as found:
            getattr(module, algorithm)(graphFilename=name)
        assert str(found.value).endswith(f"{algorithm}: {refused.value}")


def test_a_head_takes_a_name_too_and_says_what_the_model_is() -> None:
    with pytest.raises(RuntimeError, match="has the inputs 'patches' .*a model with one is wanted"):
        es.OnnxPredict2D(graphFilename="default")


WITHOUT_PYTHON = """
import sys
import essentia_maest as maest
import essentia; essentia.log.warningActive = False
import essentia._essentia, essentia.standard as es
essentia._essentia._essentia_maest_plugin.essentia_maest_use_model_names(None)
for algorithm in (es.OnnxPredictMAEST, es.OnnxPredict2D):
    for name in sys.argv[1:]:
        try:
            algorithm(graphFilename=name)
        except RuntimeError as error:
            print(error)
"""


def test_a_program_without_python_is_told_what_is_wanted(tmp_path: Path) -> None:
    maest.require_essentia()
    write_head(tmp_path / "default", ["n", 8], 8)
    done = run_python(WITHOUT_PYTHON, "default", "/nowhere/model.onnx", cwd=tmp_path.parent)
    words = done.stdout.splitlines()
    assert len(words) == 4
    for line in words[::2]:
        assert "model 'default' is not a file; wanted is the path of an .onnx file" in line
    for line in words[1::2]:
        assert "model file '/nowhere/model.onnx' does not exist" in line
    # A file is a file, whatever it is called.
    done = run_python(WITHOUT_PYTHON, "default", cwd=tmp_path)
    assert "OnnxPredict2D" not in done.stdout


def graph_def() -> bytes:
    """Two nodes of a GraphDef, as protobuf writes them: name, operator, input."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    image = field(1, b"melspectrogram") + field(2, b"Placeholder")
    last = field(1, b"Identity") + field(2, b"Identity") + field(3, b"melspectrogram")
    return field(1, image) + field(1, last) + field(4, b"\x08\x1b")


TENSORFLOW = {
    "frozen graph": graph_def(),
    "long first node": b"\x0a\x9a\x02\x0a\x0emelspectrogram\x12\x05Const" + b"\0" * 300,
    "saved model": b"\x08\x01\x12\x20\x0a\x05serve" + b"\0" * 60,
}


@pytest.mark.parametrize("content", TENSORFLOW.values(), ids=TENSORFLOW)
@pytest.mark.parametrize("ending", ["pb", "onnx"])
def test_a_file_of_tensorflow_is_told_from_others(
    tmp_path: Path, content: bytes, ending: str
) -> None:
    path = tmp_path / f"discogs-maest-30s-pw-2.{ending}"
    path.write_bytes(content)
    for open_it in (
        lambda: maest.Model(path),
        lambda: es.OnnxPredictMAEST(graphFilename=str(path)),
        lambda: es.OnnxPredict2D(graphFilename=str(path)),
    ):
        with pytest.raises((RuntimeError, ModelError)) as refused:
            open_it()
        for word in (
            "TensorFlow",
            "ONNX",
            "essentia.upf.edu/models.html",
            "maest fetch",
            str(path),
        ):
            assert word in str(refused.value)
    done = run_python(WITHOUT_PYTHON, path)
    assert done.stdout.count("is TensorFlow's; wanted is an .onnx file") == 2


@pytest.mark.parametrize("content", [b"\x0a", b"\x0aname: text\x0a", b"\x08"])
def test_what_is_only_damaged_is_not_called_tensorflows(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match="cannot be loaded") as refused:
        es.OnnxPredictMAEST(graphFilename=str(path))
    assert "TensorFlow" not in str(refused.value)
