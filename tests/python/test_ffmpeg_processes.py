"""Essentia's FFmpeg in processes of their own: forked ones, other libraries, damaged files."""

from __future__ import annotations

import subprocess
import sys

import pytest
import soundfile

from audio_fixtures import music
from ffmpeg_files import convert, write

pytest.importorskip("essentia")


def run(script: str, *arguments: object) -> str:
    """Run a script in a Python of its own, since what it does lasts as long as its process."""
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


FORKING = """
import os, signal, sys, threading
from essentia_maest import _core
from essentia_maest.decoding.libraries import use_libraries
use_libraries()
path, going = sys.argv[1], True
def open_always():
    while going:
        _core.open_ffmpeg(path, "ogg")
threads = [threading.Thread(target=open_always) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        _core.open_ffmpeg(path, "ogg").next()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
going = False
"""


def test_a_forked_child_opens_files(tmp_path):
    run(FORKING, write(tmp_path, "ogg", "VORBIS"))


LIBRARIES = """
import sys
from essentia_maest import _core, errors
def refusal():
    try:
        _core.open_ffmpeg(sys.argv[1], "wav")
    except errors.AudioFileError as error:
        return str(error)
assert "no Essentia was found" in refusal()
_core.set_ffmpeg_library("/nowhere/essentia.so")
assert "cannot open '/nowhere/essentia.so'" in refusal()
_core.set_ffmpeg_library(_core.__file__)
assert "has no avcodec_get_class; wanted is the FFmpeg of Essentia" in refusal()
assert _core.ffmpeg_version() in ("", None)
from essentia_maest.decoding.libraries import use_libraries
use_libraries()
assert refusal() is None
try:
    _core.set_ffmpeg_library(_core.__file__)
except errors.InvalidArgumentError as error:
    assert "already loaded" in str(error)
else:
    raise AssertionError
"""


def test_other_libraries_are_refused(tmp_path):
    run(LIBRARIES, write(tmp_path, "wav", "PCM_16"))


DAMAGED = """
import os, sys
import numpy as np
from essentia_maest import _core, errors
from essentia_maest.decoding.libraries import use_libraries
use_libraries()
path, demuxer, count, target = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
sound = open(path, "rb").read()
for seed in range(count):
    rng = np.random.default_rng(seed)
    data = bytearray(sound)
    if seed % 4 == 0:
        del data[int(rng.integers(len(data))):]
    elif seed % 4 == 1:
        begin, end = sorted(rng.integers(0, len(data), 2))
        del data[begin:end]
    else:
        most = len(data) if seed % 4 == 2 else min(len(data), 600)
        for place in rng.integers(0, most, int(2 ** rng.integers(0, 9))):
            data[place] = int(rng.integers(256))
    open(target, "wb").write(data)
    try:
        source = _core.open_ffmpeg(target, demuxer)
        for place in rng.integers(0, 50000, 3 if seed % 8 == 2 else 0):
            source.seek(int(place))
            source.skip(int(rng.integers(0, 10000)))
        total = 0
        while len(samples := source.next()[0]):
            total += len(samples)
        assert total < 200 * len(data) + 100000, (seed, total)
    except errors.AudioFileError:
        pass
print(count)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "options"),
    [("mp3", ""), ("flac", ""), ("ogg", "-c:a libvorbis"), ("m4a", "-c:a aac"), ("wav", "")],
)
def test_damaged_files_crash_nothing(tmp_path, ending, options):
    song = tmp_path / "short.wav"
    soundfile.write(song, music(1.0, 44100, 2), 44100)
    path = convert(song, tmp_path / f"sound.{ending}", *options.split())
    demuxer = {"m4a": "mov"}.get(ending, ending)
    count = 1000
    assert run(DAMAGED, path, demuxer, count, tmp_path / "damaged").strip() == str(count)
