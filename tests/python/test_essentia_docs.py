"""docs/essentia.md: the lines that take the place of others are run, and give what those gave."""

import re
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_helpers import CLASSES, DIM, RATE, TOKENS, sigmoid, write_head
from untrained import UNTRAINED

PAGE = Path(__file__).parents[2] / "docs" / "essentia.md"
ROWS = re.findall(r"^\| `(Tensorflow.*)` \| `(Onnx.*)` \|$", PAGE.read_text(), re.MULTILINE)
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The files and the variables that the lines use. Their names are the lines' only."""
    maest.require_essentia()
    import essentia.standard as es

    model = maest.Model(UNTRAINED)
    for name in ("discogs-maest-30s-pw-2.onnx", "maest.onnx"):
        (tmp_path / name).write_bytes(model.path.read_bytes())
    genre = write_head(
        tmp_path / "genre_discogs400-discogs-maest-30s-pw-1.onnx", ["n", 1, "t", DIM], DIM
    )
    write_audio(tmp_path / "audio.wav", 25, 44100, 2)
    monkeypatch.chdir(tmp_path)
    audio = es.MonoLoader(filename="audio.wav", sampleRate=RATE, resampleQuality=4)()
    embeddings = model.tokens(audio, block=12, tail="discard")[:, None]
    rows = model.embed(audio, block=7, tokens=["cls"], tail="discard")
    mine = write_head(tmp_path / "my_classifier.onnx", ["n", DIM], DIM)
    return {
        **vars(es),
        "model": model,
        "audio": audio,
        "embeddings": embeddings,
        "rows": rows,
        "genre": genre,
        "mine": mine,
    }


def expected(before: str, scene: dict) -> np.ndarray:
    """What the line with TensorFlow gives, by the numbering of its nodes (interoperation notes)."""
    model, audio = scene["model"], scene["audio"]
    if before.startswith("TensorflowPredict2D("):
        return sigmoid(scene["rows"] @ scene["mine"])
    if before.startswith("TensorflowPredict("):
        return sigmoid(scene["embeddings"][:, 0].mean(axis=1, dtype=np.float64) @ scene["genre"])
    activations = model.predict(audio, tail="discard")[:, None, None]
    output = re.search(r'output="([^"]*)"', before).group(1)
    if output in ("PartitionedCall/Identity_13", "StatefulPartitionedCall:0"):
        return activations
    if output == "PartitionedCall/Identity":
        return np.log(activations / (1 - activations.astype(np.float64)))
    block = int(re.search(r"\d+$", output).group())
    return model.tokens(audio, block=block, tail="discard")[:, None]


def test_the_table_has_every_official_pattern() -> None:
    before = " ".join(line for line, _ in ROWS)
    for pattern in [
        "Identity_7", "Identity_12", "Identity_13", 'Identity"', "StatefulPartitionedCall:0",
        "StatefulPartitionedCall:7", "genre_discogs400", "TensorflowPredict2D",
    ]:  # fmt: skip
        assert pattern in before


@pytest.mark.parametrize(("before", "now"), ROWS, ids=range(len(ROWS)))
def test_drop_in(scene: dict, before: str, now: str) -> None:
    found = eval(now, scene)
    wanted = expected(before, scene)
    assert found.shape == wanted.shape
    assert found.shape in [(2, 1, 1, CLASSES), (2, 1, TOKENS, DIM), (2, 5)]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_examples_run(scene: dict, tmp_path: Path) -> None:
    first, second_name, heads, refused = BLOCKS
    namespace: dict = {}
    exec(first, namespace)
    assert namespace["predictions"].shape == (2, 1, 1, CLASSES)
    assert [tensor.shape for tensor in namespace["pool"]["embeddings"]] == [(1, 1, 3, DIM)] * 2

    exec(second_name, namespace)
    wanted = maest.Model("default").predict(namespace["audio"], tail="discard")
    np.testing.assert_array_equal(namespace["predictions"][:, 0, 0], wanted)

    write_head(tmp_path / "my_classifier.onnx", ["n", 3 * DIM], 3 * DIM)
    ess, essentia = namespace["ess"], namespace["essentia"]
    namespace["loader"] = ess.MonoLoader(filename="audio.wav", sampleRate=RATE, resampleQuality=4)
    namespace["pool"] = essentia.Pool()
    exec(heads + "essentia.run(loader)\n", namespace)
    assert namespace["pool"]["predictions"].shape == (2, 5)
    assert "essentia_maest.essentia_available()" in refused
