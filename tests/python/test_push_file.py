"""What the engine reads of a file by itself is what comes of it in pieces."""

from __future__ import annotations

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.collection.analysis import GuardedAnalysis, TrackAnalysis
from essentia_maest.collection.options import AnalysisOptions
from untrained import UNTRAINED


class InPython:
    """A file whose samples come through Python."""

    def __init__(self, file: maest.AudioFile) -> None:
        self.read = file.read


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED, num_threads=1)


@pytest.mark.parametrize("ending", ["flac", "mp3", "ogg", "wav"])
@pytest.mark.parametrize("seconds", [0.01, 4.0, 13.7])  # the second: a piece to the sample
def test_results_samples_and_peak_are_the_same(tmp_path, model, ending, seconds):
    path = write_audio(tmp_path / f"a.{ending}", seconds, 16000, 1)
    options = AnalysisOptions.of(block=1)
    turns: list[bool] = []
    found = []
    for opened in (lambda file: file, InPython):
        analysis = TrackAnalysis(model, options)
        with maest.AudioFile(path) as file:
            found.append((analysis.hear(opened(file), turns.append), analysis.finish()))
    (read, one), (read_in_python, other) = found
    samples = maest.load_audio(path)
    assert read == read_in_python
    assert (read.samples, read.peak) == (len(samples), float(np.abs(samples).max()))
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, other.arrays[name])
    assert turns == [True, False] * (len(turns) // 2)


def test_after_an_error_of_the_model_the_file_is_decoded_to_its_end(tmp_path, model):
    path = write_audio(tmp_path / "a.wav", 12.0, 16000, 1, "FLOAT")
    data = np.fromfile(path, np.float32)
    data[-100_000] = np.nan
    data.tofile(path)
    analysis = GuardedAnalysis(lambda: TrackAnalysis(model, AnalysisOptions.of(block=1)))
    turns: list[bool] = []
    with maest.AudioFile(path) as file:
        analysis.hear(file, turns.append)
        assert file.ending == "complete"
    assert turns[-1] is False
    with pytest.raises(maest.InvalidArgumentError, match="finite"):
        analysis.finish()


def test_what_is_raised_between_pieces_ends_it(tmp_path, model):
    path = write_audio(tmp_path / "a.wav", 12.0, 16000, 1)

    def interrupted(computing: bool) -> None:
        raise KeyboardInterrupt

    with maest.AudioFile(path) as file, pytest.raises(KeyboardInterrupt):
        TrackAnalysis(model, AnalysisOptions.of(block=1)).hear(file, interrupted)
