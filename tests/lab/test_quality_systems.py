"""What is measured: a model under some patchout, its teacher, mel statistics, an untrained one."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import essentia_maest as maest
from essentia_maest.errors import ModelError
from essentia_maest.machine import machine, versions
from lab.corpus.teacher import Teacher
from lab.quality.held_out import read_held_out
from lab.quality.plan import plan
from lab.quality.references import MelStatistics, TeacherSystem
from lab.quality.untrained import write_untrained
from musicnn_fixtures import make_musicnn
from quality_system_fixtures import CLASSES, make_measured_tracks, write_tiny_model
from training.downstream.speed import measure_speed
from training.downstream.systems import MaestSystem
from training.errors import DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("systems")
    write_tiny_model(folder / "fp32.onnx")
    write_tiny_model(folder / "int8.onnx", "int8")
    make_musicnn(folder / "cache")
    return folder


@pytest.fixture
def audio() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, 56000).astype(np.float32)


def test_a_models_features_are_means_over_segments(folder: Path, audio: np.ndarray) -> None:
    system = MaestSystem(folder / "fp32.onnx", "fp32 F3T2", "F3T2")
    model = maest.Model(folder / "fp32.onnx")
    options = {"patchout": "F3T2", "tail": "repeat"}
    predicted = model.predict(audio, **options)
    assert len(predicted) > 2
    # The last segment holds what the others leave of the track, and its mean counts for as much.
    segment = model.segment_seconds
    held = np.full(len(predicted), segment)
    held[-1] = 56000 / 16000 - (len(predicted) - 1) * model.plan(maest.Request()).hop_seconds
    assert 0 < held[-1] < 0.95 * segment
    found = system.features(audio)
    assert found.keys() == {"activations", "embedding", "last"}
    expected = np.average(predicted, axis=0, weights=held)
    np.testing.assert_allclose(found["activations"], expected, rtol=1e-5)
    assert np.abs(found["activations"] - predicted.mean(0)).max() > 1e-6
    for name, block in (("embedding", 7), ("last", 8)):
        expected = np.average(model.embed(audio, block=block, **options), axis=0, weights=held)
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5)
    assert "last" not in MaestSystem(folder / "fp32.onnx", "x", last=False).features(audio)
    assert system.classes == CLASSES
    # two columns of tokens are kept of five, three rows of nine dropped; cls and dist stay
    assert (system.tokens, MaestSystem(folder / "int8.onnx", "x").tokens) == (2 + 6 * 3, 2 + 9 * 5)


def test_an_untrained_network_has_the_models_shape_alone(folder: Path, tmp_path: Path) -> None:
    write_untrained(folder / "int8.onnx", tmp_path / "a.onnx")
    write_untrained(folder / "fp32.onnx", tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    model, made = maest.Model(folder / "fp32.onnx"), maest.Model(tmp_path / "a.onnx")
    assert (made.trained, made.precision) == (False, "fp32")
    assert (made.labels, made.depth, made.dim, made.grid) == (CLASSES, 8, 16, (9, 5))
    size = (tmp_path / "a.onnx").stat().st_size / (folder / "fp32.onnx").stat().st_size
    assert size == pytest.approx(1, abs=0.02)  # the hidden layers are as wide, too
    properties = [
        {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        for path in (folder / "fp32.onnx", tmp_path / "a.onnx")
    ]
    for name in ("normalization_mean", "normalization_divisor", "heads"):
        assert len({of_one[f"maest.{name}"] for of_one in properties}) == 1
    tone = np.sin(np.arange(32000) / 20).astype(np.float32)
    assert np.abs(made.predict(tone) - model.predict(tone)).max() > 0.01

    foreign = tmp_path / "foreign.onnx"
    foreign.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"foreign\.onnx"):
        write_untrained(foreign, tmp_path / "c.onnx")


@pytest.mark.parametrize("samples", [56000, 96000, 16000])
def test_the_teachers_embedding_is_what_its_tags_follow_from(folder: Path, samples: int) -> None:
    audio = np.random.default_rng(1).normal(0, 0.1, samples).astype(np.float32)
    threads = torch.get_num_threads()
    found = TeacherSystem(folder / "cache").features(audio)
    assert torch.get_num_threads() == threads
    teacher = Teacher(folder / "cache")
    mel = maest.mel_spectrogram(audio)
    mel = np.concatenate([mel] * 3) if len(mel) < 187 else mel  # a short track is repeated
    np.testing.assert_allclose(found["activations"], teacher(mel), atol=1e-6)
    assert found["embedding"].shape == (400,)
    assert found["embedding"].min() >= 0
    if samples != 96000:
        return
    # over two windows the mean of the layer is not that of the tags; window by window it is
    halves = [teacher.listen(mel[start : start + 187]) for start in (0, 187)]
    np.testing.assert_allclose(
        found["embedding"], np.mean([half[1] for half in halves], axis=0), atol=1e-5
    )
    for activations, embedding in halves:
        tags = []
        for network, hidden in zip(teacher._networks, np.split(embedding, 2), strict=True):
            with torch.inference_mode():
                tags.append(network.classify(torch.from_numpy(hidden)[None]).sigmoid()[0].numpy())
        np.testing.assert_allclose(np.concatenate(tags), activations, atol=1e-5)


def test_mel_statistics_tell_loud_from_quiet(audio: np.ndarray) -> None:
    found = MelStatistics().features(audio)["embedding"]
    mel = maest.mel_spectrogram(audio)
    np.testing.assert_allclose(found, [*mel.mean(0), *mel.std(0)], rtol=1e-4)
    assert (MelStatistics().features(audio / 10)["embedding"][:96] < found[:96]).all()


@pytest.mark.slow
def test_systems_take_turns_and_the_fastest_round_counts(tmp_path: Path) -> None:
    make_measured_tracks(tmp_path, labelled=2, heard=0)
    calls: list[str] = []
    rounds = {"steady": 0, "disturbed": 0}

    def analysis(name: str, delays: list[float]) -> object:
        def analyse(audio: np.ndarray) -> None:
            calls.append(name)
            until = time.process_time() + delays[min(rounds[name], len(delays) - 1)]
            while time.process_time() < until:
                pass
            time.sleep(0.05)  # as others' work would make it wait: does not count
            rounds[name] += 1

        return analyse

    paths = [tmp_path / "labelled0.flac", tmp_path / "labelled1.flac"]
    found = measure_speed(
        {
            "steady": analysis("steady", [0.02]),
            "disturbed": analysis("disturbed", [0.7, 0.9, 0.02]),
        },
        paths,
        rounds=3,
    )
    assert calls == ["steady", "disturbed"] * 8
    # 3 s of audio in 0.04 s of the CPU; a mean over rounds would give 9
    for speed in found.values():
        assert 15 < speed.analysis <= 75
        assert speed.with_decoding < speed.analysis
    with pytest.raises(DataError, match="0 files"):
        measure_speed({}, [], rounds=1)
    with pytest.raises(DataError, match="0 rounds"):
        measure_speed({}, paths, rounds=0)


def test_the_machine_is_named() -> None:
    assert "CPUs usable" in machine()
    assert f"onnxruntime {__import__('onnxruntime').__version__}" in versions()


def test_the_plan_begins_with_what_matters_most(folder: Path, tmp_path: Path) -> None:
    models = [folder / "int8.onnx", folder / "fp32.onnx"]
    subjects = plan(
        models,
        cache=folder / "cache",
        work=tmp_path,
        patchouts=("F3T2", "F0T0", "F4T2"),
        probe_patchouts=("F4T2",),
    )
    assert [subject.name for subject in subjects] == [
        "int8 F0T0", "mel statistics", "untrained F0T0", "fp32 F0T0",
        "int8 F3T2", "fp32 F3T2", "int8 F4T2", "fp32 F4T2", "teacher",
    ]  # fmt: skip
    assert [subject.name for subject in subjects if not subject.probed] == [
        "int8 F3T2",
        "fp32 F3T2",
    ]
    assert len({subject.key for subject in subjects}) == len(subjects)
    audio = np.random.default_rng(0).normal(0, 0.1, 50000).astype(np.float32)
    for subject in subjects:
        system = pickle.loads(pickle.dumps(subject.make))()
        assert system.name == subject.name
        assert ("last" in system.features(audio)) == (
            subject.name in ("int8 F0T0", "fp32 F0T0", "untrained F0T0")
        )
    # a changed model has features of its own
    changed = write_tiny_model(tmp_path / "changed.onnx", "int8", seed=9)
    options = {"cache": folder, "work": tmp_path, "patchouts": (), "probe_patchouts": ()}
    (first, *_) = plan([changed], **options)
    assert (first.name, first.key == subjects[0].key) == ("int8 F0T0", False)

    without = plan(models, **{**options, "cache": None})
    assert [subject.name for subject in without] == ["int8 F0T0", "fp32 F0T0"]

    with pytest.raises(DataError, match="all are int8"):
        plan([changed, folder / "int8.onnx"], **options)
    other = write_tiny_model(tmp_path / "other.onnx", labels=CLASSES[::-1])
    with pytest.raises(DataError, match="their classes differ"):
        plan([folder / "int8.onnx", other], **options)


def test_tracks_are_known_by_what_labelled_them(tmp_path: Path) -> None:
    found = read_held_out(make_measured_tracks(tmp_path / "tracks"))
    assert found.true_classes == ["Genre---reel", "Genre---rock", "Tempo---fast"]
    assert found.teacher_classes == list(CLASSES[2:6])
    assert found.labelled.tolist() == list(range(12))
    assert found.heard.tolist() == list(range(12, 18))
    assert found.of_split(found.labelled, "test").tolist() == [8, 9, 10, 11]
    assert found.tested.tolist() == [8, 9, 10, 11, 14, 17]
    assert np.isnan(found.targets[0, 2:6]).all()
    assert found.columns_of((*CLASSES[::-1], "Genre---foreign")).tolist() == [6, 5, 4, 3, 2, 1, 0]
    with pytest.raises(DataError, match="1 of the tracks' 7 classes .* 'Tempo---fast'"):
        found.columns_of(CLASSES[:-1])
    few = make_measured_tracks(tmp_path / "few", labelled=8)
    with pytest.raises(DataError, match="no tracks of split test with labels other than"):
        read_held_out(few)
