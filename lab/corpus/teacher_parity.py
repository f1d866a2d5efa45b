"""Compare our teacher with its TensorFlow original.

Two steps, as TensorFlow has an environment of its own and is no dependency of ours:

    python -m venv tf && tf/bin/pip install tensorflow-cpu tf_keras librosa
    export TF_USE_LEGACY_KERAS=1
    tf/bin/python lab/corpus/teacher_parity.py original CACHE original.npz CLIP...
    python -m lab.corpus.teacher_parity compare CACHE original.npz

CACHE is the packages' folder, where the first use of `Teacher` puts musicnn; a CLIP is mono 16 kHz
audio (what the corpus scripts write), so that both sides decode the same samples. Step one runs
librosa with musicnn's arguments, and musicnn's own graph. One thing of musicnn's is left out: it
rounds the mel spectrogram to float16 before it multiplies by 10,000, which overflows on loud music
and gives NaN.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

_MUSICNN = Path("python", "musicnn==0.1.0")
_FOLDERS = ("MTT_musicnn", "MSD_musicnn")


def original(cache: Path, output: Path, clips: list[Path]) -> None:
    """Run musicnn's own code and graph; needs TensorFlow and librosa.

    Parameters
    ----------
    cache : path
        The packages' folder.
    output : path
        ``.npz`` for the clips' paths, its spectrograms and its activations by window.
    clips : list of path
    """
    package = cache / _MUSICNN
    sys.path.insert(0, str(package))
    tf = importlib.import_module("tensorflow.compat.v1")
    librosa = importlib.import_module("librosa")
    tf.disable_eager_execution()
    found: dict[str, Any] = {"clips": np.array([str(clip) for clip in clips])}
    models = importlib.import_module("musicnn.models")
    for number, clip in enumerate(clips):
        audio, _ = librosa.load(str(clip), sr=16000)
        power = librosa.feature.melspectrogram(
            y=audio, sr=16000, hop_length=256, n_fft=512, n_mels=96
        )
        mel = np.log10(10000 * power.T + 1)
        found[f"mel {number}"] = mel[: len(mel) // 187 * 187].reshape(-1, 187, 96)
    for folder in _FOLDERS:
        tf.reset_default_graph()
        x = tf.placeholder(tf.float32, [None, 187, 96])
        y = tf.sigmoid(models.define_model(x, False, folder, 50)[0])
        with tf.Session() as session:
            tf.train.Saver().restore(session, f"{package / 'musicnn' / folder}/")
            for number in range(len(clips)):
                found[f"{folder} {number}"] = session.run(y, {x: found[f"mel {number}"]})
    np.savez_compressed(output, **found)


def compare(cache: Path, recorded: Path) -> None:
    """Print how far ours is from what `original` recorded.

    Parameters
    ----------
    cache : path
    recorded : path
        What `original` wrote.
    """
    import torch

    from essentia_maest import load_audio, mel_spectrogram
    from lab.corpus.teacher import Teacher, load_tagger

    found = np.load(recorded)
    clips = [str(clip) for clip in found["clips"]]
    for folder in _FOLDERS:
        network = load_tagger(cache / _MUSICNN / "musicnn" / folder, cache)
        with torch.inference_mode():
            for number, clip in enumerate(clips):
                theirs = found[f"{folder} {number}"]
                windows = torch.from_numpy(found[f"mel {number}"].astype(np.float32))
                ours = network(windows).sigmoid().numpy()
                print(f"{folder}, same spectrogram, {clip}: {np.abs(ours - theirs).max():.2e}")
    teacher = Teacher(cache)
    for number, clip in enumerate(clips):
        theirs = np.concatenate([found[f"{folder} {number}"].mean(0) for folder in _FOLDERS])
        mel = mel_spectrogram(load_audio(clip))
        frames = found[f"mel {number}"].reshape(-1, 96)
        both = min(len(mel), len(frames))
        ours = teacher(mel)
        print(
            f"whole chain, {clip}: mel {np.abs(mel[:both] - frames[:both]).max():.2e}, "
            f"activations {np.abs(ours - theirs).max():.2e} at most, "
            f"{np.abs(ours - theirs).mean():.2e} on average, "
            f"correlation {np.corrcoef(ours, theirs)[0, 1]:.5f}"
        )


def main() -> None:
    """Run a step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("step", choices=("original", "compare"))
    parser.add_argument("cache", type=Path)
    parser.add_argument("recorded", type=Path)
    parser.add_argument("clips", type=Path, nargs="*")
    asked = parser.parse_args()
    if asked.step == "original":
        original(asked.cache, asked.recorded, asked.clips)
    else:
        compare(asked.cache, asked.recorded)


if __name__ == "__main__":
    main()
