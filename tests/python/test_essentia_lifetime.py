"""Many lives of the algorithms: memory, file handles, threads, interrupts."""

from pathlib import Path

import pytest

import essentia_maest as maest
from essentia_helpers import SET_UP, run_python, write_head
from essentia_maest.making.conversion import convert_random
from untrained import UNTRAINED

# Each test runs a program of its own, with Essentia in it.
pytestmark = pytest.mark.slow


PARAMETERS = 'dict(graphFilename=file, patchout="F4T10", output="embeddings", block=1, threads=1)'

STANDARD = f"""
def cycle(index):
    predict = es.OnnxPredictMAEST()
    predict.configure(**{PARAMETERS})
    assert predict(audio).shape == (1, 1, 3, 64)
"""

FAILURES = f"""
def cycle(index):
    predict = es.OnnxPredictMAEST(**{PARAMETERS})
    for bad in (dict(graphFilename="missing.onnx"), dict(graphFilename=file, output="nothing")):
        try:
            predict.configure(**bad)
        except RuntimeError:
            pass
        else:
            raise AssertionError("accepted")
    try:
        predict(audio[:1000])
    except RuntimeError:
        pass
    predict(audio)
"""

STREAMING = f"""
audio = audio[: 626 * 256]
def cycle(index):
    predict = ess.OnnxPredictMAEST(**{PARAMETERS})
    loader = ess.MonoLoader(filename=sys.argv[1], sampleRate=16000)
    pool = essentia.Pool()
    loader.audio >> predict.signal
    predict.predictions >> (pool, "predictions")
    essentia.run(loader)
    assert len(pool["predictions"]) == 1
    del loader
    gc.collect()  # Essentia deletes a network with its generator, which is in a cycle
"""

HEAD = """
rows = np.ones((8, 64), np.float32)
def cycle(index):
    predict = es.OnnxPredict2D(graphFilename=sys.argv[2], threads=1)
    assert predict(rows).shape == (8, 5)
"""


@pytest.mark.parametrize(
    ("cycle", "lives"),
    [(STANDARD, 1000), (FAILURES, 400), (STREAMING, 1000), (HEAD, 1000)],
    ids=["standard", "failures", "streaming", "2d"],
)
def test_a_thousand_lives_leak_nothing(cycle: str, lives: int, tmp_path: Path) -> None:
    """Each opens the model and closes it again: nothing else holds it."""
    from audio_fixtures import write_audio

    sound = write_audio(tmp_path / "music.wav", 11, 16000, 1)
    write_head(tmp_path / "head.onnx", ["n", 64], 64)
    done = run_python(
        SET_UP
        + cycle
        + """
for index in range(int(sys.argv[3])):
    cycle(index)
    if index == 100:
        before = megabytes(), handles()
print(megabytes() - before[0], handles() - before[1])
""",
        sound,
        tmp_path / "head.onnx",
        lives,
    )
    grown, opened = (float(word) for word in done.stdout.split())
    assert grown < 8
    assert opened == 0


def test_instances_share_the_weights(tmp_path: Path) -> None:
    path = convert_random("base", tmp_path / "base.onnx", precision="int8")
    done = run_python(
        SET_UP
        + """
audio = np.tile(audio, 3)[: 16000 * 31]
def make(**parameters):
    return es.OnnxPredictMAEST(graphFilename=sys.argv[1], patchout="F4T10", threads=1, **parameters)
first = make()
first(audio)
one = megabytes()
others = [make(output=f"layer_{layer}_tokens") for layer in range(4)]
for other in others: other(audio)
print(megabytes() - one)
streaming = ess.OnnxPredictMAEST(graphFilename=sys.argv[1], threads=1)
print(megabytes() - one)

start = time.monotonic()
make()
print(time.monotonic() - start)
""",
        path,
    )
    grown, with_streaming, seconds = (float(word) for word in done.stdout.split())
    file = path.stat().st_size / 1e6
    assert grown < file / 2
    assert with_streaming < file / 2
    assert seconds < 0.02  # nothing was opened


def test_the_last_user_closes_the_file(tmp_path: Path) -> None:
    """Told by time: opening takes long, sharing none."""
    path = convert_random("base", tmp_path / "base.onnx", precision="int8")
    done = run_python(
        SET_UP
        + """
def timed():
    start = time.monotonic()
    predict = es.OnnxPredictMAEST(graphFilename=sys.argv[1], threads=1)
    print(time.monotonic() - start)
    return predict
predict = timed()
other = timed()
predict.configure(graphFilename=file)
del other
predict = timed()
""",
        path,
    )
    opened, shared, opened_again = (float(word) for word in done.stdout.split())
    assert shared < opened / 5
    assert opened_again > shared * 5


def test_threads_each_with_its_own() -> None:
    run_python(
        SET_UP
        + """
wanted = {
    name: es.OnnxPredictMAEST(graphFilename=file, output=name, threads=1)(audio)
    for name in ("activations", "logits", "embeddings", "PartitionedCall/Identity_3")
}
failures = []
def work(name, mode):
    try:
        for _ in range(5):
            parameters = dict(graphFilename=file, output=name, threads=1)
            if mode == "standard":
                found = es.OnnxPredictMAEST(**parameters)(audio)
            else:
                found = run_network(ess.OnnxPredictMAEST(**parameters))
            assert np.array_equal(found, wanted[name])
    except BaseException as error:
        failures.append(error)
threads = [
    threading.Thread(target=work, args=(name, mode))
    for name in wanted for mode in ("standard", "streaming")
]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failures, failures
"""
    )


def test_one_instance_in_many_threads() -> None:
    """In standard mode, where other Python threads run meanwhile, that is allowed too."""
    run_python(
        SET_UP
        + """
predict = es.OnnxPredictMAEST(graphFilename=file, threads=1)
signals = [np.roll(audio, index * 1000) for index in range(4)]
wanted = [predict(signal) for signal in signals]
failures = []
def work(index):
    try:
        for _ in range(10):
            assert np.array_equal(predict(signals[index]), wanted[index])
    except BaseException as error:
        failures.append(error)
threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failures, failures
"""
    )


LONG = {
    "standard": "es.OnnxPredictMAEST(graphFilename=file, patchHopSize=10, threads=1)(long)",
    "streaming": "run(ess.OnnxPredictMAEST(graphFilename=file, patchHopSize=10, threads=1))",
    "head": "head(np.ones((100000, 64), np.float32))",
}


@pytest.mark.parametrize("work", LONG.values(), ids=LONG)
def test_other_python_threads_run_meanwhile(work: str, tmp_path: Path) -> None:
    write_head(tmp_path / "head.onnx", ["n", 64], 64)
    done = run_python(
        SET_UP
        + f"""
long = np.tile(audio, 2)
head = es.OnnxPredict2D(graphFilename=sys.argv[1], threads=1)
def run(predict):
    source = ess.VectorInput(long)
    source.data >> predict.signal
    predict.predictions >> None
    essentia.run(source)
ticks, ended = 0, threading.Event()
def tick():
    global ticks
    while not ended.wait(0.01):
        ticks += 1
thread = threading.Thread(target=tick)
thread.start()
before, start = ticks, time.monotonic()
{work}
print(ticks - before, time.monotonic() - start)
ended.set()
thread.join()
""",
        tmp_path / "head.onnx",
    )
    ticks, seconds = (float(word) for word in done.stdout.split())
    assert seconds > 0.2
    assert ticks > seconds * 10


def test_a_busy_thread_does_not_slow_a_stream_down() -> None:
    """A turn is given away only for a patch: each piece of sound would wait for it otherwise."""
    done = run_python(
        SET_UP
        + """
def timed():
    start = time.monotonic()
    run_network(ess.OnnxPredictMAEST(graphFilename=file, threads=1))
    return time.monotonic() - start
timed()
alone = timed()
ended = False
def busy():
    while not ended: sum(range(1000))
thread = threading.Thread(target=busy)
thread.start()
print(alone, timed())
ended = True
thread.join()
"""
    )
    alone, beside = (float(word) for word in done.stdout.split())
    pieces = 11 * 16000 / 4096
    assert beside < alone * 4 + pieces * 0.005  # half of the 5 ms for each of two turns


def test_first_imports_in_several_threads() -> None:
    """The algorithms are registered once, whoever comes first."""
    done = run_python(
        """
import threading, essentia_maest
barrier = threading.Barrier(8)
def work(index):
    barrier.wait()
    if index % 2:
        import essentia.standard as es
        assert es.OnnxPredictMAEST().name()
    else:
        assert essentia_maest.essentia_available()
threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    )
    assert "Overwriting" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("handler", "exception"),
    [("signal.default_int_handler", "KeyboardInterrupt"), ("expire", "TimeoutError")],
)
def test_signals_end_a_long_computation(handler: str, exception: str) -> None:
    run_python(
        SET_UP
        + f"""
import signal
def expire(number, frame):
    raise TimeoutError("too long")
signal.signal(signal.SIGINT, {handler})
audio = np.tile(audio, 3)
predict = es.OnnxPredictMAEST(graphFilename=file, patchHopSize=1, threads=1)
for _ in range(2):
    subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -INT {{os.getpid()}}"])
    start = time.monotonic()
    try:
        predict(audio)
    except {exception} as error:
        assert type(error) is {exception}
    else:
        raise AssertionError("ran to its end")
    assert time.monotonic() - start < 10
try:
    predict(audio[:1000])
except RuntimeError as error:
    assert "too short" in str(error)
predict.configure(graphFilename=file)
assert predict(audio).shape == (3, 1, 1, 400)
"""
    )


def test_model_and_algorithm_side_by_side() -> None:
    """Two copies of the engine and one ONNX Runtime in a process."""
    run_python(
        SET_UP
        + """
import warnings; warnings.simplefilter("ignore")
model = maest.Model(file, num_threads=1)
predict = es.OnnxPredictMAEST(graphFilename=file, threads=1)
for _ in range(3):
    assert np.array_equal(predict(audio)[:, 0, 0], model.predict(audio, tail="discard"))
import onnxruntime
session = onnxruntime.InferenceSession(file)
"""
    )


def test_a_missing_onnx_runtime_is_named() -> None:
    done = run_python(
        f"""
import os, sys
os.environ["ESSENTIA_MAEST_ONNXRUNTIME"] = "/missing/libonnxruntime.so"
import essentia_maest as maest
assert maest.essentia_available()
import essentia.standard as es
try:
    es.OnnxPredictMAEST(graphFilename={str(UNTRAINED)!r})
except RuntimeError as error:
    print(error)
"""
    )
    assert "cannot open '/missing/libonnxruntime.so'" in done.stdout
    assert "ONNX Runtime 1.20 or newer is wanted" in done.stdout
    assert issubclass(maest.UnsupportedEssentiaError, ImportError)
