"""A model that computes for ever is ended, by Ctrl-C and by other threads; one that could not be is
refused."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import essentia_maest as maest
from audio_fixtures import write_audio
from endless_models import ONE_OPERATOR, lead_through_loop, write_endless
from essentia_helpers import write_head
from untrained import UNTRAINED

AUDIO = np.random.default_rng(0).standard_normal(25 * 16000).astype(np.float32)
MOMENT = 2.0  # seconds

# Each call gets a signal after half a second, and prints how long after that it was ended.
PREPARED = """
import os, signal, sys, threading, time, warnings
import numpy as np
warnings.simplefilter("ignore")
import essentia_maest as maest
audio = np.random.default_rng(0).standard_normal(25 * 16000).astype(np.float32)
def ended(call, *arguments):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    try:
        call(*arguments)
    except KeyboardInterrupt:
        print(time.monotonic() - started - 0.5)
"""


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_endless(tmp_path_factory.mktemp("endless") / "endless.onnx")


def moments(code: str, *arguments: str | Path) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "onnxruntime" not in done.stderr  # nothing failed: it was ended
    return [float(line) for line in done.stdout.split()]


def test_ctrl_c_ends_calls_of_python(endless: Path) -> None:
    found = moments(
        """
for threads in (1, 3):
    model = maest.Model(sys.argv[1], num_threads=threads)
    ended(model.predict, audio)
    ended(model.embed, audio[:16000])  # a tail only
    stream = model.stream("predict")
    ended(stream.push, audio)
    try:
        stream.push(audio)
    except maest.StreamStoppedError:
        stream.reset()
    stream.push(audio[:16000])
    ended(stream.finish)
""",
        endless,
    )
    assert len(found) == 8
    assert max(found) < MOMENT


def test_a_handler_that_returns_ends_nothing() -> None:
    """It runs while the model computes, which goes on."""
    model = maest.Model(UNTRAINED, num_threads=1)
    signal_seconds, seen = 0.05, []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(time.monotonic()))
    try:
        wanted = model.predict(AUDIO, hop=0.5)
        assert not seen
        signal.setitimer(signal.ITIMER_REAL, signal_seconds, signal_seconds)
        found = model.predict(AUDIO, hop=0.5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("threads", [1, 3])
def test_another_thread_stops_a_stream(endless: Path, threads: int) -> None:
    stream = maest.Model(endless, num_threads=threads).stream("predict")
    errors: list[Exception] = []

    def push() -> None:
        try:
            stream.push(AUDIO)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    time.sleep(0.3)
    assert thread.is_alive()
    stream.stop()
    thread.join(MOMENT)
    assert not thread.is_alive()
    assert [type(error) for error in errors] == [maest.StreamStoppedError]
    for call in (lambda: stream.push(AUDIO), stream.finish):
        with pytest.raises(maest.StreamStoppedError, match="reset"):
            call()
    stream.reset()
    assert len(stream.push(AUDIO[:1000])) == 0


def test_a_stop_ends_one_stream_of_many() -> None:
    model = maest.Model(UNTRAINED, num_threads=1)
    wanted = model.predict(AUDIO, hop=1.0)
    stopped, going = model.stream("predict", hop=1.0), model.stream("predict", hop=1.0)
    found: list[np.ndarray] = []

    def compute() -> None:
        found.append(np.concatenate([going.push(AUDIO), going.finish()]))

    thread = threading.Thread(target=compute)
    thread.start()
    stopper = threading.Timer(0.02, stopped.stop)
    stopper.start()

    def until_stopped() -> None:
        for _ in range(1000):
            stopped.push(AUDIO)

    with pytest.raises(maest.StreamStoppedError):
        until_stopped()
    thread.join()
    stopper.join()
    np.testing.assert_array_equal(found[0], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_run_over_files(
    tmp_path: Path, endless: Path, files: int, number: int, code: int
) -> None:
    for index in range(files):
        write_audio(tmp_path / "in" / f"{index}.wav", 12.0, 16000, 1)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "essentia_maest", "analyze", tmp_path / "in"),
            *("-o", tmp_path / "out", "--model", endless, "--threads", "2", "--workers", "1"),
            "--verbose",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(4)
    assert process.poll() is None
    started = time.monotonic()
    process.send_signal(number)
    try:
        _, messages = process.communicate(timeout=30)
    finally:
        process.kill()
    assert time.monotonic() - started < MOMENT + 1  # processes end, too
    assert process.returncode == code, messages
    assert "Traceback" not in messages
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["stopped"] == "interrupted"
    assert summary["counts"]["failed"] == 0


@pytest.mark.slow
def test_ctrl_c_ends_the_essentia_algorithms(tmp_path: Path, endless: Path) -> None:
    head = tmp_path / "head.onnx"
    write_head(head, ["n", 8], 8)
    model = onnx.load(head)
    lead_through_loop(model, "embeddings")
    onnx.save(model, head)
    found = moments(
        """
import essentia
import essentia.standard as es
import essentia.streaming as ess

predict = es.OnnxPredictMAEST(graphFilename=sys.argv[1], threads=1)
ended(predict, audio)
head = es.OnnxPredict2D(graphFilename=sys.argv[2])
ended(head, np.ones((3, 8), np.float32))

def network():
    source = ess.VectorInput(audio)
    predict = ess.OnnxPredictMAEST(graphFilename=sys.argv[1], threads=2)
    pool = essentia.Pool()
    source.data >> predict.signal
    predict.predictions >> (pool, "predictions")
    return source
ended(essentia.run, network())

def head_network():
    source = ess.VectorInput(np.ones((100, 8), np.float32))
    head = ess.OnnxPredict2D(graphFilename=sys.argv[2])
    pool = essentia.Pool()
    source.data >> head.features
    head.predictions >> (pool, "predictions")
    return source
ended(essentia.run, head_network())
""",
        endless,
        head,
    )
    assert len(found) == 4
    assert max(found) < MOMENT


def constant(name: str) -> onnx.NodeProto:
    return helper.make_node(
        "Constant", [], [name], value=helper.make_tensor("value", TensorProto.BOOL, [], [True])
    )


# Some keep an operator only until ONNX Runtime optimises.
@pytest.mark.parametrize(
    "body",
    [
        ONE_OPERATOR,
        (*ONE_OPERATOR, constant("unused")),
        (*ONE_OPERATOR, helper.make_node("Identity", ["carried"], ["unused"])),
        (helper.make_node("Dropout", ["carried"], ["carried_on"]),),
    ],
)
def test_loops_that_can_be_ended(tmp_path: Path, body: tuple[onnx.NodeProto, ...]) -> None:
    _assert_ended(tmp_path / "endless.onnx", body, "going", "carried_on")


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        ((helper.make_node("Identity", ["always"], ["on"]),), "on"),
        ((constant("on"), helper.make_node("Identity", ["carried"], ["unused"])), "on"),
        ((constant("one"), helper.make_node("And", ["one", "one"], ["on"])), "on"),
    ],
)
def test_loops_whose_operators_are_of_no_use(
    tmp_path: Path, body: tuple[onnx.NodeProto, ...], condition: str
) -> None:
    _assert_ended(tmp_path / "endless.onnx", body, condition, "carried")


def _assert_ended(
    path: Path, body: tuple[onnx.NodeProto, ...], condition: str, carried: str
) -> None:
    model = onnx.load(UNTRAINED)
    lead_through_loop(model, "patches", body, condition=condition, carried=carried)
    onnx.save(model, path)
    found = moments("ended(maest.Model(sys.argv[1], num_threads=1).predict, audio)", path)
    assert len(found) == 1
    assert found[0] < MOMENT


@pytest.mark.parametrize(("body", "condition"), [((), "going"), ((constant("on"),), "on")])
def test_loops_that_could_not_be_ended_are_refused(
    tmp_path: Path, body: tuple[onnx.NodeProto, ...], condition: str
) -> None:
    """ONNX Runtime looks between operators whether it is to end; it has none here."""
    model = onnx.load(UNTRAINED)
    lead_through_loop(model, "patches", body, condition=condition, carried="carried")
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(maest.ModelError, match="Loop or Scan .* a body that computes nothing"):
        maest.Model(tmp_path / "model.onnx")


def test_loops_are_looked_for_in_every_graph(tmp_path: Path) -> None:
    model = onnx.load(UNTRAINED)
    lead_through_loop(model, "patches", (), carried="carried")
    loop = model.graph.node[0]
    branch = helper.make_graph(
        [loop], "branch", [], [helper.make_tensor_value_info(loop.output[0], 1, None)]
    )
    choice = helper.make_node(
        "If", ["always"], list(loop.output), then_branch=branch, else_branch=branch
    )
    model.graph.node.remove(loop)
    model.graph.node.insert(0, choice)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(maest.ModelError, match="a body that computes nothing"):
        maest.Model(tmp_path / "model.onnx")


def test_calls_of_functions_are_no_operators(tmp_path: Path) -> None:
    """What such a node stands for may be nothing."""
    model = onnx.load(UNTRAINED)
    call = helper.make_node("Nothing", ["carried"], ["carried_on"], domain="own")
    lead_through_loop(model, "patches", (call,))
    own, plain = helper.make_opsetid("own", 1), helper.make_opsetid("", 17)
    model.opset_import.append(own)
    model.functions.append(
        helper.make_function("own", "Nothing", ["x"], ["y"], list(ONE_OPERATOR), [plain])
    )
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(maest.ModelError, match="a body that computes nothing"):
        maest.Model(tmp_path / "model.onnx")
    model.graph.node[0].attribute[0].g.node[0].domain = ""
    model.functions[-1].domain = ""
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(maest.ModelError, match="functions of its own under operators' names"):
        maest.Model(tmp_path / "model.onnx")


def test_a_loop_that_ends_changes_nothing(tmp_path: Path) -> None:
    """One turn of the same loop: files that have loops work as any."""
    model = onnx.load(UNTRAINED)
    lead_through_loop(model, "patches")
    model.graph.initializer.append(helper.make_tensor("once", TensorProto.INT64, [], [1]))
    model.graph.node[0].input[0] = "once"
    onnx.save(model, tmp_path / "model.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = maest.Model(tmp_path / "model.onnx", num_threads=1).predict(AUDIO)
        wanted = maest.Model(UNTRAINED, num_threads=1).predict(AUDIO)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_what_the_watch_costs() -> None:
    """A few microseconds a call in the main thread; a segment takes milliseconds."""
    stream = maest.Model(UNTRAINED, num_threads=1).stream("predict")
    nothing = np.zeros(0, np.float32)

    def microseconds() -> float:
        """CPU time of a call that computes nothing."""
        started = time.thread_time()
        for _ in range(2000):
            stream.push(nothing)
        return (time.thread_time() - started) / 2000 * 1e6

    with ThreadPoolExecutor(1) as elsewhere:
        unwatched = min(elsewhere.submit(microseconds).result() for _ in range(5))
    watched = min(microseconds() for _ in range(5))
    print(f"watched {watched:.1f}, unwatched {unwatched:.1f}")
    assert watched - unwatched < 50
