"""The mel front end against Essentia's, one thread, 30 s of audio."""

import essentia.standard as es
import numpy as np
import pytest

import essentia_maest as maest


def essentia_frame_loop(audio: np.ndarray) -> np.ndarray:
    """Essentia's algorithms called frame by frame, as its Python examples do."""
    mel = es.TensorflowInputMusiCNN()
    frames = es.FrameGenerator(audio, frameSize=512, hopSize=256, startFromZero=False)
    return np.array([mel(frame) for frame in frames])


@pytest.mark.benchmark(group="mel front end, 30 s")
@pytest.mark.parametrize("peer", ["essentia_frame_loop", "ours"])
def test_mel(benchmark, audio, peer):
    run = maest.mel_spectrogram if peer == "ours" else essentia_frame_loop
    frames = benchmark(run, audio)
    assert frames.shape == (1876, 96)
