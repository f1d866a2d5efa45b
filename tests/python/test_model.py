"""Model and Stream on an untrained model: shapes, tails, options, sharing, errors."""

import gc
import signal
import threading
import weakref

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import mono_music as music
from untrained import UNTRAINED

RATE = 16000
SEGMENT = 626  # frames, 10 s
HOP = 625


def samples_of(frames: int) -> int:
    """How many samples have this many frames."""
    return (frames - 1) * 256


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED)


def test_attributes(model: maest.Model) -> None:
    assert model.segment_seconds == SEGMENT * 256 / RATE
    assert model.hop_seconds == 10.0
    assert model.grid == (9, 62)
    assert model.depth == 12
    assert len(model.labels) == len(set(model.labels)) == 400
    assert model.info["classes"] == list(model.labels)
    assert model.info["inference"]["sample_rate"] == RATE
    assert model.name in repr(model)
    one, two = (maest.Model(UNTRAINED, num_threads=count) for count in (1, 2))
    assert 1 <= one.num_threads < 2 <= two.num_threads


def test_untrained_model_says_so() -> None:
    with pytest.warns(maest.UntrainedModelWarning, match="random weights"):
        model = maest.Model(UNTRAINED)
    assert not model.trained
    assert "untrained" in model.name


def test_shapes(model: maest.Model) -> None:
    audio = music(20 * RATE)
    activations = model.predict(audio)
    assert activations.shape == (2, 400)
    assert activations.dtype == np.float32
    assert 0 < activations.min() < activations.max() < 1
    assert model.embed(audio).shape == (2, 3 * model.dim)
    assert model.embed(audio, tokens=["avg"]).shape == (2, model.dim)
    assert model.tokens(audio, block=3).shape == (2, 2 + 9 * 62, model.dim)
    assert model.tokens(audio, block=3, patchout="F4T10").shape == (2, 2 + 5 * 7, model.dim)


def test_embeddings_are_stacked_tokens(model: maest.Model) -> None:
    audio = music(11 * RATE)
    for patchout in ("F0T0", "F3T2", maest.Patchout([0, 5], 3)):
        tokens = model.tokens(audio, block=7, patchout=patchout)[0]
        average = tokens[2:].mean(axis=0, dtype=np.float64)
        found = model.embed(audio, tokens=("avg", "cls", "dist"), patchout=patchout)[0]
        np.testing.assert_allclose(
            found, np.concatenate([average, tokens[0], tokens[1]]), rtol=1e-6, atol=1e-6
        )


def test_one_pass_gives_both(model: maest.Model) -> None:
    audio = music(25 * RATE)
    predictions, embeddings = model.analyze(audio, block=5, tail="repeat")
    np.testing.assert_array_equal(predictions, model.predict(audio, tail="repeat"))
    np.testing.assert_array_equal(embeddings, model.embed(audio, block=5, tail="repeat"))


def test_segments_are_independent(model: maest.Model) -> None:
    audio = music(samples_of(SEGMENT + 2 * HOP))
    whole = model.embed(audio, patchout="F3T5")
    assert len(whole) == 3
    mel = maest.mel_spectrogram(audio)
    # A segment cut out of the audio differs at its edges only by the frames that reach outside.
    alone = model.embed(audio[HOP * 256 :], patchout="F3T5")
    assert len(alone) == 2
    np.testing.assert_array_equal(mel[HOP + 1 :], maest.mel_spectrogram(audio[HOP * 256 :])[1:])
    np.testing.assert_allclose(alone[1], whole[2], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("frames", "tail", "segments"),
    [
        (SEGMENT, "discard", 1),
        (SEGMENT + HOP - 1, "discard", 1),
        (SEGMENT + HOP, "discard", 2),
        (SEGMENT, "repeat", 1),  # one frame after the hop, already heard: no new patch
        (SEGMENT + 14, "repeat", 1),
        (SEGMENT + 15, "repeat", 2),
        (SEGMENT + HOP - 1, "repeat", 2),
        (2, "repeat", 1),
        (SEGMENT, "pad", 1),  # no patch fits into one frame
        (SEGMENT + 14, "pad", 1),
        (SEGMENT + 15, "pad", 2),
        (16, "pad", 1),
    ],
)
def test_tails(model: maest.Model, frames: int, tail: str, segments: int) -> None:
    audio = music(samples_of(frames))
    assert len(model.embed(audio, tail=tail, patchout="F4T10")) == segments


@pytest.mark.parametrize("hop_frames", [100, 313, 610, 616, 625, 626, 700, 1300])
def test_a_tail_is_a_segment_if_it_has_a_patch_that_no_other_has(
    model: maest.Model, hop_frames: int
) -> None:
    for frames in range(SEGMENT, SEGMENT + 2 * hop_frames, max(23, hop_frames // 12)):
        starts = range(0, frames - SEGMENT + 1, hop_frames)
        heard = max(starts) + SEGMENT
        tail = max(starts) + hop_frames
        ends = [tail + 10 * column + 16 for column in range(62)]
        wanted = len(starts) + any(heard < end <= frames for end in ends)
        for policy in ("repeat", "pad"):
            options = {"hop": hop_frames * 256 / RATE, "tail": policy, "patchout": "F4T10"}
            found = model.embed(music(samples_of(frames)), block=1, **options)
            assert len(found) == wanted, (frames, policy)


def test_by_default_nothing_that_was_heard_is_dropped(model: maest.Model) -> None:
    """Half a minute has three segments of 10 s, the last one short of a few frames."""
    audio = music(30 * RATE - 5000)
    assert len(model.predict(audio)) == len(model.predict(audio, tail="repeat")) == 3
    assert len(model.predict(audio, tail="discard")) == 2


def test_repeat_fills_with_the_tail_itself(model: maest.Model) -> None:
    audio = music(3 * RATE)
    mel = maest.mel_spectrogram(audio)
    repeated = mel[np.arange(SEGMENT) % len(mel)]
    np.testing.assert_allclose(
        model.tokens(audio, block=1, tail="repeat")[0],
        tokens_of_frames(model, repeated, np.arange(9 * 62)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_pad_computes_only_patches_that_exist(model: maest.Model) -> None:
    audio = music(3 * RATE)
    mel = maest.mel_spectrogram(audio)
    columns = (len(mel) - 16) // 10 + 1
    kept = (np.arange(9)[:, None] * 62 + np.arange(columns)).ravel()
    found = model.tokens(audio, block=1, tail="pad")
    assert found.shape == (1, 2 + 9 * columns, model.dim)
    np.testing.assert_allclose(found[0], tokens_of_frames(model, mel, kept), rtol=1e-5, atol=1e-5)


def tokens_of_frames(model: maest.Model, mel: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Block 1 of the same file, fed by hand through onnxruntime's own Python."""
    import onnxruntime as ort

    x = (mel - 2.06755686098554) / (2 * 1.268292820667291)
    patches = np.stack(
        [
            x[c * 10 : c * 10 + 16, r * 10 : r * 10 + 16].ravel()
            for r, c in np.stack(divmod(kept, 62), axis=1)
        ]
    )
    session = ort.InferenceSession(model.path, providers=["CPUExecutionProvider"])
    feeds = {
        "patches": patches[None].astype(np.float32),
        "kept": kept.astype(np.int64),
        "depth": np.array(1),
        "tap": np.array(1),
    }
    return session.run(["tokens"], feeds)[0][0]


def test_short_audio_is_explained(model: maest.Model) -> None:
    with pytest.raises(maest.InvalidArgumentError, match="too short.*48000 samples.*'repeat'"):
        model.predict(music(3 * RATE), tail="discard")
    with pytest.raises(maest.InvalidArgumentError, match="patch of 16 frames.*'repeat'"):
        model.predict(music(1000), tail="pad")
    for tail in ("discard", "repeat", "pad"):
        with pytest.raises(maest.InvalidArgumentError, match="empty"):
            model.predict(np.zeros(0, np.float32), tail=tail)
    assert model.predict(music(1), tail="repeat").shape == (1, 400)


def test_hops(model: maest.Model) -> None:
    audio = music(30 * RATE)
    half = model.embed(audio, hop=5.0, patchout="F3T5")
    whole = model.embed(audio, patchout="F3T5")
    # 5 s are 312.5 frames, rounded to 313; the last half segment is short of two frames.
    assert (len(whole), len(half)) == (3, 5)
    sparse = model.embed(audio, hop=20.0, patchout="F3T5")
    np.testing.assert_array_equal(sparse, whole[::2])


@pytest.mark.parametrize("tail", ["discard", "repeat", "pad"])
@pytest.mark.parametrize("chunk", [1013, 256, 4 * RATE, 31 * RATE])
def test_streams_give_what_one_call_gives(model: maest.Model, tail: str, chunk: int) -> None:
    audio = music(33 * RATE + 7)
    for output, call in (("embed", model.embed), ("predict", model.predict)):
        options = {"tail": tail, "patchout": "F4T5", "hop": 7.0}
        stream = model.stream(output, **options)
        for _ in range(2):
            pieces = [stream.push(audio[i : i + chunk]) for i in range(0, len(audio), chunk)]
            pieces.append(stream.finish())
            np.testing.assert_array_equal(np.concatenate(pieces), call(audio, **options))
            stream.reset()


def test_a_segment_leaves_with_its_last_sample(model: maest.Model) -> None:
    stream = model.stream("embed", patchout="F4T10")
    needed = (SEGMENT - 1) * 256 + 256  # the last frame reaches 256 samples past its centre
    audio = music(needed)
    assert len(stream.push(audio[: needed - 1])) == 0
    assert len(stream.push(audio[needed - 1 :])) == 1


def test_a_finished_stream(model: maest.Model) -> None:
    stream = model.stream("embed", tail="repeat")
    stream.push(music(100))
    stream.finish()
    for call in (stream.finish, lambda: stream.push(music(100))):
        with pytest.raises(maest.InvalidArgumentError, match="reset"):
            call()
    stream.reset()
    with pytest.raises(maest.InvalidArgumentError, match="empty"):
        stream.finish()


def test_threads_share_one_model(model: maest.Model) -> None:
    signals = [music(15 * RATE, seed) for seed in range(8)]
    wanted = [model.embed(signal, tail="repeat") for signal in signals]
    found: list[np.ndarray | None] = [None] * 8
    start = threading.Barrier(8)

    def work(i: int) -> None:
        start.wait()
        for _ in range(3):
            found[i] = model.embed(signals[i], tail="repeat")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_threads_and_batches_change_nothing() -> None:
    audio = music(35 * RATE)
    wanted = maest.Model(UNTRAINED, num_threads=1).embed(audio, tail="repeat")
    for threads, batch in ((1, 3), (2, 1), (2, None), (3, 2)):
        model = maest.Model(UNTRAINED, num_threads=threads)
        found = model.embed(audio, tail="repeat", batch_size=batch)
        np.testing.assert_array_equal(found, wanted)


def test_the_interpreter_lock_is_released(model: maest.Model) -> None:
    audio = music(60 * RATE)
    ticks = 0
    done = threading.Event()

    def compute() -> None:
        model.embed(audio)
        done.set()

    thread = threading.Thread(target=compute)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks > 5


def test_a_long_call_can_be_interrupted(model: maest.Model) -> None:
    audio = music(10 * 60 * RATE)
    timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.embed(audio, hop=0.1)  # minutes, if nothing stops it
    timer.join()
    assert len(model.embed(audio[: 10 * RATE])) == 1


def test_results_outlive_the_model() -> None:
    model = maest.Model(UNTRAINED)
    reference = weakref.ref(model)
    embeddings = model.embed(music(11 * RATE))
    copy = embeddings.copy()
    del model
    gc.collect()
    assert reference() is None
    np.testing.assert_array_equal(embeddings, copy)


BAD_OPTIONS = [
    ({"patchout": "F9T1"}, "'F9T1' does not exist"),
    ({"patchout": "F0T63"}, "62"),
    ({"patchout": 5}, "int"),
    ({"patchout": maest.Patchout([9])}, "rows 0 to 8"),
    ({"patchout": maest.Patchout([])}, "at least one"),
    ({"patchout": maest.Patchout([1], 0)}, "one of every 0"),
    ({"tail": "keep"}, "'keep'.*'discard', 'repeat' or 'pad'"),
    ({"hop": 0}, "more than 0"),
    ({"hop": -3}, "more than 0"),
    ({"hop": float("nan")}, "more than 0"),
    ({"hop": float("inf")}, "inf"),
    ({"hop": 0.001}, "one frame"),
    ({"batch_size": 0}, "batch_size"),
    ({"block": 13}, "blocks 1 to 12"),
    ({"block": 0}, "block is 0"),
    ({"tokens": ["cls", "mean"]}, "'mean'"),
    ({"tokens": []}, "no token"),
    ({"tokens": "cls"}, "a sequence is wanted"),
]


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS)
def test_options_that_do_not_exist(model: maest.Model, options: dict, words: str) -> None:
    with pytest.raises(maest.InvalidArgumentError, match=words):
        model.embed(music(11 * RATE), **options)


def test_other_bad_arguments(model: maest.Model) -> None:
    with pytest.raises(maest.InvalidArgumentError, match="'tokens'"):
        model.stream("tokens")
    with pytest.raises(maest.InvalidArgumentError, match="-1"):
        maest.Model(UNTRAINED, num_threads=-1)
    with pytest.raises(maest.InvalidArgumentError, match="do not stack"):
        model.tokens(music(15 * RATE), block=1, tail="pad")
    audio = music(11 * RATE)
    audio[5] = np.inf
    with pytest.raises(maest.InvalidArgumentError, match="sample 5 "):
        model.predict(audio)
