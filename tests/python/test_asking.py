"""What is asked of a model, as one value; and models that go to other processes."""

import concurrent.futures
import copy
import dataclasses
import inspect
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import mono_music as music
from essentia_maest import _core
from untrained import UNTRAINED

RATE = 16000


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED)


def test_a_stream_gives_several_outputs(model: maest.Model) -> None:
    audio = music(25 * RATE)
    stream = model.stream(("predict", "embed"), block=2, patchout="F4T10")
    pieces = [stream.push(audio[: 12 * RATE]), stream.push(audio[12 * RATE :]), stream.finish()]
    wanted = model.analyze(audio, block=2, patchout="F4T10")
    for index in (0, 1):
        found = np.concatenate([piece[index] for piece in pieces])
        np.testing.assert_array_equal(found, wanted[index])
    with pytest.raises(maest.InvalidArgumentError, match="'logits'"):
        model.stream(("predict", "logits"))


def test_one_value_says_what_is_asked(model: maest.Model) -> None:
    audio = music(25 * RATE)
    request = maest.Request(
        ("logits", "tokens", "embeddings"), 3, ["avg", "avg"], "F4T10", 7.0, "pad", 2
    )
    plan = model.plan(request)
    found = model.run(dataclasses.replace(request, tail="discard"), audio)
    assert list(found) == ["logits", "tokens", "embeddings"]
    assert [found[name].shape[1:] for name in found] == list(plan.output_shapes)
    np.testing.assert_array_equal(
        found["embeddings"],
        model.embed(
            audio, block=3, tokens=["avg", "avg"], patchout="F4T10", hop=7.0, tail="discard"
        ),
    )
    starts = plan.start_seconds(3)
    np.testing.assert_array_equal(starts, np.arange(3) * plan.hop_seconds)
    assert plan.hop_seconds == 438 * 256 / RATE
    assert hash(request) == hash(dataclasses.replace(request))
    assert model.outputs == ("predictions", "logits", "embeddings", "tokens")


@pytest.mark.parametrize(
    "wrong",
    [
        {"outputs": ("colours",)},
        {"outputs": ()},
        {"block": 0},
        {"tokens": ("avgg",)},
        {"tokens": ()},
        {"tokens": "cls"},
        {"tail": "drop"},
        {"hop": 0.0},
        {"hop": float("nan")},
        {"hop": -1.0},
        {"hop": "ten"},
        {"batch_size": 0},
        {"patchout": "F9"},
        {"patchout": 5},
    ],
)
def test_what_no_model_could_take_is_refused_when_it_is_asked(wrong: dict[str, Any]) -> None:
    with pytest.raises(maest.InvalidArgumentError, match="wanted|asked"):
        maest.Request(**wrong)


def test_defaults_are_the_engines(model: maest.Model) -> None:
    for method in (model.predict, model.embed, model.tokens, model.analyze, model.stream):
        given = inspect.signature(method).parameters
        engine = _core.Request()
        for name in ("block", "tokens", "patchout", "hop", "tail", "batch_size"):
            if name in given and given[name].default is not inspect.Parameter.empty:
                assert given[name].default == getattr(engine, name), (method, name)
                assert getattr(maest.Request(), name) == getattr(engine, name)


@pytest.mark.parametrize("given", ["default", UNTRAINED, str(UNTRAINED)])
def test_a_model_can_be_pickled(
    given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = maest.Model(given, num_threads=1)
    sent = pickle.dumps(model)
    assert len(sent) < 1000  # not the weights
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(sent)
    assert (again.path, again.num_threads) == (model.path.absolute(), 1)
    audio = music(11 * RATE)
    np.testing.assert_array_equal(again.embed(audio), model.embed(audio))
    assert copy.copy(model).path == model.path.absolute()


def test_a_model_goes_to_other_processes() -> None:
    model = maest.Model(UNTRAINED, num_threads=1)
    audio = [music((10 + more) * RATE) for more in range(3)]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, context) as processes:
        found = list(processes.map(model.embed, audio))
    for one, piece in zip(found, audio, strict=True):
        np.testing.assert_array_equal(one, model.embed(piece))
