"""Memory: weights held once, streams that do not grow. Each case in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_fixtures import forget_flac_samples, music
from essentia_maest.making.conversion import convert_random

COMMON = """
import sys, threading, warnings
warnings.simplefilter("ignore")
import numpy as np
import essentia_maest as maest

def megabytes():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

def noise(seconds):
    return np.random.default_rng(0).standard_normal(seconds * 16000).astype(np.float32)
"""


def numbers_printed_by(code: str, *arguments: object) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", COMMON + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert_random("base", tmp_path_factory.mktemp("base") / "base.onnx", precision="int8")


@pytest.mark.slow
def test_weights_are_held_once(base_model: Path) -> None:
    """As the file has them, and packed of blocks that were computed: once for all threads."""
    loaded, packed, shared = numbers_printed_by(
        """
maest.mel_spectrogram(noise(1))
before = megabytes()
model = maest.Model(sys.argv[1], num_threads=1)
print(megabytes() - before)
audio = noise(31)
model.embed(audio, patchout="F4T10")
print(megabytes() - before)
threads = [
    threading.Thread(target=model.embed, args=(audio,), kwargs={"patchout": "F4T10"})
    for _ in range(8)
]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(megabytes() - before)
""",
        base_model,
    )
    file = base_model.stat().st_size / 1e6
    most_loaded = file + 60  # ONNX Runtime's own code is about 35
    assert loaded < most_loaded
    assert packed < loaded + file
    assert shared < packed + file  # eight copies would be eight times that
    assert shared < most_loaded + file  # all together as before products were ours


def test_a_stream_does_not_grow() -> None:
    after_minute, after_hour = numbers_printed_by(
        """
model = maest.Model(num_threads=1)
stream = model.stream("embed", patchout="F4T10")
second = noise(1)
for index in range(3600):
    stream.push(second)
    if index == 60: print(megabytes())
print(megabytes())
"""
    )
    assert after_hour < after_minute + 10


@pytest.mark.slow
def test_one_call_on_an_hour_holds_little_beside_the_audio() -> None:
    (growth,) = numbers_printed_by(
        """
model = maest.Model(num_threads=1)
audio = noise(3600)
model.embed(audio[: 16000 * 60], patchout="F4T10")
before = megabytes()
model.embed(audio, patchout="F4T10")
print(megabytes() - before)
"""
    )
    assert growth < 20


@pytest.mark.slow
def test_a_long_file_takes_no_more_than_a_short_one(tmp_path: Path) -> None:
    sound = music(60.0, 16000)[:, 0]
    for name, minutes in (("short.wav", 2), ("long.wav", 60)):
        with soundfile.SoundFile(tmp_path / name, "w", 16000, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(sound)
    # As written through a pipe: it does not say how long it is.
    with soundfile.SoundFile(tmp_path / "unknown.flac", "w", 16000, 1, "PCM_16") as file:
        for _ in range(60):
            file.write(sound * 1e-3)
    forget_flac_samples(tmp_path / "unknown.flac")
    before, after, unknown = numbers_printed_by(
        """
import resource
sys.path.insert(0, sys.argv[2])
from audio_fixtures import TellsMemory
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan

model = maest.Model(num_threads=1)
for name in ("short.wav", "long.wav", "unknown.flac"):
    CollectionRun(
        model, AnalysisOptions.of(block=1, patchout="F4T10"), ResultFolder(sys.argv[1] + "/out"),
        workers=2, reporter=SilentReporter(), long_seconds=100, open_audio=TellsMemory,
    ).run(scan([f"{sys.argv[1]}/{name}"]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
""",
        tmp_path,
        Path(__file__).parent,
    )
    assert after < before + 45  # a window is 25; whole, an hour's samples would be 230
    assert unknown < after + 10
    names = ("short.wav", "long.wav", "unknown.flac")
    peaks = [int((tmp_path / f"{name}.peak").read_text()) for name in names]
    assert max(peaks) < peaks[0] + 30_000
    rows = np.load(tmp_path / "out" / "long.wav.embeddings.npy")
    assert len(rows) > 20 * len(np.load(tmp_path / "out" / "short.wav.embeddings.npy"))
    assert len(rows) == len(np.load(tmp_path / "out" / "unknown.flac.embeddings.npy"))
