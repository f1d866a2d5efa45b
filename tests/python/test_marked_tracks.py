"""What results say of a track's sound, and runs that compute only some segments of each."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile

from audio_fixtures import Told, write_audio
from collection_runs import analyze, result
from essentia_maest import AudioFile, Model
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import Tally
from untrained import UNTRAINED


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(UNTRAINED, num_threads=1)


def test_results_say_who_decoded_and_what_is_remarkable(tmp_path, model):
    folder = tmp_path / "in"
    write_audio(folder / "good.flac", 2.0)
    write_audio(folder / "promises.wav", 2.0, 16000, 1)
    write_audio(folder / "damaged.wav", 2.0, 16000, 1)
    write_audio(folder / "short.wav", 0.9, 16000, 1)
    soundfile.write(folder / "silent.wav", np.full(32000, 3e-4), 16000)
    (folder / "song.mid").touch()
    report = analyze(model, [folder], tmp_path / "out", open_audio=Told)
    assert report.analyzed == 5
    flags = {
        name: result(tmp_path / "out", name)["flags"]
        for name in ("good.flac", "promises.wav", "damaged.wav", "short.wav", "silent.wav")
    }
    assert flags == {
        "good.flac": {},
        "promises.wav": {"truncated": {"found": 2.0, "promised": 6.0}},
        "damaged.wav": {"damaged": "one frame is missing"},
        "short.wav": {"short": True},
        "silent.wav": {"silent": True},
    }
    good = result(tmp_path / "out", "good.flac")
    assert (good["container"], good["codec"]) == ("flac", "flac")
    with AudioFile(folder / "good.flac") as file:
        assert good["decoder"] == file.decoder
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["flags"] == {
        "truncated": {
            "count": 1,
            "tracks": [{"track": str(folder / "promises.wav"), "found": 2.0, "promised": 6.0}],
        },
        "damaged": {
            "count": 1,
            "tracks": [{"track": str(folder / "damaged.wav"), "what": "one frame is missing"}],
        },
        "silent": {"count": 1, "tracks": [{"track": str(folder / "silent.wav")}]},
        "short": {"count": 1, "tracks": [{"track": str(folder / "short.wav")}]},
    }
    assert summary["left_out"] == {".mid": {"count": 1, "files": [str(folder / "song.mid")]}}
    assert summary["counts"]["left_out"] == 1
    # A run that leaves them alone tells of them, too.
    again = analyze(model, [folder], tmp_path / "out", open_audio=Told, resume=True)
    assert (again.resumed, again.flagged.as_json()) == (5, summary["flags"])
    # Strictly, two of them are failures, whatever was done before.
    strict = analyze(model, [folder], tmp_path / "out", open_audio=Told, resume=True, strict=True)
    assert strict.resumed == 3
    reasons = {os.path.basename(one.path): one.reason for one in strict.failures}
    assert reasons == {
        "promises.wav": "truncated: 2 s of 6 s found",
        "damaged.wav": "damaged: one frame is missing",
    }
    fresh = analyze(model, [folder], tmp_path / "strict", open_audio=Told, strict=True)
    assert (fresh.analyzed, len(fresh.failures)) == (3, 2)
    assert not (tmp_path / "strict" / "damaged.wav.json").exists()


def test_a_summary_names_no_more_than_a_hundred_tracks():
    tally = Tally()
    for number in range(250):
        tally.add(f"{number}.wav", {"silent": True})
    told = tally.as_json()["silent"]
    assert (told["count"], len(told["tracks"])) == (250, 100)
    assert str(tally) == "250 silent"


@pytest.mark.slow
def test_a_few_segments_are_those_of_the_whole(tmp_path, model):
    folder = tmp_path / "in"
    for name in ("a.flac", "b.mp3", "c.ogg", "promises.wav", "unknown.wav"):
        write_audio(folder / name, 4.4 * model.segment_seconds)
    write_audio(folder / "short.wav", 1.3 * model.segment_seconds)
    whole = AnalysisOptions.of(block=1, hop=6.0)
    few = AnalysisOptions.of(block=1, hop=6.0, segments=3)
    analyze(model, [folder], tmp_path / "whole", whole, open_audio=Told)
    report = analyze(model, [folder], tmp_path / "few", few, workers=2, open_audio=Told)
    assert report.failures == []
    for path in sorted(folder.iterdir()):
        all_of, some = (result(tmp_path / out, path.name) for out in ("whole", "few"))
        wanted = 2 if path.name == "short.wav" and len(all_of["segments"]) == 2 else 3
        assert len(some["segments"]) == wanted
        starts = [one["start"] for one in all_of["segments"]]
        at = [starts.index(one["start"]) for one in some["segments"]]
        assert [all_of["segments"][place] for place in at] == some["segments"]
        for kind in ("predictions", "embeddings"):
            every = np.load(tmp_path / "whole" / f"{path.name}.{kind}.npy")
            np.testing.assert_array_equal(
                np.load(tmp_path / "few" / f"{path.name}.{kind}.npy"), every[at]
            )
        assert some["options"]["segments"] == 3
        assert "segments" not in all_of["options"]
    more = analyze(model, [folder], tmp_path / "few", few, open_audio=Told, resume=True)
    assert more.resumed == 6
    other = analyze(model, [folder], tmp_path / "few", whole, open_audio=Told, resume=True)
    assert other.resumed == 0
