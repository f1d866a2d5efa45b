"""What is asked of the engine, what it comes to, and the constants that it tells."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from checkpoint_files import CLASSES, FRAMES, export_official
from essentia_maest import _core
from essentia_maest.ort_library import use_library
from untrained import UNTRAINED

KIND = _core.OutputKind
FRAME = Fraction(256, 16000)


def open_engine(path: Path, threads: int = 1) -> _core.Extractor:
    use_library()
    return _core.Extractor(str(path).encode(), threads)


@pytest.fixture(scope="module")
def engine() -> _core.Extractor:
    return open_engine(UNTRAINED)


@pytest.fixture(scope="module")
def activations_only(tmp_path_factory: pytest.TempPathFactory) -> _core.Extractor:
    """A file like the official ones that give activations and nothing else."""
    path = tmp_path_factory.mktemp("official") / "activations.onnx"
    model = export_official(path)
    kept = [output for output in model.graph.output if output.name == "activations"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, path)
    return open_engine(path)


def test_a_request_can_be_read() -> None:
    request = _core.Request(
        outputs=[KIND.embeddings, KIND.activations],
        block=3,
        tokens=("avg", "cls", "cls"),
        patchout="F3T05",
        hop=1.4,
        tail="pad",
        batch_size=np.int64(5),
    )
    assert request.outputs == (KIND.embeddings, KIND.activations)
    assert (request.block, request.tokens) == (3, ("avg", "cls", "cls"))
    assert (request.patchout, request.hop) == ("F3T5", 1.4)
    assert (request.tail, request.batch_size) == ("pad", 5)
    assert _core.Request(patchout=([2, 5], 3)).patchout == ((2, 5), 3)
    assert _core.Request(patchout="F0T1").patchout == "F0T0"


def test_defaults_are_the_engines() -> None:
    request = _core.Request()
    assert request.outputs == (KIND.activations,)
    assert (request.block, request.tokens) == (7, ("cls", "dist", "avg"))
    assert (request.patchout, request.tail) == ("F0T0", "repeat")
    assert request.hop is request.batch_size is None


@pytest.mark.parametrize(
    "blocks",
    [range(3, 5), [3, 4], (np.int64(3), 4), np.arange(3, 5)],
    ids=lambda one: str(type(one)),
)
def test_several_blocks_come_in_any_sequence(engine: _core.Extractor, blocks: object) -> None:
    request = maest.Request(("embeddings",), block=blocks)  # type: ignore[arg-type]
    assert request.block == (3, 4)
    assert request == maest.Request(("embeddings",), block=(3, 4))
    assert engine.plan(request.for_engine()).depth == 4


@pytest.mark.parametrize("block", [(5,), range(5, 6), np.array(5), np.int32(5), 5])
def test_one_block_is_a_number(block: object) -> None:
    assert maest.Request(("embeddings",), block=block).block == 5  # type: ignore[arg-type]


@pytest.mark.parametrize("block", ["7", b"7", [1.5], np.array([1.5]), (), "", {7}, [[1, 2]]])
def test_what_is_no_block_is_refused(block: object) -> None:
    with pytest.raises(maest.InvalidArgumentError, match="block"):
        maest.Request(("embeddings",), block=block)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"block": 1.5}, r"block is 1\.5; a whole number"),
        ({"block": 1 << 40}, "block is 1099511627776"),
        ({"tokens": "cls"}, "tokens is 'cls'; a sequence"),
        ({"tokens": 7}, "tokens is 7; a sequence"),
        ({"tokens": [1]}, "token 1 is no name"),
        ({"tokens": ["mean"]}, "'mean' does not exist"),
        ({"patchout": None, "hop": "a"}, "hop is 'a'; a number"),
        ({"patchout": ([], 2)}, "keeps no patch row"),
        ({"patchout": ([0.5], 2)}, "a patch row is 0.5"),
        ({"patchout": (3, 2)}, r"patchout is \(3, 2\)"),
        ({"patchout": 5}, "patchout is 5"),
        ({"hop": 0}, "more than 0"),
        ({"hop": float("nan")}, "more than 0"),
        ({"tail": "keep"}, "'keep' does not exist; wanted is 'discard', 'repeat' or 'pad'"),
        ({"batch_size": 0}, "batch_size is 0; 1 or more"),
    ],
)
def test_what_cannot_be_asked(options: dict, words: str) -> None:
    with pytest.raises(maest.InvalidArgumentError, match=words):
        _core.Request(**options)


def test_a_plan_says_what_a_request_comes_to(engine: _core.Extractor) -> None:
    request = _core.Request(
        outputs=[KIND.tokens, KIND.embeddings, KIND.activations, KIND.logits],
        block=5,
        tokens=["cls", "cls"],
        patchout="F3T5",
        hop=5.0,
        batch_size=3,
    )
    plan = engine.plan(request)
    info = engine.info
    assert plan.request.patchout == "F3T5"
    assert (plan.segment_frames, plan.hop_frames) == (626, 313)
    assert plan.segment_seconds == float(626 * FRAME)
    assert plan.hop_seconds == float(313 * FRAME)
    assert plan.depth == info.depth  # the activations need all of them
    assert plan.batch_size == 3
    assert plan.kept_rows == tuple(range(1, 7))  # without the first and the last two of 9
    assert plan.kept_columns == tuple(range(0, 62, 5))
    assert plan.kept_patches == 6 * 13
    assert plan.output_shapes == (
        (2 + 6 * 13, info.dim),
        (2 * info.dim,),
        (info.classes,),
        (info.classes,),
    )
    audio = np.zeros(20 * 16000, np.float32)
    outputs = _core.extract(engine, request, audio)
    assert tuple(output.shape[1:] for output in outputs) == plan.output_shapes
    assert engine.plan(_core.Request(outputs=[KIND.embeddings], block=5)).depth == 5
    assert engine.plan(_core.Request()).batch_size == engine.threads
    assert _core.Stream(engine, request).plan.hop_frames == 313


def test_a_plan_outlives_its_model() -> None:
    plan = open_engine(UNTRAINED).plan(_core.Request(patchout=([0, 8], 31)))
    assert (plan.kept_rows, plan.kept_columns) == ((0, 8), (0, 31))


def test_hops_are_whole_frames_told_by_the_engine(engine: _core.Extractor) -> None:
    for milliseconds in range(500, 30001):
        plan = engine.plan(_core.Request(hop=milliseconds / 1000))
        told = Fraction(plan.hop_seconds)
        assert plan.hop_seconds == float(plan.hop_frames * FRAME)
        assert abs(told - Fraction(milliseconds, 1000)) <= FRAME / 2 + Fraction(1, 10**9)


@pytest.mark.parametrize("hop", [1.4, 2.008, 3.0])  # 1.4 and 2.008 s end between two frames
@pytest.mark.parametrize("tail", ["discard", "repeat", "pad"])
def test_segments_start_where_the_plan_says(hop: float, tail: str) -> None:
    """The same segments come out of hops that are a multiple: from where they are told to start."""
    model = maest.Model(UNTRAINED, num_threads=1)
    engine = open_engine(UNTRAINED)
    audio = np.random.default_rng(0).standard_normal(27 * 16000 + 1234).astype(np.float32)
    plan = engine.plan(_core.Request(hop=hop, tail=tail))
    options = {"block": 1, "patchout": "F4T10", "tail": tail}
    found = model.embed(audio, hop=hop, **options)
    starts = plan.start_seconds(len(found))
    for index in (1, 3, len(found) - 1):
        second = model.embed(audio, hop=starts[index], **options)[1]
        np.testing.assert_array_equal(second, found[index])
    np.testing.assert_array_equal(plan.start_seconds(2, 5), plan.start_seconds(7)[5:])
    assert plan.start_seconds(0).shape == (0,)


def test_a_model_without_blocks_says_what_it_has(activations_only: _core.Extractor) -> None:
    assert activations_only.info.outputs == (KIND.activations,)
    words = "model 'essentia-official-onnx' has activations only; no blocks"
    for kind in (KIND.embeddings, KIND.tokens):
        with pytest.raises(maest.InvalidArgumentError, match=words):
            activations_only.plan(_core.Request(outputs=[kind]))
    with pytest.raises(maest.InvalidArgumentError, match="no output 'logits'; it has activations"):
        activations_only.plan(_core.Request(outputs=[KIND.logits]))
    plan = activations_only.plan(_core.Request())
    assert plan.output_shapes == ((CLASSES,),)
    assert plan.segment_frames == FRAMES


def test_a_model_tells_its_outputs(engine: _core.Extractor) -> None:
    assert engine.info.outputs == (KIND.activations, KIND.logits, KIND.embeddings, KIND.tokens)
    assert engine.info.segment_seconds == float(626 * FRAME)
    assert engine.info.hop_seconds == 10.0


@pytest.mark.parametrize("threads", [-1, 1025, 20000, 1 << 40, 1.5])
def test_numbers_of_threads_that_are_mistakes(threads: float) -> None:
    with pytest.raises(
        maest.InvalidArgumentError, match=r"num_threads is .*(1 to 1024|whole|range)"
    ):
        maest.Model(UNTRAINED, num_threads=threads)  # type: ignore[arg-type]


def test_numbers_of_segments_that_are_mistakes(engine: _core.Extractor) -> None:
    with pytest.raises(
        maest.InvalidArgumentError, match="batch_size is 20000; wanted is 1 to 1024"
    ):
        engine.plan(_core.Request(batch_size=20000))
    assert engine.plan(_core.Request(batch_size=_core.MOST_THREADS)).batch_size == 1024


def test_names_are_those_that_the_engine_reads() -> None:
    for tail in _core.TAILS:
        assert _core.Request(tail=tail).tail == tail
    assert _core.Request(tokens=_core.TOKENS).tokens == _core.TOKENS
    assert set(_core.TAILS) == {"discard", "repeat", "pad"}
    assert set(_core.TOKENS) == {"cls", "dist", "avg"}


def test_constants_are_those_of_the_paper() -> None:
    front_end = _core.front_end
    assert (front_end.sample_rate, front_end.frame_size, front_end.hop_size) == (16000, 512, 256)
    assert front_end.mel_bands == 96
    assert front_end.normalization_mean == pytest.approx(2.06755686098554)
    assert front_end.normalization_divisor == pytest.approx(2 * 1.268292820667291)
    assert (_core.patches.size, _core.patches.stride, _core.patches.rows) == (16, 10, 9)


def test_frames_and_patches_are_counted_as_the_engine_does() -> None:
    for samples in (0, 1, 255, 256, 257, 5000, 160000):
        audio = np.zeros(samples, np.float32)
        assert _core.front_end.frame_count(samples) == len(maest.mel_spectrogram(audio))
    assert _core.front_end.frames_to_seconds(625) == 10.0
    for columns in (1, 2, 62, 187):
        frames = _core.patches.segment_frames(columns)
        assert _core.patches.columns(frames) == _core.patches.columns(frames + 9) == columns
        assert _core.patches.columns(frames - 1) == columns - 1
    for frames in (5, 62, 63, 125, 626, 1876):
        seconds = frames * FRAME
        wanted = -(-(seconds // 1) // FRAME) if seconds >= 1 else frames
        assert _core.patches.own_hop_frames(frames) == wanted
