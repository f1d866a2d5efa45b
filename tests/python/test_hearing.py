"""What nobody hears is not decoded, and nothing that is told of a track changes with it."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from audio_fixtures import music, promise_more_flac_samples, write_audio
from collection_runs import analyze, result
from essentia_maest import AudioFile, InvalidArgumentError, Request, _core, load_audio
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.decoding.audio_file import engine_file
from essentia_maest.hearing import pieces
from ffmpeg_files import convert

ONE_STEP = 1 / 32768


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model("default", num_threads=1)


@pytest.mark.parametrize("hop", [None, 5.0, 10.0, 13.0])
@pytest.mark.parametrize("tail", ["repeat", "pad", "discard"])
@pytest.mark.parametrize("form", [("wav", 44100), ("flac", 22050), ("wav", 16000)])
def test_what_nobody_hears_changes_nothing(tmp_path, model, hop, tail, form):
    path = write_audio(tmp_path / f"a.{form[0]}", 33.3, form[1])
    audio = load_audio(path)
    for patchout in ("F3T5", "F4T10"):
        options = {"patchout": patchout, "hop": hop, "tail": tail, "block": 1}
        found = model.analyze_file(path, outputs=["embeddings"], **options)
        np.testing.assert_array_equal(found.embeddings, model.embed(audio, **options))
        assert found.seconds == len(audio) / 16000
        assert found.ending == "complete"


@pytest.mark.parametrize("kept", [0.3, 0.55, 0.77, 0.98])
@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_a_file_shorter_than_promised_is_analyzed_as_what_it_is(tmp_path, model, ending, kept):
    path = cut(write_audio(tmp_path / f"a.{ending}", 33.3), kept)
    found = model.analyze_file(path, outputs=["embeddings"], patchout="F4T10", block=1)
    wanted = model.embed(load_audio(path), patchout="F4T10", block=1)
    np.testing.assert_array_equal(found.embeddings, wanted)
    assert found.ending == "truncated"
    assert found.seconds_promised == pytest.approx(33.3, abs=0.01)


def cut(path: Path, kept: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * kept)])
    return path


def damage(path: Path, *places: float) -> Path:
    data = bytearray(path.read_bytes())
    for place in places:
        begin = round(place * len(data))
        data[begin : begin + 40] = bytes(range(200, 240))
    path.write_bytes(data)
    return path


def remove(path: Path, begin: float, end: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: round(begin * len(data))] + data[round(end * len(data)) :])
    return path


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> list[Path]:
    """Whole, cut and damaged ones."""
    folder = tmp_path_factory.mktemp("odd")
    paths = []
    for ending in ("flac", "wav"):
        for rate, name in ((44100, "cd"), (16000, "own"), (48000, "dat")):
            paths.append(write_audio(folder / f"{name}.{ending}", 31.7, rate))
        paths.append(cut(write_audio(folder / f"cut.{ending}", 31.7), 0.83))
        paths.append(cut(write_audio(folder / f"cut-early.{ending}", 31.7), 0.28))
        paths.append(damage(write_audio(folder / f"damaged.{ending}", 31.7), 0.31, 0.34, 0.9))
        paths.append(remove(write_audio(folder / f"hole.{ending}", 31.7), 0.4, 0.5))
        paths.append(write_audio(folder / f"short.{ending}", 7.0))
    return paths


@pytest.mark.parametrize(
    "asked", [{}, {"hop": 6.5, "tail": "pad"}, {"segments": 2}, {"segments": 1, "hop": 3.0}]
)
def test_workers_decode_what_is_heard(model, odd, asked):
    everything = {"patchout": "F3T5", "block": 1, **asked}
    segments = everything.pop("segments", None)
    results = maest.analyze_files(
        odd, model=model, outputs=["embeddings"], segments=segments, **everything, workers=1
    )
    found = {one.path: one for one in results}
    for path in odd:
        assert isinstance(found[path], maest.FileAnalysis), found[path]
        embeddings = model.embed(load_audio(path), **everything)
        with AudioFile(path) as file:
            samples = sum(map(len, file))
            if segments is None or len(embeddings) < segments:
                assert (found[path].ending, found[path].damage) == (file.ending, file.damage)
        if segments is not None:
            plan = model.plan(Request(("embeddings",), hop=everything.get("hop")))
            starts = plan.start_seconds(len(embeddings)).tolist()
            embeddings = embeddings[[starts.index(one) for one in found[path].start_seconds]]
        np.testing.assert_array_equal(found[path].embeddings, embeddings)
        if found[path].ending != "unknown":
            assert found[path].seconds == samples / 16000


def heard_of(path: Path, model: maest.Model, *, one_step: bool = False) -> np.ndarray | None:
    """What is decoded under F3T5, with zeros between; None if that is everything."""
    hearing = model.hearing(model.plan(Request(patchout="F3T5")))
    with AudioFile(path) as file:
        opened = engine_file(file)
        heard = _core.hear_whole(opened, hearing.engine, one_step)
        if heard is None:
            return None
        samples = np.concatenate(list(pieces(heard.read)))
        assert not heard.failed
        assert (file.ending, file.seconds_found) == ("complete", len(samples) / 16000)
        return samples


@pytest.mark.parametrize("ending", ["flac", "wav", "aiff", "caf"])
def test_most_of_a_file_is_left_out(tmp_path, model, ending):
    path = write_audio(tmp_path / f"a.{ending}", 60.0)
    heard, whole = heard_of(path, model), load_audio(path)
    assert len(heard) == len(whole)
    there = heard != 0
    np.testing.assert_array_equal(heard[there], whole[there])
    assert 0.3 < np.count_nonzero(there) / len(whole) < 0.5


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_damaged_flac_is_decoded_whole(tmp_path, model, at):
    """What a decoder makes of a damaged frame depends on what it had before."""
    path = write_audio(tmp_path / "a.flac", 60.0)
    data = bytearray(path.read_bytes())
    middle = int(at * len(data))
    data[middle : middle + 40] = bytes(range(1, 41))
    path.write_bytes(data)
    hearing = model.hearing(model.plan(Request(patchout="F3T5")))
    with AudioFile(path) as file:
        heard = _core.hear_whole(engine_file(file), hearing.engine, False)
        assert list(pieces(heard.read))
        assert heard.failed
    found = model.analyze_file(path, outputs=["embeddings"], patchout="F3T5", block=1)
    assert found.damage
    wanted = model.embed(load_audio(path), patchout="F3T5", block=1)
    np.testing.assert_array_equal(found.embeddings, wanted)


@pytest.mark.parametrize("ending", ["ogg", "opus"])
def test_what_depends_on_what_was_before_is_decoded(tmp_path, model, ending):
    assert heard_of(write_audio(tmp_path / f"a.{ending}", 25.0, 48000), model) is None


def test_nothing_is_left_out_where_all_columns_are_heard(model):
    assert model.hearing(model.plan(Request(patchout="F3T0"))) is None
    assert model.hearing(model.plan(Request(patchout="F3T5"))) is not None


MP3 = ["-b:a 128k", "-b:a 192k", "-q:a 0", "-q:a 2", "-q:a 9", "-b:a 320k -ac 1", "-b:a 320k",
       "-b:a 128k -joint_stereo 0", "-b:a 192k -write_xing 0", "-b:a 192k -ar 48000",
       "-b:a 32k -ac 1", "-abr 1 -b:a 100k", "-ar 22050 -b:a 64k", "-ar 22050 -q:a 4 -ac 1",
       "-ar 11025 -b:a 16k", "-b:a 192k -reservoir 0", "-f mp2 -c:a mp2 -b:a 192k"]  # fmt: skip
"""The last is layer 2; rates under 32 kHz are MPEG 2, and 2.5."""


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    return write_audio(tmp_path_factory.mktemp("song") / "a.wav", 30.0)


@pytest.mark.parametrize("options", MP3)
def test_any_part_of_an_mp3_is_what_it_is_in_the_whole(tmp_path, model, song, options):
    path = convert(song, tmp_path / "a.mp3", "-c:a", "libmp3lame", *options.split())
    whole = load_audio(path)
    for one_step in (False, True):
        heard = heard_of(path, model, one_step=one_step)
        assert len(heard) == len(whole)
        there = heard != 0
        assert 0.3 < np.count_nonzero(there) / len(whole) < 0.5
        most = ONE_STEP * 1.001 if one_step else 0.0
        assert np.abs(heard - whole)[there].max() <= most
    end = len(whole) / 16000
    places = np.random.default_rng(0).uniform(0, end + 0.1, 40)
    with AudioFile(path) as file:
        for place in [0.0, *places, 0.03, end - 0.01]:
            file.seek(place)
            first = round(place * 16000)
            found = file.read(900)
            np.testing.assert_array_equal(found, whole[first : first + len(found)])
            assert len(found) == min(900, max(len(whole) - first, 0))


def test_mp3_within_a_step_is_asked_for(tmp_path, model):
    path = write_audio(tmp_path / "a.mp3", 60.0)
    asked = {"patchout": "F3T5", "outputs": ["embeddings"], "block": 1}
    whole = model.analyze_file(path, **asked)
    part = model.analyze_file(path, **asked, mp3_error="1lsb")
    (found,) = maest.analyze_files([path], model=model, **asked, mp3_error="1lsb")
    np.testing.assert_array_equal(found.embeddings, part.embeddings)
    np.testing.assert_allclose(part.embeddings, whole.embeddings, rtol=0, atol=0.05)
    everything = model.embed(load_audio(path), patchout="F3T5", block=1)
    np.testing.assert_array_equal(whole.embeddings, everything)
    with pytest.raises(InvalidArgumentError, match="mp3_error is 'some'; wanted: none, 1lsb"):
        model.analyze_file(path, mp3_error="some")
    with pytest.raises(InvalidArgumentError, match="mp3_error is '2lsb'"):
        maest.analyze_files([path], model=model, mp3_error="2lsb")
    # Results with it are others.
    assert AnalysisOptions.of(mp3_error="1lsb").as_json()["mp3_error"] == "1lsb"
    assert "mp3_error" not in AnalysisOptions.of().as_json()


@pytest.mark.parametrize("segments", [None, 2])
def test_what_was_left_out_may_be_loud(tmp_path, model, segments):
    """A track is silent only if all of it is."""
    folder = tmp_path / "in"
    folder.mkdir()
    loud = music(60.0, 16000)
    plan = model.plan(Request(patchout="F3T5"))
    hearing = model.hearing(plan)
    soundfile.write(folder / "loud.flac", loud, 16000)
    with AudioFile(folder / "loud.flac") as file:
        heard = _core.hear_whole(engine_file(file), hearing.engine, False)
        there = np.concatenate(list(pieces(heard.read))) != 0
    between = loud.copy()
    between[there] = 0.0
    for ending in ("flac", "wav"):
        soundfile.write(folder / f"loud.{ending}", loud, 16000)
        soundfile.write(folder / f"between.{ending}", between, 16000)
        soundfile.write(folder / f"silent.{ending}", loud * 1e-4, 16000)
    options = AnalysisOptions.of(patchout="F3T5", block=1, segments=segments)
    analyze(model, [folder], tmp_path / "out", options)
    for ending in ("flac", "wav"):
        flags = [
            result(tmp_path / "out", f"{name}.{ending}")["flags"]
            for name in ("loud", "between", "silent")
        ]
        assert flags == [{}, {}, {"silent": True}]


@pytest.mark.parametrize(("ending", "rate"), [("flac", 22050), ("flac", 44100), ("w64", 8000)])
def test_a_header_that_promises_days_costs_nothing(tmp_path, model, ending, rate):
    path = write_audio(tmp_path / f"a.{ending}", 21.0, rate)
    if ending == "flac":
        promise_more_flac_samples(path)
    else:
        data = path.read_bytes()
        at = data.index(b"data\xf3\xac\xd3\x11") + 16
        path.write_bytes(data[:at] + struct.pack("<Q", 2**62) + data[at + 8 :])
    started = time.process_time()
    found = model.analyze_file(path, patchout="F4T10", block=1, outputs=["embeddings"])
    wanted = model.embed(load_audio(path), patchout="F4T10", block=1)
    np.testing.assert_array_equal(found.embeddings, wanted)
    assert found.ending == "truncated"
    with AudioFile(path) as file:
        file.seek(1e8)
        assert not len(file.read(1))
    assert time.process_time() - started < 20


@pytest.mark.parametrize("rates", [(44100, 48000), (48000, 44100, 96000)])
def test_flac_frames_of_another_rate_are_not_counted_as_the_others(tmp_path, model, rates):
    songs = [write_audio(tmp_path / f"{rate}.flac", 17.0, rate).read_bytes() for rate in rates]
    path = tmp_path / "joined.flac"
    path.write_bytes(b"".join(songs))
    audio = load_audio(path)
    assert len(audio) > 16.5 * 16000 * len(rates)
    found = model.analyze_file(path, patchout="F4T10", block=1, outputs=["embeddings"])
    wanted = model.embed(audio, patchout="F4T10", block=1)
    np.testing.assert_array_equal(found.embeddings, wanted)
    with AudioFile(path) as file:
        for second in (20.0, 3.0, 30.5):
            file.seek(second)
            begin = round(second * 16000)
            np.testing.assert_array_equal(file.read(5000), audio[begin : begin + 5000])


def test_flac_frames_that_the_decoder_refuses_are_not_counted(tmp_path, model):
    """They are sound, but longer than the file's header allows."""
    path = write_audio(tmp_path / "a.flac", 31.0)
    data = bytearray(path.read_bytes())
    assert data[8:12] == struct.pack(">HH", 4096, 4096)
    data[10:12] = struct.pack(">H", 2048)
    path.write_bytes(data)
    try:
        audio = load_audio(path)
    except maest.AudioFileError:
        with pytest.raises(maest.AudioFileError):
            model.analyze_file(path, patchout="F4T10")
        return
    found = model.analyze_file(path, patchout="F4T10", block=1, outputs=["embeddings"])
    assert found.seconds == len(audio) / 16000
    wanted = model.embed(audio, patchout="F4T10", block=1)
    np.testing.assert_array_equal(found.embeddings, wanted)


def test_what_is_no_number_is_seen_wherever_it_is(tmp_path, model):
    samples = np.zeros(16000 * 30, np.float32)
    samples[16000 * 12 :: 16000 * 2] = np.nan
    path = tmp_path / "nan.wav"
    header = struct.pack("<HHIIHH", 3, 1, 16000, 64000, 4, 32)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + samples.nbytes) + b"WAVEfmt " + struct.pack("<I", 16)
        + header + b"data" + struct.pack("<I", samples.nbytes) + samples.tobytes()
    )  # fmt: skip
    with pytest.raises(InvalidArgumentError, match="sample 192000 is nan"):
        model.analyze_file(path, patchout="F4T10")
