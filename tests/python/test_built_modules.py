"""What the compiled modules take from the process and give to it, however they were built.

CI runs this file as well on a package whose libstdc++ was linked statically.
"""

import re
from pathlib import Path

import essentia.standard
import essentia.streaming
import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

import essentia_maest as maest
from essentia_maest import _core
from untrained import UNTRAINED

MODULE = Path(_core.__file__)
PLUGIN = MODULE.with_name("_essentia_plugin.so")
PLUGIN_HEADER = Path(__file__).parents[2] / "cpp/essentia/plugin.h"

# Mangled: std::basic_ostream and its like, std::locale; Si, So, Sd are short for streams of char.
STREAMS = re.compile(r"basic_[a-z]*(stream|buf)I|basic_iosI|ios_base|St6locale|^_ZNK?S[iod]")
FILE_STREAMS = re.compile(r"basic_(i|if|of|f|io)(stream|buf)I|^_ZNK?S[id]|filebuf")
# C's functions that read and write numbers as the program's locale has them.
BY_LOCALE = re.compile(r"(scanf|printf(_chk)?|^(__)?strto(d|f|ld)(_l)?|^ato[fd]|locale(conv)?)$")


def symbols(path: Path, *, defined: bool) -> set[str]:
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        return {
            symbol.name
            for symbol in table.iter_symbols()
            if (symbol["st_shndx"] != "SHN_UNDEF") == defined
            and symbol["st_info"]["bind"] != "STB_LOCAL"
        }


def needed(path: Path) -> set[str]:
    with path.open("rb") as file:
        tags = ELFFile(file).get_section_by_name(".dynamic").iter_tags()
        return {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"}


def test_only_entry_points_are_exported() -> None:
    assert symbols(MODULE, defined=True) == {"PyInit__core"}
    declared = re.findall(r"\bessentia_maest_\w+(?=\()", PLUGIN_HEADER.read_text())
    assert "essentia_maest_register" in declared
    assert symbols(PLUGIN, defined=True) == set(declared)


def test_engine_uses_no_stream_and_no_locale() -> None:
    wanted = symbols(MODULE, defined=False)
    assert "PyModule_Create2" in wanted or "PyModuleDef_Init" in wanted  # names are read rightly
    assert [name for name in wanted if STREAMS.search(name)] == []
    if "libstdc++.so.6" in needed(MODULE):  # linked statically, it brings C's along
        assert [name for name in wanted if BY_LOCALE.search(name)] == []


def test_plugin_shares_the_libstdcxx_of_the_process() -> None:
    """Whatever the linker was told. Of streams, it has the texts of Essentia's exceptions only."""
    wanted = symbols(PLUGIN, defined=False)
    assert "libstdc++.so.6" in needed(PLUGIN)
    assert [name for name in wanted if FILE_STREAMS.search(name)] == []
    assert [name for name in wanted if BY_LOCALE.search(name)] == []


def test_default_model_runs() -> None:
    model = maest.Model("default")
    activations = model.predict(np.zeros(16000 * 11, np.float32))
    assert activations.shape[1] == len(model.labels)
    assert np.all((activations >= 0) & (activations <= 1))


def test_errors_of_the_engine_arrive_as_python_errors(tmp_path: Path) -> None:
    model = maest.Model(UNTRAINED)
    with pytest.raises(ValueError, match="block 99"):
        model.embed(np.zeros(16000 * 30, np.float32), block=99)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"\0" * 100)
    with pytest.raises(maest.ModelError, match=r"damaged\.onnx"):
        maest.Model(damaged)


def test_algorithms_run_in_both_modes_and_raise() -> None:
    audio = np.random.default_rng(3).standard_normal(16000 * 11).astype(np.float32)
    wanted = maest.Model(UNTRAINED).predict(audio, tail="repeat")
    settings = {"graphFilename": str(UNTRAINED), "lastPatchMode": "repeat"}

    standard = essentia.standard.OnnxPredictMAEST(**settings)
    np.testing.assert_array_equal(np.squeeze(standard(audio), (1, 2)), wanted)
    with pytest.raises(RuntimeError, match="patchout"):
        essentia.standard.OnnxPredictMAEST(**settings, patchout="nonsense")
    with pytest.raises(RuntimeError, match="no model is configured"):
        essentia.standard.OnnxPredictMAEST()(audio)

    source = essentia.streaming.VectorInput(audio)
    streaming = essentia.streaming.OnnxPredictMAEST(**settings)
    pool = essentia.Pool()
    source.data >> streaming.signal
    streaming.predictions >> (pool, "predictions")
    essentia.run(source)
    np.testing.assert_array_equal(np.reshape(pool["predictions"], wanted.shape), wanted)
