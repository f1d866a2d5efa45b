"""Models in processes that fork or end while something computes; objects shared by threads."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from essentia_maest import _core
from head_fixtures import DIM, write_linear_head
from untrained import UNTRAINED

PREPARED = f"""
import multiprocessing, os, shutil, sys, threading, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import essentia_maest as maest
audio = np.random.default_rng(0).standard_normal(31 * 16000).astype(np.float32)
path = {str(UNTRAINED)!r}
def ended(child):
    '''The exit code of a child, or "hangs".'''
    end = time.monotonic() + 60
    while time.monotonic() < end:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREPARED + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


FORK = """
model = maest.Model(path, num_threads={threads})
wanted = model.predict(audio)
child = os.fork()
if child == 0:
    {child}
    sys.exit(5)
print(ended(child), np.array_equal(model.predict(audio), wanted))
"""


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "child",
    [
        "pass",
        "del model",
        "assert np.array_equal(model.predict(audio), wanted)",
        "assert np.array_equal(maest.Model(path, num_threads=2).predict(audio), wanted)",
        "child = os.fork() or sys.exit(int(not np.array_equal(model.predict(audio), wanted)));"
        " assert ended(child) == 0",
    ],
    ids=["does nothing", "drops it", "uses it", "opens another", "forks again"],
)
def test_a_forked_process_ends(threads: int, child: str) -> None:
    """With the exit code that it chose, after all that it wrote is written."""
    done = run(FORK.format(threads=threads, child=f"print('written', end=''); {child}"))
    assert done.stdout == "written5 True\n", done.stderr
    assert done.returncode == 0


@pytest.mark.slow
def test_a_fork_while_another_thread_computes() -> None:
    """A process forked in the middle of it opens the model anew, however many threads it has."""
    done = run("""
models = [maest.Model(path, num_threads=threads) for threads in (1, 2)]
wanted = [model.predict(audio) for model in models]
def compute():
    while True:
        for model in models:
            model.predict(audio)
for _ in range(3):
    threading.Thread(target=compute, daemon=True).start()
codes = []
for _ in range(5):
    time.sleep(0.1)
    child = os.fork()
    if child == 0:
        for model, right in zip(models, wanted):
            assert np.array_equal(model.predict(audio), right)
        sys.exit(0)
    codes.append(ended(child))
print(codes)
""")
    assert done.stdout == "[0, 0, 0, 0, 0]\n", done.stderr


def test_a_file_that_changed_since_is_refused(tmp_path: Path) -> None:
    done = run(f"""
copy = shutil.copy(path, {str(tmp_path / "model.onnx")!r})
model = maest.Model(copy, num_threads=2)
child = os.fork()
if child == 0:
    os.utime(copy, (0, 0))
    try:
        model.predict(audio)
    except maest.ModelError as error:
        print(error)
    sys.exit(0)
print(ended(child))
""")
    assert "has changed since it was opened" in done.stdout, done.stderr
    assert done.stdout.endswith("\n0\n")


def test_workers_forked_with_a_model() -> None:
    """As of `multiprocessing`, and of servers that load before they fork."""
    done = run("""
model = maest.Model(path, num_threads=2)
wanted = model.predict(audio)
def right(_):
    return np.array_equal(model.predict(audio), wanted)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(right, range(4)))
""")
    assert done.stdout == "[True, True, True, True]\n", done.stderr
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", ["model.predict(audio)", "maest.mel_spectrogram(audio)"])
def test_a_thread_that_computes_while_the_interpreter_ends(threads: int, call: str) -> None:
    for _ in range(3):
        done = run(f"""
model = maest.Model(path, num_threads={threads})
def compute():
    while True:
        {call}
for _ in range(2):
    threading.Thread(target=compute, daemon=True).start()
time.sleep(0.2)
print("end")
""")
        assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
        assert not done.stderr


def test_algorithms_of_essentia_in_a_forked_process() -> None:
    done = run("""
import essentia.standard as es
algorithm = es.OnnxPredictMAEST(graphFilename=path, threads=2)
wanted = algorithm(audio)
child = os.fork()
if child == 0:
    assert np.array_equal(algorithm(audio), wanted)
    assert np.array_equal(es.OnnxPredictMAEST(graphFilename=path, threads=2)(audio), wanted)
    sys.exit(0)
print(ended(child))
""")
    assert done.stdout.splitlines()[-1:] == ["0"], done.stdout + done.stderr
    assert done.returncode == 0


def test_one_front_end_in_several_threads() -> None:
    """Calls queue: no frame is lost, none is made twice, and the heap stays whole."""
    front_end = maest.MelFrontend()
    piece = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    frames = []

    def push() -> None:
        frames.extend(len(front_end.push(piece)) for _ in range(200))

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(frames) + len(front_end.finish())
    assert total == len(maest.mel_spectrogram(np.zeros(4 * 200 * 5000, np.float32)))
    front_end.reset()
    assert len(front_end.push(piece)) == 5000 // 256


def test_one_stream_in_several_threads() -> None:
    """Calls queue: every segment is computed once, of samples in one order."""
    model = maest.Model(UNTRAINED, num_threads=1)
    stream = model.stream("predict", patchout="F4T10")
    piece = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    parts = []

    def push() -> None:
        parts.extend(stream.push(piece) for _ in range(50))

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = np.concatenate([*parts, stream.finish()])
    wanted = model.predict(np.tile(piece, 200), patchout="F4T10")
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(wanted, axis=0))


def test_a_stream_that_others_stop_and_reset() -> None:
    """Whatever comes in between, a call gives results or says why not."""
    stream = maest.Model(UNTRAINED, num_threads=2).stream("predict", patchout="F4T10")
    piece = np.random.default_rng(0).standard_normal(40_000).astype(np.float32)
    over, done, stopped, strange = threading.Event(), [], [], []

    def push() -> None:
        while not over.is_set():
            try:
                done.append(stream.push(piece).shape[1:])
            except maest.StreamStoppedError:
                stopped.append(True)
                stream.reset()
            except Exception as error:
                strange.append(error)

    threads = [threading.Thread(target=push) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        stream.stop()
        over.wait(0.01)
    over.set()
    for thread in threads:
        thread.join()
    assert not strange
    assert stopped
    assert set(done) == {(400,)}


def in_threads(work: Callable[[int], object], count: int = 4) -> list[object]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(4 * count)))


def test_what_has_no_state_gives_all_threads_the_same(tmp_path: Path) -> None:
    """Models and heads: the lock of Python is not held while they compute."""
    audio = np.random.default_rng(0).standard_normal(11 * 16000).astype(np.float32)
    model = maest.Model(UNTRAINED, num_threads=1)
    head = write_linear_head(tmp_path / "head.onnx")
    rows = np.random.default_rng(1).standard_normal((50, DIM)).astype(np.float32)
    for wanted, call in (
        (model.predict(audio, patchout="F4T10"), lambda _: model.predict(audio, patchout="F4T10")),
        (head.predict(rows), lambda _: head.predict(rows)),
    ):
        for found in in_threads(call):
            np.testing.assert_array_equal(found, wanted)


def test_one_resampler_in_several_threads() -> None:
    """Calls queue: as many samples come as of one thread."""
    piece = np.random.default_rng(0).standard_normal(44_100).astype(np.float32)
    resampler, alone = _core.Resampler(44_100), _core.Resampler(44_100)
    counts = in_threads(lambda _: len(resampler.push(piece)))
    assert sum(counts) == sum(len(alone.push(piece)) for _ in counts)  # type: ignore[arg-type]


def test_fewer_threads_than_wanted_do_the_same_work() -> None:
    """Where the system gives no more of them."""
    done = run("""
import resource
model = maest.Model(path, num_threads=1)
wanted = model.predict(audio)
if os.geteuid() == 0:  # whom no limit holds
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
print(np.array_equal(model.predict(audio, batch_size=8), wanted))
""")
    assert done.stdout == "True\n", done.stderr
