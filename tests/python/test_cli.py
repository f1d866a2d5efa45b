"""The command, as people run it: in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from audio_fixtures import write_audio
from checkpoint_files import small_maest
from command_process import FILES, MAEST, maest, make_tiny_model
from essentia_maest import Model, UntrainedModelWarning, load_audio
from essentia_maest.commands.cli import main
from essentia_maest.files import sha256_of
from essentia_maest.reading.store import shipped_models


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.mark.slow
def test_folder_of_every_format(tmp_path, model_file):
    music, out = tmp_path / "music", tmp_path / "out"
    paths = [
        write_audio(music / f"song.{ending}", 3.0, rate, 2)
        for ending, rate in (("wav", 44100), ("mp3", 44100), ("flac", 48000), ("ogg", 22050))
    ]
    paths.append(write_audio(music / "sub" / os.fsdecode(b"\xc3\xa9 \xff.opus"), 3.0, 48000, 2))
    done = maest("analyze", music, "-o", out, "--model", model_file, *FILES, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert sorted(line.split("\t")[1] for line in done.stdout.splitlines()) == ["3.0"] * 5
    assert "untrained" in done.stderr
    assert "5 analysed" in done.stderr
    assert "Extractor" not in done.stderr  # Essentia's greeting
    with pytest.warns(UntrainedModelWarning):
        model = Model(model_file)
    for path in paths:
        base = os.fspath(out / path.relative_to(music))
        written = json.loads(Path(base + ".json").read_text())
        assert written["track"] == str(path)
        assert written["trained"] is False
        assert written["warning"]
        predictions, embeddings = model.analyze(load_audio(path), tail="repeat")
        np.testing.assert_array_equal(np.load(base + ".predictions.npy"), predictions)
        np.testing.assert_array_equal(np.load(base + ".embeddings.npy"), embeddings)
        assert written["top"][0]["label"] == model.labels[int(predictions.mean(axis=0).argmax())]

    again = maest("analyze", music, "-o", out, "--model", model_file, *FILES, "--resume")
    assert again.returncode == 0
    assert "0 analysed" in again.stderr
    assert "5 done before" in again.stderr


def test_failures_are_listed_and_give_exit_code_1(tmp_path, model_file):
    write_audio(tmp_path / "in" / "good.flac")
    (tmp_path / "in" / "bad\n\x1b[31m.mp3").write_bytes(b"no music" * 1000)
    (tmp_path / "in" / "empty.ogg").touch()
    done = maest(
        "analyze", tmp_path / "in", "-o", tmp_path / "out", "--model", model_file, *FILES, "--quiet"
    )
    assert done.returncode == 1
    failures = sorted(line for line in done.stderr.splitlines() if line.startswith("failed: "))
    assert len(failures) == 2
    assert r"/in/bad\n\x1b[31m.mp3: it is text" in failures[0]
    assert "/in/empty.ogg: is empty (0 bytes)" in failures[1]
    assert (tmp_path / "out" / "good.flac.json").is_file()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["counts"]["failed"] == 2


def test_options_reach_the_model(tmp_path, model_file):
    path = write_audio(tmp_path / "a.wav", 12.0, 16000, 1)
    done = maest(
        *("analyze", path, "-o", tmp_path / "out", "--model", model_file, *FILES, "--block", "3"),
        *("--tokens", "dist,cls", "--patchout", "F3T2", "--hop", "2.5", "--tail", "pad"),
        *("--output", "embeddings", "--threads", "1", "--quiet"),
    )
    assert done.returncode == 0, done.stderr
    with pytest.warns(UntrainedModelWarning):
        model = Model(model_file)
    expected = model.embed(
        load_audio(path), block=3, tokens=("dist", "cls"), patchout="F3T2", hop=2.5, tail="pad"
    )
    found = np.load(tmp_path / "out" / "a.wav.embeddings.npy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    written = json.loads((tmp_path / "out" / "a.wav.json").read_text())
    assert len(written["segments"]) == len(expected) >= 2
    assert written["segments"][1]["start"] == pytest.approx(2.496, abs=1e-3)


USAGE = [
    (["analyze", "{in}"], "-o"),
    (["analyze", "{in}", "-o", "{out}", "--block", "99"], "99"),
    (["analyze", "{in}", "-o", "{out}", "--block", "x"], "invalid int value: 'x'"),
    (["analyze", "{in}", "-o", "{out}", "--tokens", "cls,mean"], "token 'mean' does not exist"),
    (["analyze", "{in}", "-o", "{out}", "--tail", "none"], "'repeat'"),
    (["analyze", "{in}", "-o", "{out}", "--output", "all"], "'both'"),
    (["analyze", "{in}", "-o", "{out}", "--patchout", "X7"], "X7"),
    (["analyze", "{in}", "-o", "{out}", "--hop", "-1"], "-1"),
    (["analyze", "{in}", "-o", "{out}", "--top-k", "0"], "top-k is 0"),
    (["analyze", "{in}", "-o", "{out}", "--workers", "0"], "workers is 0"),
    (["analyze", "{in}", "-o", "{out}", "--threads", "-1"], "-1"),
    (["analyze", "{in}", "-o", "{in}/a.wav"], "is a file; a folder"),
    (["analyze", "{in}", "-o", "/proc/nowhere"], "no results can be written there"),
    (["analyze", "{in}/none", "-o", "{out}"], "no such file or folder"),
    (["analyze", "{empty}", "-o", "{out}"], "no audio file in"),
    (["analyze", "{in}", "-o", "{out}", "--model", "no-such-model"], "no-such-model"),
    (["analyze", "{in}", "-o", "{out}", "--model", "{in}/a.wav"], "a.wav"),
    (["info", "no-such-model"], "no-such-model"),
    (["convert", "{in}/a.wav"], "1 file names found; wanted: SRC and DST"),
    (["convert", "a", "b", "--random-weights", "tiny"], "wanted: DST alone"),
    (["convert", "{out}.onnx", "--random-weights", "tiny", "--labels", "x"], "--labels has no use"),
    (["convert", "{in}/none.ckpt", "{out}.onnx"], "none.ckpt"),
    (["convert", "{in}/a.wav", "{out}.onnx"], "a.wav"),
    ([], "COMMAND"),
    (["dance"], "dance"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_bad_usage_gives_exit_code_2_and_says_why(tmp_path, arguments, message, capfd):
    places = {"in": tmp_path / "in", "out": tmp_path / "out", "empty": tmp_path / "empty"}
    places["empty"].mkdir()
    write_audio(places["in"] / "a.wav", 0.2)
    try:
        code = main([argument.format(**places) for argument in arguments])
    except SystemExit as stop:  # as argparse ends
        code = stop.code
    captured = capfd.readouterr()
    assert code == 2
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out" / "summary.json").exists()
    assert not (tmp_path / "out.onnx").exists()


def test_help_and_version_need_nothing_heavy():
    program = (
        "import sys\n"
        "from essentia_maest.commands.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'essentia', 'onnx', 'onnxruntime', 'pebble', 'rich', 'soundfile', 'torch'}\n"
        "    print(sorted(heavy & set(sys.modules)))"
    )
    for arguments in (["--help"], ["analyze", "--help"], ["convert", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.endswith("\n[]\n")
        assert done.stderr == ""
    assert done.stdout.startswith(f"maest {version('essentia-maest')}\n")


def test_info(model_file, capsys):
    assert main(["info", str(model_file), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    with pytest.warns(UntrainedModelWarning):
        model = Model(model_file)
    assert described["name"] == model.name
    assert described["trained"] is False
    assert described["labels"] == len(model.labels)
    assert described["segment_seconds"] == model.segment_seconds
    assert described["hop_seconds"] == model.hop_seconds
    assert (described["depth"], described["dim"]) == (model.depth, model.dim)
    assert described["precision"] == "fp32"
    assert described["file_bytes"] == model_file.stat().st_size
    assert described["file_sha256"] == sha256_of(model_file)
    assert {"licence", "source", "source_sha256"} <= set(described)

    assert main(["info", str(model_file)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^trained +NO \(random weights\)$", shown, re.MULTILINE)
    assert re.search(rf"^file sha256 +{described['file_sha256']}$", shown, re.MULTILINE)


def test_models_lists_what_is_shipped(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_models())
    assert sum("(default)" in line for line in lines) == 1


def test_convert_makes_int8(tmp_path, model_file):
    path = tmp_path / "small.onnx"
    assert main(["convert", "--random-weights", "tiny", "--precision", "int8", str(path)]) == 0
    with pytest.warns(UntrainedModelWarning):
        assert Model(path).precision == "int8"
    assert path.stat().st_size < 0.6 * model_file.stat().st_size


def test_convert_tells_what_int8_changes(tmp_path, capsys):
    torch.save(small_maest().state_dict(), tmp_path / "a.pt")
    music = tmp_path / "music.flac"
    write_audio(music, 25.0, 16000, 1)
    command = ["convert", str(tmp_path / "a.pt"), str(tmp_path / "a.onnx"), "--precision", "int8"]
    assert main([*command, "--sample", str(music), "--sample", str(music)]) == 0
    told = capsys.readouterr().err
    assert re.search(
        r"int8 against fp32 on \d+ segments of 2 audio file\(s\): cosine .* 0\.99", told
    )
    assert (tmp_path / "a.onnx").exists()
    assert main([*command, "--lowest-cosine", "1"]) == 2
    assert "Nothing was written" in capsys.readouterr().err
    assert main([*command[:-2], "--sample", str(music)]) == 2
    assert "--sample and --lowest-cosine are for --precision int8" in capsys.readouterr().err


def test_reader_that_goes_away(model_file):
    program = [*MAEST, "info", str(model_file)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(60) == 1


@pytest.mark.slow
def test_a_script_that_runs_the_command_needs_no_guard(tmp_path: Path) -> None:
    write_audio(tmp_path / "music" / "a.wav")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom essentia_maest.commands.cli import main\nsys.exit(main())\n"
    )
    command = [sys.executable, script, "analyze", tmp_path / "music", "-o", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_strict_runs_fail_for_what_is_cut_short(tmp_path, model_file, capfd) -> None:
    path = write_audio(tmp_path / "music" / "a.wav", 3.0)
    os.truncate(path, path.stat().st_size // 2)
    (tmp_path / "music" / "b.mid").touch()
    command = ["analyze", str(tmp_path / "music"), "-o", str(tmp_path / "out"), *FILES]
    command += ["--model", str(model_file)]
    assert main(command) == 0
    told = capfd.readouterr().err
    assert re.search(r"1 truncated.* \(named in summary\.json\)", told)
    assert "warning: files left out, which no decoder here reads: 1 .mid" in told
    written = json.loads((tmp_path / "out" / "a.wav.json").read_text())
    assert written["flags"]["truncated"] == {"found": 1.5, "promised": 3.0}
    assert main([*command, "--strict"]) == 1
    assert re.search(
        r"^failed: .*a\.wav: truncated: 1\.5 s of 3 s found", capfd.readouterr().err, re.M
    )


@pytest.mark.slow
def test_no_folder_for_temporary_files_is_needed(tmp_path, model_file) -> None:
    """Nor any other than that of the results, though a worker crashes."""
    write_audio(tmp_path / "music" / "a.flac", 3.0)
    write_audio(tmp_path / "music" / "b.mp3", 3.0)
    environment = {**os.environ, "TMPDIR": str(tmp_path / "none"), "HOME": "/nowhere"}
    done = maest(
        *("analyze", tmp_path / "music", "-o", tmp_path / "out", "--model", model_file),
        env=environment,
    )
    assert done.returncode == 0, done.stderr
