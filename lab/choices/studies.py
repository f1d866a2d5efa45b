"""What is compared with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.choices.variants import VARIANTS
from lab.peers.definitions import Case, Peer, Study
from lab.peers.sizes import BLOCK, Size

PATCHOUTS = ("F0T0", "F3T5")
TIMES = 6
"""How often the sound is repeated where segments share CPUs; divisible by 2 and 3 CPUs."""

_ENGINE = "lab.peers.programs.engine"
_SCHEDULING = "lab.choices.programs.scheduling"
_SESSION = "lab.choices.programs.session"
_FP32 = "fp32"
_WEIGHTS_ONCE = "session.use_device_allocator_for_initializers"
_SPINNING = "session.intra_op.allow_spinning"


@dataclass(frozen=True)
class Material:
    """Files that are measured.

    Attributes
    ----------
    fp32 : Path
        The model.
    variants : mapping of str to Path
        Quantised ones by their name, the one that ships first.
    audio : Path
        Samples (``.npy``).
    minutes : float
        Their length.
    size : Size
        Of the model.
    """

    fp32: Path
    variants: Mapping[str, Path]
    audio: Path
    minutes: float
    size: Size

    @property
    def shipped(self) -> Path:
        """The model as it is quantised for users."""
        return self.variants[VARIANTS[0].name]


def choice_studies(material: Material, threads: int) -> list[Study]:
    """Give the studies.

    Parameters
    ----------
    material : Material
    threads : int
        CPUs of the studies of several; with 1 they are left out.
    """
    found = [quantization_study(material), session_study(material, 1)]
    if threads > 1:
        found += [scheduling_study(material, threads), session_study(material, threads)]
    return found


def quantization_study(material: Material) -> Study:
    """Each way to quantise: speed, and cosine with fp32."""
    cases = tuple(
        Case(
            patchout,
            {"patchout": patchout, "whole": False, "block": BLOCK},
            material.minutes,
            material.size.tokens(patchout),
        )
        for patchout in PATCHOUTS
    )
    models = {_FP32: material.fp32, **material.variants}
    peers = tuple(
        Peer(name, _ENGINE, cases, {"model": str(path), "audio": str(material.audio)})
        for name, path in models.items()
    )
    return Study(
        "quantization-1",
        f"What is quantised and how: embeddings of block {BLOCK}",
        peers,
        1,
        (_FP32, PATCHOUTS[0]),
        alike=_FP32,
    )


def scheduling_study(material: Material, threads: int) -> Study:
    """Ways to share CPUs."""
    ways = {
        "segments side by side": "segments",
        "threads inside operators": "operators",
        "tracks side by side": "tracks",
    }
    cases = tuple(
        Case(patchout, {"patchout": patchout}, TIMES * material.minutes) for patchout in PATCHOUTS
    )
    common = {"model": str(material.shipped), "audio": str(material.audio), "times": TIMES}
    peers = [Peer(name, _SCHEDULING, cases, {**common, "way": way}) for name, way in ways.items()]
    one = "one CPU"
    peers.append(Peer(one, _SCHEDULING, cases, {**common, "way": "operators"}, threads=1))
    return Study(
        f"scheduling-{threads}",
        "How segments share CPUs, int8",
        tuple(peers),
        threads,
        (one, PATCHOUTS[0]),
    )


def session_study(material: Material, threads: int) -> Study:
    """Set ONNX Runtime up in different ways, the graph alone."""
    built: dict[str, Any] = {"entries": {_WEIGHTS_ONCE: "1", _SPINNING: "0"}}
    setups: dict[str, dict[str, Any]] = {"as the engine": built}
    if threads == 1:
        setups["no memory arena"] = {**built, "settings": {"enable_cpu_mem_arena": False}}
        setups["no memory pattern"] = {**built, "settings": {"enable_mem_pattern": False}}
        setups["packed weights in the arena"] = {"entries": {_SPINNING: "0"}}
    else:
        setups["threads that spin"] = {"entries": {_WEIGHTS_ONCE: "1"}}
    cases = [
        _run_case(material, patchout, batch)
        for patchout in PATCHOUTS
        for batch in ((1, 4) if threads == 1 else (1,))
    ]
    return Study(
        f"session-{threads}",
        "How ONNX Runtime is set up, int8, the graph alone",
        _session_peers(material, setups, cases),
        threads,
        ("as the engine", cases[0].name),
    )


def _session_peers(
    material: Material, setups: Mapping[str, Mapping[str, Any]], cases: Sequence[Case]
) -> tuple[Peer, ...]:
    return tuple(
        Peer(name, _SESSION, tuple(cases), {"model": str(material.shipped), **setup})
        for name, setup in setups.items()
    )


def _run_case(material: Material, patchout: str, batch: int) -> Case:
    size = material.size
    rows, columns = size.kept(patchout)
    return Case(
        patchout if batch == 1 else f"{patchout}, {batch} segments in a run",
        {
            "kept": [row * size.columns + column for row in rows for column in columns],
            "batch": batch,
            "block": BLOCK,
        },
        batch * size.minutes,
        size.tokens(patchout),
        shape=(batch, size.tokens(patchout), size.dim),
    )
