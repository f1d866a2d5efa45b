"""References that are not ours: Essentia's chain for the front end."""

import numpy as np


def essentia_mel(audio: np.ndarray) -> np.ndarray:
    """Return TensorflowInputMusiCNN over FrameCutter's zero-centred frames, [frames, 96]."""
    import essentia.standard as es

    cutter = es.FrameCutter(frameSize=512, hopSize=256)
    mel = es.TensorflowInputMusiCNN()
    audio = np.ascontiguousarray(audio, np.float32)
    frames = []
    while len(frame := cutter(audio)):
        frames.append(mel(frame))
    return np.array(frames, np.float32).reshape(-1, 96)


def essentia_streaming_mel(audio: np.ndarray) -> np.ndarray:
    """The same as a streaming network, which is how Essentia's own MAEST algorithm runs it."""
    import essentia
    import essentia.streaming as ess

    source = ess.VectorInput(np.ascontiguousarray(audio, np.float32))
    cutter = ess.FrameCutter(frameSize=512, hopSize=256)
    mel = ess.TensorflowInputMusiCNN()
    pool = essentia.Pool()
    source.data >> cutter.signal
    cutter.frame >> mel.frame
    mel.bands >> (pool, "mel")
    essentia.run(source)
    return pool["mel"].reshape(-1, 96)
