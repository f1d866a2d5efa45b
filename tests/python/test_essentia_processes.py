"""Processes that fork, and that end while threads compute with the algorithms."""

from pathlib import Path

import pytest

from essentia_helpers import SET_UP, run_python
from essentia_maest.making.conversion import convert_random

# Each test runs a program of its own, with Essentia in it.
pytestmark = pytest.mark.slow

FORKED = """
import signal
signal.alarm(60)  # a child that hangs ends
def forked(work):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        work()
        sys.exit(0)  # by way of everything that runs at a process's end
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_forked_processes(threads: int) -> None:
    """A child computes with what its parent configured, opens more, and ends."""
    run_python(
        SET_UP
        + FORKED
        + f"""
predict = es.OnnxPredictMAEST(graphFilename=file, threads={threads})
stream = ess.OnnxPredictMAEST(graphFilename=file, threads={threads})
wanted = predict(audio)
def use():
    assert np.array_equal(predict(audio), wanted)
    assert np.array_equal(run_network(stream), wanted)
    again = es.OnnxPredictMAEST(graphFilename=file, threads={threads})
    assert np.array_equal(again(audio), wanted)
    named = es.OnnxPredictMAEST(graphFilename="default", threads={threads})
    assert named(audio).shape[0] == 1
    predict.configure(graphFilename="default")
assert forked(lambda: None) == 0
assert forked(use) == 0
assert np.array_equal(predict(audio), wanted)
assert forked(lambda: sys.exit(forked(use))) == 0
"""
    )


def test_forks_while_a_model_is_being_opened(tmp_path: Path) -> None:
    """The child does not wait for the thread that opens it, which it does not have."""
    path = convert_random("base", tmp_path / "base.onnx", precision="int8")
    run_python(
        SET_UP
        + FORKED
        + """
ended = False
def opens():
    while not ended:
        es.OnnxPredictMAEST(graphFilename=sys.argv[1], threads=1)
thread = threading.Thread(target=opens)
thread.start()
def use():
    assert es.OnnxPredictMAEST(graphFilename=file, threads=1)(audio).shape[0] == 1
try:
    for _ in range(5):
        time.sleep(0.03)
        assert forked(use) == 0
finally:
    ended = True
    thread.join()
""",
        path,
    )


@pytest.mark.parametrize("mode", ["es", "ess"])
def test_the_process_ends_while_a_thread_computes(mode: str) -> None:
    run_python(
        SET_UP
        + f"""
long = np.tile(audio, 20)
def work():
    while True:
        if {mode!r} == "es":
            es.OnnxPredictMAEST(graphFilename=file, patchHopSize=10, threads=1)(long)
        else:
            source = ess.VectorInput(long)
            predict = ess.OnnxPredictMAEST(graphFilename=file, patchHopSize=10, threads=1)
            source.data >> predict.signal
            predict.predictions >> None
            essentia.run(source)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.5)
"""
    )
