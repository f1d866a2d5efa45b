"""What computes is told, kept with every result, and compared before results are mixed."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import onnxruntime
import pytest
import soundfile

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import _core
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.commands.cli import main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.origin import differences
from essentia_maest.ort_library import find_library
from untrained import UNTRAINED


def essentia_library() -> ctypes.CDLL:
    (folder,) = importlib.util.find_spec("essentia").submodule_search_locations
    (file,) = Path(folder).glob("_essentia*.so")
    return ctypes.CDLL(str(file))


def test_versions_are_those_that_are_installed():
    told = maest.provenance()
    assert told["engine"] == version("essentia-maest")
    assert told["runtime"] == {
        "onnxruntime": onnxruntime.__version__,
        "library": str(find_library()),
    }
    decoders = told["decoders"]
    assert decoders["essentia"] == version("essentia")
    assert decoders["libsndfile"] == soundfile.__libsndfile_version__
    number = essentia_library().avcodec_version()
    assert decoders["avcodec"] == f"{number >> 16}.{number >> 8 & 255}.{number & 255}"
    # FFmpeg 2.8 has avcodec 56, 4.x has 58, 6 has 60: two numbers of one release.
    generation = {56: "2.8", 57: "3.", 58: "4.", 59: "5.", 60: "6.", 61: "7.", 62: "8."}
    assert decoders["ffmpeg"].lstrip("n").startswith(generation[number >> 16])
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_operators_that_compute_are_told(isa, monkeypatch):
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", isa)
    kernels = maest.provenance(maest.Model("default", num_threads=1))["kernels"]
    assert {
        name: kernels[name] for name in ("isa", "mel", "gelu", "attention", "rows")
    } == _core.kernels()
    assert kernels["isa"] == isa
    assert kernels["operators"]["NormQuantizeRows"] == kernels["rows"]
    assert kernels["operators"]["QuantizedAttention"] == kernels["attention"]
    assert "operators" not in maest.provenance()["kernels"]


def test_an_instruction_set_that_is_not_there(monkeypatch):
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", "mmx")
    with pytest.raises(InvalidArgumentError, match="'mmx'"):
        maest.provenance()


def test_telling_loads_neither_essentia_nor_onnxruntime():
    code = (
        "import sys, essentia_maest\n"
        "essentia_maest.provenance()\n"
        "assert not {'essentia', 'onnxruntime', 'onnx', 'torch'} & set(sys.modules)\n"
        # The algorithms come into an Essentia whose library was looked into before.
        "import essentia.standard\n"
        "essentia.standard.OnnxPredictMAEST\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_differences_are_named():
    here = maest.provenance()
    assert differences(here, here) == {}
    other = json.loads(json.dumps(here))
    other["runtime"] |= {"onnxruntime": "1.20.0", "library": "/elsewhere.so"}
    other["decoders"]["libsndfile"] = None
    del other["decoders"]["avutil"]
    other["processor"] = ["mmx", "sse"]
    assert differences(other, here) == {
        "runtime.onnxruntime": ("1.20.0", onnxruntime.__version__),
        "decoders.libsndfile": ("missing", soundfile.__libsndfile_version__),
        "decoders.avutil": ("not recorded", here["decoders"]["avutil"]),
        "processor": ("mmx sse", " ".join(here["processor"]) or "none"),
    }
    for nothing in (None, "1.0", []):
        assert differences(nothing, here) == {"provenance": ("not recorded", "recorded")}


def test_info_tells_it(capsys, monkeypatch):
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", "baseline")
    assert main(["info", "default", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["provenance"]
    assert told == maest.provenance(maest.Model("default", num_threads=1))
    assert main(["info", "default"]) == 0
    shown = capsys.readouterr().out
    assert "isa baseline" in shown
    assert "QuantizedAttention onnxruntime" in shown
    assert f"onnxruntime {onnxruntime.__version__}" in shown
    assert f"ffmpeg {told['decoders']['ffmpeg']}" in shown


# --- collections --------------------------------------------------------------------------------


class Listening(SilentReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def run(folder: Path, **more) -> tuple[object, list[str], dict]:
    reporter = Listening()
    report = CollectionRun(
        maest.Model(UNTRAINED, num_threads=1),
        AnalysisOptions.of(block=1),
        ResultFolder(folder / "out"),
        workers=1,
        reporter=reporter,
        **more,
    ).run(scan([folder / "in"]))
    return report, reporter.said, json.loads((folder / "out" / "summary.json").read_text())


@pytest.fixture
def analysed(tmp_path) -> Path:
    """Three tracks, analysed with the best kernels that there are."""
    for name in "abc":
        write_audio(tmp_path / "in" / f"{name}.wav", 0.5, 16000, 1)
    run(tmp_path)
    return tmp_path


def test_every_result_says_what_computed_it(analysed):
    here = maest.provenance(maest.Model(UNTRAINED, num_threads=1))
    for name in ("a.wav.json", "b.wav.json", "summary.json"):
        assert json.loads((analysed / "out" / name).read_text())["provenance"] == here


def test_resuming_on_the_same_says_nothing(analysed):
    report, said, summary = run(analysed, resume=True, mixed="refuse")
    assert (report.resumed, report.analyzed, said) == (3, 0, [])
    assert summary["mixed"] == []


def test_resuming_with_other_kernels_is_told_before_it_mixes(analysed, monkeypatch):
    before = _core.kernels()["isa"]
    if before == "baseline":
        pytest.skip("this CPU has one set of kernels only")
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", "baseline")
    write_audio(analysed / "in" / "d.wav", 0.5, 16000, 1)
    report, (line,), summary = run(analysed, resume=True)
    assert (report.resumed, report.analyzed) == (3, 1)
    assert line.startswith("warning: 3 tracks done before were computed otherwise: ")
    assert f"kernels.isa {before} there, baseline here (3 tracks)" in line
    assert "\n" not in line
    assert {
        "what": "kernels.isa", "there": before, "here": "baseline", "tracks": 3
    } in summary["mixed"]  # fmt: skip

    with pytest.raises(InvalidArgumentError, match="3 tracks done before .*: refused"):
        run(analysed, resume=True, mixed="refuse")
    again = json.loads((analysed / "out" / "summary.json").read_text())
    assert again == summary  # nothing was begun

    report, (line,), summary = run(analysed, resume=True, mixed="redo")
    assert (report.resumed, report.analyzed) == (1, 3)
    assert line.endswith("they are done again")
    assert summary["mixed"] == []
    assert run(analysed, resume=True, mixed="refuse")[0].resumed == 4


@pytest.mark.parametrize(
    ("topic", "name"),
    [("runtime", "onnxruntime"), ("decoders", "essentia"), ("decoders", "avcodec")],
)
def test_another_runtime_or_decoder_is_told(analysed, monkeypatch, topic, name):
    here = maest.provenance(maest.Model(UNTRAINED, num_threads=1))
    other = {**here, topic: {**here[topic], name: "0.0.1"}}
    monkeypatch.setattr("essentia_maest.collection.runner.provenance", lambda _: other)
    report, (line,), summary = run(analysed, resume=True)
    assert report.resumed == 3
    assert f"{topic}.{name} {here[topic][name]} there, 0.0.1 here (3 tracks)" in line
    assert [one["what"] for one in summary["mixed"]] == [f"{topic}.{name}"]


def test_results_that_do_not_say_it_are_kept_and_told(analysed):
    """As version 0.1 wrote them."""
    file = analysed / "out" / "a.wav.json"
    written = json.loads(file.read_text())
    del written["provenance"]
    file.write_text(json.dumps(written))
    report, (line,), _ = run(analysed, resume=True)
    assert report.resumed == 3
    assert "1 tracks done before" in line
    assert "provenance not recorded there" in line


def test_the_command_tells_it_and_refuses_where_asked(analysed):
    command = [
        *(sys.executable, "-m", "essentia_maest", "analyze", str(analysed / "in")),
        *("-o", str(analysed / "out"), "--model", str(UNTRAINED), "--block", "1"),
        *("--resume", "--quiet", "--format", "files"),
    ]
    environment = {**os.environ, "ESSENTIA_MAEST_ISA": "baseline"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert "computed otherwise: " in done.stderr
    refused = subprocess.run(
        [*command, "--mixed", "refuse"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "refused, as asked" in refused.stderr
