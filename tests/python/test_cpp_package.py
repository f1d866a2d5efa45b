"""Installs the C++ package, builds the example project against it and runs its programs."""

import subprocess
from pathlib import Path

import cmeel
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from essentia import _essentia

import essentia_maest as maest
from builds import ROOT, configure, program, run
from essentia_maest.ort_library import find_library
from head_fixtures import write_linear_head
from untrained import UNTRAINED

pytestmark = pytest.mark.slow  # builds C++

Array = npt.NDArray[np.float32]


def header_folders(build: Path) -> str:
    """Where building the plugin has put Essentia's headers, and Eigen's."""
    (essentia,) = build.glob("essentia/*/src/essentia")
    folders = [
        essentia,
        *(essentia / name for name in ("scheduler", "streaming", "utils")),
        essentia.parent / "3rdparty",
        build / "essentia" / "generated",
        Path(cmeel.__file__).parents[1] / "cmeel.prefix/include/eigen3",
    ]
    return ";".join(map(str, folders))


@pytest.fixture(scope="module")
def prefix_and_programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("cpp_package")
    build, prefix, programs = folder / "build", folder / "prefix", folder / "programs"
    run(configure(ROOT, build, MAEST_BUILD_ESSENTIA_PLUGIN="ON"), folder)
    run([program("cmake"), "--build", str(build)], folder)
    run(
        [program("cmake"), "--install", str(build), "--prefix", str(prefix), "--component", "cpp"],
        folder,
    )

    settings = {
        "CMAKE_PREFIX_PATH": prefix,
        "ESSENTIA_LIBRARY": _essentia.__file__,
        "ESSENTIA_INCLUDE_DIRS": header_folders(build),
    }
    run(configure(ROOT / "cpp/examples", programs, **settings), folder)
    run([program("cmake"), "--build", str(programs)], folder)
    return prefix, programs


@pytest.fixture(scope="module")
def programs(prefix_and_programs: tuple[Path, Path]) -> Path:
    return prefix_and_programs[1]


@pytest.fixture(scope="module")
def audio() -> Array:
    """Two segments and a tail."""
    samples = np.arange(25 * 16000)
    noise = np.random.default_rng(7).standard_normal(samples.size)
    return (0.1 * noise + 0.3 * np.sin(0.2 * samples)).astype(np.float32)


def read_lines(text: str) -> dict[str, Array]:
    """Read what the programs print: name, segment, values."""
    found: dict[str, list[list[float]]] = {}
    for line in text.splitlines():
        name, segment, *values = line.split()
        assert int(segment) == len(found.setdefault(name, []))
        found[name].append([float(value) for value in values])
    return {name: np.array(rows, np.float32) for name, rows in found.items()}


def test_core_example_gives_what_the_package_gives(
    programs: Path, audio: Array, tmp_path: Path
) -> None:
    audio.tofile(tmp_path / "audio.f32")
    command = [str(programs / "core_example"), str(UNTRAINED), str(find_library())]
    found = read_lines(run([*command, "audio.f32"], tmp_path))
    model = maest.Model(UNTRAINED)
    np.testing.assert_array_equal(found["activations"], model.predict(audio, tail="repeat"))
    np.testing.assert_array_equal(found["embeddings"], model.embed(audio, tail="repeat"))
    assert len(found["embeddings"]) == 3


def test_head_example_gives_what_head_gives(programs: Path, audio: Array, tmp_path: Path) -> None:
    audio.tofile(tmp_path / "audio.f32")
    embeddings = maest.Model(UNTRAINED).embed(audio)
    head = write_linear_head(tmp_path / "head.onnx", embeddings.shape[1])
    command = [str(programs / "head_example"), str(UNTRAINED), "head.onnx", str(find_library())]
    lines = [line.split("\t") for line in run([*command, "audio.f32"], tmp_path).splitlines()]
    assert tuple(name for name, _ in lines) == head.labels
    found = np.array([values.split() for _, values in lines], np.float32).T
    np.testing.assert_array_equal(found, head.predict(embeddings))


def test_essentia_example_gives_what_the_package_gives(
    programs: Path, audio: Array, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "audio.wav", audio, 16000, subtype="FLOAT")
    command = [str(programs / "essentia_example"), str(UNTRAINED), str(find_library())]
    found = read_lines(run([*command, "audio.wav"], tmp_path))
    wanted = maest.Model(UNTRAINED).embed(audio, tail="repeat")
    assert wanted.shape == (3, 3 * 64)
    np.testing.assert_array_equal(found["standard"], wanted)
    np.testing.assert_array_equal(found["streaming"], wanted)


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        ("core_example", ["missing.onnx", "{onnxruntime}"], "missing.onnx"),
        ("core_example", ["{model}", "nowhere/libonnxruntime.so"], "nowhere/libonnxruntime.so"),
        ("essentia_example", ["missing.onnx", "{onnxruntime}", "audio.wav"], "missing.onnx"),
        ("essentia_example", ["{model}", "nowhere.so", "audio.wav"], "nowhere.so"),
    ],
)
def test_examples_say_what_is_missing(
    programs: Path,
    audio: Array,
    tmp_path: Path,
    *,
    program: str,
    arguments: list[str],
    message: str,
) -> None:
    soundfile.write(tmp_path / "audio.wav", audio, 16000)
    names = {"model": UNTRAINED, "onnxruntime": find_library()}
    command = [str(programs / program), *(each.format(**names) for each in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr


def test_installed_headers_are_the_public_ones_and_stand_alone(
    prefix_and_programs: tuple[Path, Path], tmp_path: Path
) -> None:
    include = prefix_and_programs[0] / "include"
    headers = sorted(path.name for path in (include / "essentia_maest").iterdir())
    assert "ort_library.h" in headers
    assert "ort_api.h" not in headers  # ONNX Runtime's own table
    for name in headers:
        (tmp_path / f"{name}.cpp").write_text(f"#include <essentia_maest/{name}>\n")
    sources = [str(path) for path in sorted(tmp_path.glob("*.cpp"))]
    run(["c++", "-std=c++17", "-fsyntax-only", f"-I{include}", *sources], tmp_path)


def test_package_refuses_what_it_lacks(
    prefix_and_programs: tuple[Path, Path], tmp_path: Path
) -> None:
    """A version that is not there, and components by name."""
    project = tmp_path / "CMakeLists.txt"
    head = "cmake_minimum_required(VERSION 3.24)\nproject(consumer LANGUAGES CXX)\n"
    command = configure(tmp_path, tmp_path / "build", CMAKE_PREFIX_PATH=prefix_and_programs[0])

    project.write_text(
        f"{head}find_package(essentia_maest COMPONENTS core essentia_plugin REQUIRED)"
    )
    run(command, tmp_path)
    for wanted, message in [
        ("99.0", 'compatible with requested version "99.0"'),
        ("COMPONENTS tensorflow", "it has no component 'tensorflow'; there are core and"),
    ]:
        project.write_text(f"{head}find_package(essentia_maest {wanted} REQUIRED)")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert message in " ".join(done.stderr.split())
