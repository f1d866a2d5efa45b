"""Studies of the network: every peer that runs it, beside the machine's own rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.peers.definitions import Case, Mark, Peer, Study
from lab.peers.plan import FASTEST, WHOLE, Plan
from lab.peers.sizes import BLOCK, CLASSES

_PATIENCE_SECONDS = 45.0
"""What takes longer is not worth waiting for in every round."""
_FRESH_ROUNDS = 5
"""Of starting every peer anew."""


def model_study(plan: Plan, threads: int, *, whole: bool) -> Study:
    """One segment to its embedding at block 7, or to its activations after the last block."""
    kind = "full" if whole else "embedding"
    peers = model_peers(plan, threads, whole=whole)
    if whole:
        peers += [
            Peer(
                name,
                "baseline",
                (Case(WHOLE, minutes=plan.size.minutes, shape=(1, CLASSES)),),
                {"model": f"{{baselines}}/{file}.onnx", "mel": "{sound}/mel.npy"},
                material=("baselines", "sound"),
            )
            for name, file in (
                ("EfficientNet-B0, ONNX Runtime", "efficientnet_b0"),
                ("ResNet50, ONNX Runtime", "resnet50"),
            )
        ]
    products = product_peers(plan)
    marks: tuple[Mark, ...] = ()
    if not whole:
        torch, fp32, int8 = ("torch fp32", WHOLE), "ours fp32", "ours int8"
        whole_products = _products_case(plan, WHOLE)
        marks = (
            Mark("int8, F0T0, against torch fp32, F0T0", (int8, WHOLE), torch, 5.0),
            Mark("int8, F3T5, against torch fp32, F0T0", (int8, FASTEST), torch, 65.0),
            Mark("fp32, F0T0, against torch fp32, F0T0", (fp32, WHOLE), torch, 2.0),
            Mark(
                "fp32, F0T0: share of the machine's own sgemm rate",
                (fp32, WHOLE),
                ("matrix products, torch fp32", whole_products),
                0.9,
                by_operations=True,
                instead=("matrix products, NumPy fp32", whole_products),
            ),
            Mark(
                "int8, F3T5: share of the machine's int8 gemm rate",
                (int8, FASTEST),
                ("matrix products, ONNX Runtime int8", _products_case(plan, FASTEST)),
                0.85,
                by_operations=True,
            ),
        )
    return Study(
        f"{kind}-{threads}",
        f"{plan.size.seconds} s to "
        + ("activations, all blocks" if whole else f"the embedding at block {BLOCK}"),
        (*peers, *products),
        threads,
        ("torch fp32", WHOLE),
        marks,
        alike="torch fp32",
        once_beyond=_PATIENCE_SECONDS,
    )


def model_peers(plan: Plan, threads: int, *, whole: bool, single: bool = False) -> list[Peer]:
    """Give the peers that run the network; `single` is without patchouts."""
    size = plan.size
    wanted = (WHOLE,) if single else plan.patchouts
    blocks = size.depth if whole else BLOCK
    shape = (1, CLASSES) if whole else (1, 3 * size.dim)

    def cases(patchouts: Sequence[str], *, kept: bool = False) -> tuple[Case, ...]:
        found = []
        for patchout in patchouts:
            request: dict[str, Any] = {"patchout": patchout, "whole": whole, "block": BLOCK}
            if kept:
                request["rows"], request["columns"] = size.kept(patchout)
            found.append(
                Case(
                    patchout,
                    request,
                    size.minutes,
                    size.tokens(patchout),
                    size.operations(patchout, blocks),
                    shape,
                )
            )
        return tuple(found)

    common = {"size": size.as_json(), "mel": "{sound}/normalised.npy"}
    torch = {**common, "weights": "{reference}/weights.ckpt"}
    graph = "full" if whole else "embedding"
    exported = {**common, "model": f"{{exported}}/{graph}.onnx"}
    sound, audio = "sound", "{sound}/audio.npy"
    tensorflow = {
        "graph": "{tensorflow_graph}/maest.pb",
        "audio": audio,
        "mel": common["mel"],
        "frames": size.frames,
        "depth": size.depth,
        "block": BLOCK,
        "whole": whole,
    }
    few = [name for name in wanted if name in (WHOLE, "F3T2", FASTEST)]
    peers = [
        Peer(
            "torch fp32",
            "maest_torch",
            cases(wanted),
            {**torch, "precision": "float32"},
            material=(sound, "reference"),
        ),
        Peer(
            "torch bf16",
            "maest_torch",
            cases(wanted),
            {**torch, "precision": "bfloat16"},
            material=(sound, "reference"),
        ),
        Peer(
            "torch int8",
            "maest_torch",
            cases(wanted),
            {**torch, "precision": "int8"},
            material=(sound, "reference"),
        ),
        Peer(
            "transformers AST",
            "ast_transformers",
            cases([WHOLE]),
            torch,
            material=(sound, "reference"),
        ),
        Peer(
            "exported graph, ONNX Runtime",
            "onnx_graph",
            cases(wanted, kept=True),
            exported,
            material=(sound, "exported"),
        ),
        *(
            Peer(
                f"exported graph, OpenVINO {precision}",
                "openvino_graph",
                cases(few, kept=True),
                {**exported, "precision": precision},
                "openvino",
                (sound, "exported"),
            )
            for precision in ("f32", "bf16")
        ),
        Peer(
            "exported graph, OpenVINO int8",
            "openvino_graph",
            cases(few, kept=True),
            {**exported, "model": f"{{quantized}}/{graph}.xml", "precision": "f32"},
            "openvino",
            (sound, "quantized"),
        ),
        Peer(
            "TensorflowPredictMAEST",
            "essentia_tensorflow",
            cases([WHOLE]),
            {**tensorflow, "graph_alone": False},
            "essentia-tensorflow",
            (sound, "tensorflow_graph"),
        ),
        Peer(
            "TensorflowPredict, graph alone",
            "essentia_tensorflow",
            cases([WHOLE]),
            {**tensorflow, "graph_alone": True},
            "essentia-tensorflow",
            (sound, "tensorflow_graph"),
        ),
        *(
            Peer(
                f"ours {precision}",
                "engine",
                cases(wanted),
                {"audio": audio, "model": f"{{engine}}/{precision}.onnx"},
                material=(sound, "engine"),
            )
            for precision in ("fp32", "int8")
        ),
    ]
    return peers


def product_peers(plan: Plan) -> list[Peer]:
    """Give the machine's own rates, at the shapes of the network without and with patchout."""
    size = plan.size
    tokens = {_products_case(plan, name): size.tokens(name) for name in (WHOLE, FASTEST)}
    cases = tuple(
        Case(name, {"tokens": count}, 0.0, count, 24.0 * count * size.dim**2, (count, size.dim))
        for name, count in tokens.items()
    )
    common: dict[str, Any] = {"dim": size.dim, "tokens": list(tokens.values())}
    return [
        Peer("matrix products, NumPy fp32", "matrices_numpy", cases, common),
        *(
            Peer(
                f"matrix products, torch {name}",
                "matrices_torch",
                cases,
                {**common, "precision": precision},
            )
            for name, precision in (("fp32", "float32"), ("bf16", "bfloat16"))
        ),
        Peer("matrix products, ONNX Runtime int8", "matrices_onnxruntime", cases, common),
    ]


def _products_case(plan: Plan, patchout: str) -> str:
    return f"{plan.size.tokens(patchout)} rows"


def latency_study(plan: Plan, threads: int) -> Study:
    """Measure what a first result costs, in a process of its own each time, and memory."""
    peers = model_peers(plan, threads, whole=False, single=True)
    return Study(
        f"latency-{threads}",
        f"from starting the program to the first {plan.size.seconds} s embedded",
        tuple(peers),
        threads,
        ("torch fp32", WHOLE),
        fresh=True,
        most_rounds=_FRESH_ROUNDS,
    )
