"""The whole chain against somebody else's: MonoLoader, Essentia's mel, maest-infer in torch."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import essentia_maest as maest
from oracles import essentia_mel
from reference_models import make_maest

MEAN, DIVISOR = 2.06755686098554, 2 * 1.268292820667291
SEGMENT, HOP = 626, 625


@pytest.fixture(scope="module")
def reference() -> torch.nn.Module:
    """A MAEST-10s of 192 values and 12 blocks, every parameter drawn so that it matters."""
    return make_maest(SEGMENT, 400, dim=192, heads=3, depth=12)


@pytest.fixture(scope="module")
def model(reference: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> maest.Model:
    folder = tmp_path_factory.mktemp("chain")
    state = {f"net_swa.{name}": value for name, value in reference.state_dict().items()}
    torch.save({"state_dict": state}, folder / "maest.ckpt")
    labels = [f"Genre---{i}" for i in range(400)]
    maest.convert(folder / "maest.ckpt", folder / "maest.onnx", labels=labels)
    return maest.Model(folder / "maest.onnx")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 s of chords, plucks and a hiss, 44.1 kHz stereo."""
    rate, seconds = 44100, 25
    rng = np.random.default_rng(1)
    time = np.arange(rate * seconds) / rate
    left = np.zeros_like(time)
    for beat in range(seconds * 2):
        since = np.clip(time - beat / 2, 0, None)
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12)
        pluck = np.sin(2 * np.pi * pitch * since) + 0.5 * np.sin(4 * np.pi * pitch * since)
        left += 0.2 * pluck * np.exp(-4 * since) * (since > 0)
    right = np.roll(left, 400) + 0.01 * rng.standard_normal(len(time))
    path = tmp_path_factory.mktemp("audio") / "song.wav"
    soundfile.write(path, np.clip(np.stack([left, right], axis=1), -1, 1), rate)
    return path


def reference_segments(song: Path) -> torch.Tensor:
    """Normalised mel segments the way Essentia's MAEST algorithm cuts them, [n, 96, frames]."""
    import essentia.standard as es

    audio = es.MonoLoader(filename=str(song), sampleRate=16000, resampleQuality=4)()
    mel = (essentia_mel(audio) - MEAN) / DIVISOR
    starts = range(0, len(mel) - SEGMENT + 1, HOP)
    return torch.from_numpy(np.stack([mel[s : s + SEGMENT].T for s in starts])).float()


def cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / norms


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patchout", "torch_options"),
    [
        ("F0T0", {}),
        ("F3T5", {"s_patchout_f_indices": [0, 7, 8], "s_patchout_t_interleaved": 5}),
    ],
)
def test_file_to_embeddings_and_activations(
    reference: torch.nn.Module, model: maest.Model, song: Path, patchout: str, torch_options: dict
) -> None:
    defaults = {"s_patchout_f_indices": [], "s_patchout_t_interleaved": 0}
    for name, value in {**defaults, **torch_options}.items():
        setattr(reference, name, value)
    with torch.inference_mode():
        segments = reference_segments(song)
        embeddings = reference(segments, transformer_block=6)[1].numpy()
        activations = torch.sigmoid(reference(segments)[0]).numpy()

    audio = maest.load_audio(song)
    found = model.embed(audio, block=7, patchout=patchout, tail="discard")
    assert found.shape == embeddings.shape == (2, 3 * 192)
    assert cosine(found, embeddings).min() > 0.99999
    np.testing.assert_allclose(
        model.predict(audio, patchout=patchout, tail="discard"), activations, atol=1e-3
    )
    assert activations.std() > 0.1  # the comparison is not of constants
