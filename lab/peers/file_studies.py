"""Studies of sound: its front end, and whole files."""

from __future__ import annotations

from dataclasses import replace

from lab.peers.definitions import Case, Mark, Peer, Study
from lab.peers.plan import FASTEST, WHOLE, Plan
from lab.peers.sizes import BLOCK

_MEL_MARK = 30.0
_LONG_ROUNDS = 3


def mel_study(plan: Plan, threads: int) -> Study:
    """Measure front ends: one segment's samples to its mel spectrogram."""
    options = {"audio": "{sound}/audio.npy"}
    case = Case("mel", {"streaming": False}, plan.size.minutes, shape=(plan.size.frames, 96))
    streaming = Case("mel", {"streaming": True}, plan.size.minutes, shape=(plan.size.frames, 96))
    peers = (
        Peer("Essentia, frame by frame", "mel_essentia", (case,), options, material=("sound",)),
        Peer("Essentia, streaming", "mel_essentia", (streaming,), options, material=("sound",)),
        Peer("torch, as torchaudio", "mel_torch", (case,), options, material=("sound",)),
        Peer("librosa", "mel_librosa", (case,), options, "librosa", ("sound",)),
        Peer("ours", "mel_ours", (case,), options, material=("sound",)),
    )
    reference = ("Essentia, frame by frame", "mel")
    mark = Mark("against Essentia's frame loop", ("ours", "mel"), reference, _MEL_MARK)
    return Study(
        f"mel-{threads}",
        f"{plan.size.seconds} s to mel spectrogram",
        peers,
        threads,
        reference,
        (mark,),
        alike="Essentia, frame by frame",
    )


def pipeline_study(plan: Plan, threads: int, patchout: str) -> Study:
    """Measure mp3 files to embeddings, beside what decoding and the model take alone."""
    count = plan.few_tracks if patchout == WHOLE else plan.many_tracks
    cases = (
        Case(
            "files",
            {"files": "few-*.mp3" if patchout == WHOLE else "many-*.mp3"},
            count * plan.track_seconds / 60,
        ),
    )
    tracks = {"tracks": "{tracks}", "patchout": patchout}
    ours = {**tracks, "model": "{engine}/int8.onnx"}
    of_ours, of_torch = ("tracks", "engine"), ("tracks", "reference")
    torch = {**tracks, "weights": "{reference}/weights.ckpt", "size": plan.size.as_json()}
    names = "torch fp32", "ours int8", "our model alone", "decoding alone"
    script, whole, model, decoding = ((name, "files") for name in names)
    peers = [
        Peer(script[0], "collection_torch", cases, torch, material=of_torch),
        Peer(whole[0], "collection", cases, ours, material=of_ours),
        Peer(model[0], "embedding", cases, ours, material=of_ours),
        Peer(decoding[0], "decoding", cases, tracks, material=("tracks",)),
    ]
    marks = [
        Mark("share of what decoding and model alone allow", whole, model, 0.9, after=decoding)
    ]
    if threads > 1:
        one = ("ours int8, one CPU", "files")
        peers.append(Peer(one[0], "collection", cases, ours, material=of_ours, threads=1))
        marks.append(Mark(f"{threads} CPUs against one", whole, one, 0.95 * threads))
    if patchout == WHOLE:
        tensorflow = {
            **tracks,
            "graph": "{tensorflow_graph}/maest.pb",
            "frames": plan.size.frames,
            "block": BLOCK,
        }
        peers.append(
            Peer(
                "MonoLoader, TensorflowPredictMAEST",
                "collection_tensorflow",
                cases,
                tensorflow,
                "essentia-tensorflow",
                ("tracks", "tensorflow_graph"),
            )
        )
    return Study(
        f"pipeline-{patchout}-{threads}",
        f"{count} mp3 files of {plan.track_seconds:g} s to embeddings, {patchout}",
        tuple(peers),
        threads,
        script,
        tuple(replace(mark, what=f"{patchout}, files: {mark.what}") for mark in marks),
        most_rounds=_LONG_ROUNDS,
    )


def duration_study(plan: Plan, threads: int) -> Study:
    """Measure one file, ever longer: whether cost is linear and memory flat."""
    cases = tuple(
        Case(f"{minutes:g} min", {"files": f"minutes-{minutes:g}.flac"}, minutes)
        for minutes in plan.durations
    )
    peers = tuple(
        Peer(
            f"ours int8, {patchout}",
            "collection",
            cases,
            {
                "tracks": "{tracks}",
                "patchout": patchout,
                "model": "{engine}/int8.onnx",
                "alone": True,
            },
            material=("tracks", "engine"),
        )
        for patchout in (FASTEST,)
    )
    return Study(
        f"duration-{threads}",
        "one FLAC file to embeddings, by its length",
        peers,
        threads,
        (peers[0].name, cases[0].name),
        most_rounds=_LONG_ROUNDS,
    )
