"""OnnxPredictMAEST in networks: true streaming, whatever the source and whatever else runs."""

from pathlib import Path

import essentia
import numpy as np
import pytest

import essentia_maest  # noqa: F401 - adds the algorithms
from audio_fixtures import write_audio
from essentia_helpers import CLASSES, DIM, HOP, RATE, SEGMENT, noise, run_python, stream
from untrained import UNTRAINED

import essentia.standard as es  # isort: skip
import essentia.streaming as ess  # isort: skip


@pytest.fixture(scope="module")
def file() -> str:
    return str(UNTRAINED)


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    return noise(32 * RATE + 777)


@pytest.mark.parametrize("mode", ["discard", "repeat", "pad"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"output": "logits"},
        {"output": "embeddings", "tokens": ["dist", "avg"], "block": 4},
        {"output": "PartitionedCall/Identity_5", "patchout": "F4T10"},
        {"patchHopSize": 100, "patchout": "F4T10"},
        {"patchHopSize": 700},
    ],
)
def test_streaming_is_standard(file: str, audio: np.ndarray, mode: str, parameters: dict) -> None:
    parameters = {"graphFilename": file, "lastPatchMode": mode, **parameters}
    tensors = stream(ess.OnnxPredictMAEST(**parameters), audio)
    assert all(tensor.shape[0] == 1 for tensor in tensors)
    if mode == "pad" and "Identity" in parameters.get("output", ""):
        # Tokens of a shorter patch are fewer: one tensor holds them, no tensor holds all.
        assert tensors[-1].shape[2] < tensors[0].shape[2]
        with pytest.raises(RuntimeError, match="do not stack"):
            es.OnnxPredictMAEST(**parameters)(audio)
        return
    standard = es.OnnxPredictMAEST(**parameters)(audio)
    np.testing.assert_array_equal(np.concatenate(tensors), standard)


def from_vector(audio: np.ndarray, *names: str) -> tuple:
    """Samples one by one, and then in the pieces that the algorithms called `names` make."""
    generator = ess.VectorInput(audio)
    source = generator.data
    for name in names:
        algorithm = getattr(ess, name)()
        source >> algorithm.signal
        source = algorithm.signal
    return generator, source


@pytest.mark.parametrize(
    "names", [[], ["Scale"], ["Trimmer"], ["Clipper"], ["DCRemoval"], ["Scale", "Trimmer", "Scale"]]
)
@pytest.mark.parametrize("samples", [21 * RATE, 20 * RATE + 4097])
def test_chunk_size_does_not_matter(file: str, names: list[str], samples: int) -> None:
    check_against_standard(file, *from_vector(noise(samples), *names))


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_loaders_chunks_do_not_matter(
    file: str, tmp_path: Path, ending: str, sample_rate: int
) -> None:
    path = str(write_audio(tmp_path / f"music.{ending}", 21.5, sample_rate, 1))
    loader = ess.MonoLoader(filename=path, sampleRate=RATE, resampleQuality=4)
    check_against_standard(file, loader, loader.audio)


def check_against_standard(file: str, generator, source) -> None:
    pool = essentia.Pool()
    predict = ess.OnnxPredictMAEST(graphFilename=file, lastPatchMode="repeat", patchout="F4T10")
    source >> predict.signal
    source >> (pool, "audio")
    predict.predictions >> (pool, "predictions")
    essentia.run(generator)
    standard = es.OnnxPredictMAEST(graphFilename=file, lastPatchMode="repeat", patchout="F4T10")
    np.testing.assert_array_equal(np.concatenate(pool["predictions"]), standard(pool["audio"]))
    assert len(pool["predictions"]) == 3


def test_a_result_leaves_with_its_last_sample(file: str) -> None:
    """A sample that stops the network, and what had left before it."""
    complete = SEGMENT * 256  # samples that the first segment needs
    for broken, left in [(complete - 1, 0), (complete, 1), (complete + HOP * 256, 2)]:
        audio = noise(broken + 1)
        audio[broken] = np.nan
        source, pool = ess.VectorInput(audio), essentia.Pool()
        algorithm = ess.OnnxPredictMAEST(graphFilename=file)
        source.data >> algorithm.signal
        algorithm.predictions >> (pool, "predictions")
        with pytest.raises(RuntimeError, match=f"OnnxPredictMAEST: .*{broken}"):
            essentia.run(source)
        assert len(pool["predictions"] if left else pool.descriptorNames()) == left


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(1, [1] * 4), (2, [2, 2]), (3, [3, 1]), (64, [4]), (0, [4]), (-1, [4])],
)
def test_batch_size_is_the_length_of_a_tensor(
    file: str, audio: np.ndarray, batch_size: int, sizes: list[int]
) -> None:
    parameters = {"graphFilename": file, "lastPatchMode": "repeat"}
    tensors = stream(ess.OnnxPredictMAEST(**parameters, batchSize=batch_size), audio)
    assert [tensor.shape for tensor in tensors] == [(size, 1, 1, CLASSES) for size in sizes]
    wanted = es.OnnxPredictMAEST(**parameters)(audio)
    np.testing.assert_array_equal(np.concatenate(tensors), wanted)


def test_with_monoloader(file: str, tmp_path: Path) -> None:
    """The network of the documentation, and the same in standard mode."""
    path = str(write_audio(tmp_path / "music.wav", 25, 44100, 2))
    options = {"filename": path, "sampleRate": RATE, "resampleQuality": 4}
    parameters = {"graphFilename": file, "output": "embeddings", "lastPatchMode": "repeat"}
    loader = ess.MonoLoader(**options)
    predict = ess.OnnxPredictMAEST(**parameters)
    pool = essentia.Pool()
    loader.audio >> predict.signal
    predict.predictions >> (pool, "embeddings")
    essentia.run(loader)
    standard = es.OnnxPredictMAEST(**parameters)(es.MonoLoader(**options)())
    assert standard.shape == (3, 1, 3, DIM)
    np.testing.assert_array_equal(np.concatenate(pool["embeddings"]), standard)


@pytest.mark.slow
def test_several_instances_in_one_network(file: str, audio: np.ndarray) -> None:
    variants = [
        {},
        {"output": "embeddings"},
        {"output": "embeddings", "block": 1, "lastPatchMode": "repeat"},
        {"output": "layer_11_tokens", "patchout": "F4T10", "patchHopSize": 300},
        {"output": "logits", "batchSize": -1},
    ]
    source, pool = ess.VectorInput(audio), essentia.Pool()
    algorithms = [ess.OnnxPredictMAEST(graphFilename=file, **variant) for variant in variants]
    for index, algorithm in enumerate(algorithms):
        source.data >> algorithm.signal
        algorithm.predictions >> (pool, f"output{index}")
    essentia.run(source)
    for index, variant in enumerate(variants):
        wanted = es.OnnxPredictMAEST(graphFilename=file, **variant)(audio)
        np.testing.assert_array_equal(np.concatenate(pool[f"output{index}"]), wanted)


def test_reset_and_run_again(file: str, audio: np.ndarray) -> None:
    source, pool = ess.VectorInput(audio), essentia.Pool()
    algorithm = ess.OnnxPredictMAEST(graphFilename=file, lastPatchMode="repeat", batchSize=3)
    source.data >> algorithm.signal
    algorithm.predictions >> (pool, "predictions")
    essentia.run(source)
    first = np.concatenate(pool["predictions"])
    for _ in range(2):
        pool.clear()
        essentia.reset(source)
        essentia.run(source)
        np.testing.assert_array_equal(np.concatenate(pool["predictions"]), first)


def test_reset_after_an_error(file: str, audio: np.ndarray) -> None:
    algorithm = ess.OnnxPredictMAEST(graphFilename=file)
    broken = audio.copy()
    broken[20 * RATE] = np.inf
    source, pool = ess.VectorInput(broken), essentia.Pool()
    source.data >> algorithm.signal
    algorithm.predictions >> (pool, "predictions")
    with pytest.raises(RuntimeError, match="320000"):
        essentia.run(source)
    essentia.reset(source)
    source.data.disconnect(algorithm.signal)
    algorithm.predictions.disconnect((pool, "predictions"))
    np.testing.assert_array_equal(
        np.concatenate(stream(algorithm, audio)), es.OnnxPredictMAEST(graphFilename=file)(audio)
    )


def test_too_short_and_unconfigured(file: str, audio: np.ndarray) -> None:
    with pytest.raises(RuntimeError, match="OnnxPredictMAEST: the audio is too short: 5000"):
        stream(ess.OnnxPredictMAEST(graphFilename=file), audio[:5000])
    short = ess.OnnxPredictMAEST(graphFilename=file, lastPatchMode="repeat")
    assert [tensor.shape for tensor in stream(short, audio[:5000])] == [(1, 1, 1, CLASSES)]
    with pytest.raises(RuntimeError, match="OnnxPredictMAEST: no model is configured"):
        stream(ess.OnnxPredictMAEST(), audio)


def test_configuring_anew(file: str, audio: np.ndarray) -> None:
    algorithm = ess.OnnxPredictMAEST(graphFilename=file)
    with pytest.raises(RuntimeError, match="does not exist"):
        algorithm.configure(graphFilename=file, output="nothing")
    with pytest.raises(RuntimeError, match="model .*missing.* file"):
        algorithm.configure(graphFilename=file + ".missing")
    assert algorithm.paramValue("graphFilename") == file
    activations = es.OnnxPredictMAEST(graphFilename=file)(audio)
    np.testing.assert_array_equal(np.concatenate(stream(algorithm, audio)), activations)
    other = ess.OnnxPredictMAEST(graphFilename=file)
    other.configure(graphFilename=file, output="logits")
    assert np.concatenate(stream(other, audio)).min() < 0


def test_no_buffer_is_resized(file: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Which Essentia would say at its INFO level."""
    assert essentia.log.infoActive
    path = str(write_audio(tmp_path / "music.wav", 11, 44100, 2))
    loader = ess.MonoLoader(filename=path, sampleRate=RATE, resampleQuality=4)
    predict, pool = ess.OnnxPredictMAEST(graphFilename=file), essentia.Pool()
    loader.audio >> predict.signal
    predict.predictions >> (pool, "embeddings")
    essentia.run(loader)
    stream(ess.OnnxPredictMAEST(graphFilename=file), noise(11 * RATE))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert all("random weights" in line for line in captured.err.splitlines())


@pytest.mark.slow
def test_memory_does_not_grow(file: str, tmp_path: Path) -> None:
    """An hour of sound, read from a file: only the pool's 360 results may be added."""
    path = tmp_path / "hour.wav"
    done = run_python(
        """
import sys, wave
import numpy as np
with wave.open(sys.argv[2], "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(16000)
    second = (1000 * np.random.default_rng(0).standard_normal(16000)).astype("<i2").tobytes()
    for _ in range(3600): file.writeframes(second)

import essentia, essentia_maest
essentia.log.infoActive = essentia.log.warningActive = False
import essentia.streaming as ess
def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
def run(end):
    loader = ess.EasyLoader(filename=sys.argv[2], sampleRate=16000, endTime=end)
    predict = ess.OnnxPredictMAEST(graphFilename=sys.argv[1], patchout="F4T10", threads=1)
    pool = essentia.Pool()
    loader.audio >> predict.signal
    predict.predictions >> (pool, "x")
    essentia.run(loader)
    return len(pool["x"])
print(run(60), peak())
print(run(3600), peak())
""",
        file,
        path,
    )
    minute, hour = ([float(word) for word in line.split()] for line in done.stdout.splitlines())
    assert minute[0] == 6
    assert hour[0] == 360
    assert hour[1] < minute[1] + 15
