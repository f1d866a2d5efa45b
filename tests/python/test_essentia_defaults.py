"""The defaults are those that Essentia documents for the algorithms that ours take the place of.

As declared in Essentia's src/algorithms/machinelearning, tensorflowpredictmaest.h and
tensorflowpredict2d.h, and on https://essentia.upf.edu/reference/std_TensorflowPredictMAEST.html.
"""

import numpy as np
import pytest

import essentia_maest as maest
from essentia_helpers import RATE, SEGMENT, noise
from untrained import UNTRAINED

import essentia.standard as es  # isort: skip
import essentia.streaming as ess  # isort: skip

TENSORFLOW_PREDICT_MAEST = {
    "graphFilename": "",
    "input": "melspectrogram",
    "output": "Identity",
    "patchHopSize": 1875,
    "lastPatchMode": "discard",
    "batchSize": 1,
    "patchSize": 1876,
    "savedModel": "",
    "isTrainingName": "",
}
TENSORFLOW_PREDICT_2D = {
    "graphFilename": "",
    "input": "model/Placeholder",
    "output": "model/Sigmoid",
    "batchSize": 64,
    "savedModel": "",
    "isTrainingName": "",
    "patchHopSize": 1,
    "lastPatchMode": "discard",
    "accumulate": False,
    "patchSize": 1,
    "dimensions": 200,
}

# Those that differ, on purpose: docs/essentia.md says why.
DIFFERENT_MAEST = {"output": "activations", "patchHopSize": -1, "patchSize": -1}
DIFFERENT_2D = {"input": "", "output": "", "batchSize": 1}


@pytest.mark.parametrize("module", [es, ess])
@pytest.mark.parametrize(
    ("algorithm", "theirs", "different"),
    [
        ("OnnxPredictMAEST", TENSORFLOW_PREDICT_MAEST, DIFFERENT_MAEST),
        ("OnnxPredict2D", TENSORFLOW_PREDICT_2D, DIFFERENT_2D),
    ],
)
def test_defaults(module, algorithm: str, theirs: dict, different: dict) -> None:
    made = getattr(module, algorithm)()
    names = set(made.parameterNames())
    assert different.keys() <= names & theirs.keys()
    for name in names & theirs.keys():
        assert made.paramValue(name) == {**theirs, **different}[name], name


def test_the_last_frames_are_discarded_and_patches_lie_end_to_end() -> None:
    audio = noise(25 * RATE)
    default = es.OnnxPredictMAEST(graphFilename=str(UNTRAINED))(audio)
    assert len(default) == 2
    model = maest.Model(UNTRAINED)
    np.testing.assert_array_equal(default[:, 0, 0], model.predict(audio, tail="discard"))
    # No overlap is 0 in both; TensorFlow's 1875 of 1876 frames is the model's own here.
    explicit = es.OnnxPredictMAEST(
        graphFilename=str(UNTRAINED), patchHopSize=SEGMENT - 1, lastPatchMode="discard"
    )
    np.testing.assert_array_equal(explicit(audio), default)
