"""Weights (numpy) to the ONNX graph that runs fast; the one place that knows the graph.

Inputs
    ``patches`` float32 [batch, kept, 256]: normalised patches, element ``t * 16 + f``.
    ``kept`` int64 [kept]: indices of those patches in the row-major grid.
    ``depth`` int64 scalar: how many blocks to compute, 1 to the model's depth.
    ``tap`` int64 scalar: the block whose tokens come out, 1 to ``depth``; 0 for none.
Outputs
    ``tokens`` float32 [batch, 2 + kept, dim]: the tokens of block ``tap`` (the residual stream
    after it, before the final norm), cls and dist first; [batch, 0, dim] for ``tap`` 0.
    ``logits``, ``activations`` float32 [batch, classes]: meaningful when ``depth`` is the model's.

Blocks from the second on sit one after another in an ``If`` on ``depth``: ONNX Runtime computes
every node of a graph whatever outputs are fetched, but only the branch that is taken. The tokens
leave through one output that ``tap`` selects, because every output of a graph stays in memory
until the end of the run, fetched or not. Of the last block only what the head reads is computed,
cls and dist, unless it is tapped, or the head is one on the embedding. The weights are initialisers
of the main graph: those of a branch are kept twice, once in the graph and once packed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from essentia_maest.errors import ModelError
from essentia_maest.making.graph_layers import Layers, Linear, Norm, Rows, fp32_norm
from essentia_maest.making.graph_operators import (
    DOMAIN,
    MICROSOFT,
    attention_function,
    attention_node,
    bias_gelu_function,
)
from essentia_maest.making.graph_scope import Scope, branch_graph, onnx_helper, value_info
from essentia_maest.making.quantization_plan import MATRICES, QuantizationPlan
from essentia_maest.making.row_functions import row_functions
from essentia_maest.making.weights import PATCH_VALUES, BlockWeights, ModelWeights

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")

OPSET = 20
"""The first with Gelu; ONNX Runtime 1.20, the oldest supported, knows it."""
IR_VERSION = 9
LARGEST_FILE = 2**31 - 1
"""Bytes of one protobuf message, the most there can be."""


def build_model(
    weights: ModelWeights,
    *,
    precision: Precision = "fp32",
    plan: QuantizationPlan | None = None,
    properties: Mapping[str, str] | None = None,
) -> ModelProto:
    """Build the ONNX model of some weights.

    Parameters
    ----------
    weights : ModelWeights
        Any depth, width, number of heads and classes, and grid.
    precision : {"fp32", "int8"}
        int8 quantises the four linear layers of every block: weights to 8-bit integers per output
        column, inputs to 8-bit integers at run time, each row with its own range. Attention is in
        8-bit integers where the CPU is fast at them, else in fp32
        (`essentia_maest.making.graph_operators`). Patch embedding and head stay fp32.
    plan : QuantizationPlan, optional
        What of an int8 model is done otherwise; of no use to fp32.
    properties : mapping of str to str, optional
        The file's ``metadata_props``.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ModelError
        If the file would not fit into one protobuf message (2 GB), or the precision is unknown.
    ImportError
        If ``onnx`` is not installed.
    """
    helper = onnx_helper()
    if precision not in PRECISIONS:
        raise ModelError(f"precision {precision!r}: wanted one of {', '.join(PRECISIONS)}")
    if precision == "fp32":
        plan = QuantizationPlan(exact=tuple(MATRICES for _ in weights.blocks))
    elif plan is None:
        plan = QuantizationPlan()
    size = _weight_bytes(weights, plan)
    if size > LARGEST_FILE:
        raise ModelError(
            f"the weights take {size / 1e9:.1f} GB as {precision}; one model file holds at most "
            f"{LARGEST_FILE / 1e9:.1f} GB"
        )
    builder = _Builder(weights, precision, plan)
    functions = [bias_gelu_function(OPSET)]
    if precision == "int8":
        functions += [attention_function(weights.dim, OPSET), *row_functions(OPSET)]
    model: ModelProto = helper.make_model(
        builder.build(),
        functions=functions,
        opset_imports=[
            helper.make_opsetid(*entry) for entry in (("", OPSET), (MICROSOFT, 1), (DOMAIN, 1))
        ],
        ir_version=IR_VERSION,
        producer_name="essentia-maest",
    )
    helper.set_model_props(model, dict(properties or {}))
    return model


class _Builder:
    """Builds the graph of one model: state shared by the functions that add its parts."""

    def __init__(self, weights: ModelWeights, precision: Precision, plan: QuantizationPlan) -> None:
        self.weights = weights
        self.precision = precision
        self.plan = plan
        self.constants: list[TensorProto] = []
        self.main = Scope("", self.constants)
        self.first_token = self.main.constant("first_token", [0])
        self.token_axis = self.main.constant("token_axis", [1])
        self.two = self.main.constant("two", [2])
        # tokens that the head takes at the least, which a block that is not computed passes on
        self.least = 3 if weights.reads_embedding else 2
        self.few = self.main.constant("few", [3]) if weights.reads_embedding else self.two

    def build(self) -> GraphProto:
        from onnx import TensorProto, helper

        weights = self.weights
        tokens = self._embed_patches()
        ends = self._tap_ends()
        needed = ""
        if not weights.reads_embedding:
            # the head reads two tokens of the last block: the others are computed when tapped
            needed = self.main.node("Max", [ends[-1], self.two], "last_needed")
        tapped = []
        for number, block in enumerate(weights.blocks, start=1):
            end = needed if number == weights.depth else ""
            if number == 1:
                scope = self.main.branch("block_1/")
                tokens = self._block(scope, tokens, block, number, end)
                self.main.nodes.extend(scope.nodes)
                self.main.types.extend(scope.types)
            else:
                tokens = self._optional_block(tokens, block, number, end)
            tapped.append(self._rows(self.main, tokens, ends[number - 1], f"tap_{number}"))
        self.main.node("Concat", tapped, "tokens", axis=1)
        self._classify(tokens)
        return helper.make_graph(
            self.main.nodes,
            "maest",
            inputs=[
                value_info("patches", ["batch", "kept", PATCH_VALUES]),
                value_info("kept", ["kept"], TensorProto.INT64),
                value_info("depth", [], TensorProto.INT64),
                value_info("tap", [], TensorProto.INT64),
            ],
            outputs=[
                value_info("tokens", ["batch", "tokens", weights.dim]),
                value_info("logits", ["batch", weights.classes]),
                value_info("activations", ["batch", weights.classes]),
            ],
            initializer=self.constants,
            value_info=self.main.types,
        )

    def _embed_patches(self) -> str:
        """Give the tokens that enter block 1: cls, dist, then the patches with their positions."""
        main, weights = self.main, self.weights
        projected = main.node(
            "MatMul", ["patches", main.constant("patch_weight", weights.patch_weight)], "projected"
        )
        positions = main.node(
            "Gather", [main.constant("positions", weights.positions), "kept"], "kept_positions"
        )
        patch_tokens = main.node("Add", [projected, positions], "patch_tokens")
        batch = main.node("Shape", ["patches"], "batch_size", start=0, end=1)
        pair_shape = main.constant("class_token_shape", [2, weights.dim])
        class_tokens = main.node(
            "Expand",
            [
                main.constant("class_token_values", weights.class_tokens[np.newaxis]),
                main.node("Concat", [batch, pair_shape], "class_tokens_shape", axis=0),
            ],
            "class_tokens",
        )
        return main.node("Concat", [class_tokens, patch_tokens], "block_0", axis=1)

    def _tap_ends(self) -> list[str]:
        """Give for each block how many of its tokens come out: all or none."""
        main, depth = self.main, self.weights.depth
        numbers = main.constant("block_numbers", list(range(1, depth + 1)))
        everything = main.constant("all_tokens", int(np.iinfo(np.int64).max))
        ends = main.node(
            "Where",
            [
                main.node("Equal", ["tap", numbers], "tapped_blocks"),
                everything,
                main.constant("no_tokens", 0),
            ],
            "tap_ends",
        )
        names = [f"tap_end_{number}" for number in range(1, depth + 1)]
        return main.split_node("Split", [ends], names, axis=0, num_outputs=depth)

    def _rows(self, scope: Scope, tokens: str, end: str, name: str) -> str:
        """Give the tokens before `end`."""
        return scope.node("Slice", [tokens, self.first_token, end, self.token_axis], name)

    def _optional_block(self, tokens: str, block: BlockWeights, number: int, end: str) -> str:
        name = f"block_{number}"
        computed = self.main.branch(f"{name}/")
        result = self._block(computed, tokens, block, number, end)
        # A skipped block must cost nothing, and the head needs some rows: pass on the first.
        skipped = self.main.branch(f"{name}/skipped/")
        few = self._rows(skipped, tokens, self.few, "tokens")
        wanted = self.main.node(
            "GreaterOrEqual",
            ["depth", self.main.constant(f"{name}/number", number)],
            f"{name}/wanted",
        )
        dim = self.weights.dim
        return self.main.node(
            "If",
            [wanted],
            name,
            then_branch=branch_graph(computed, value_info(result, ["batch", "tokens", dim])),
            else_branch=branch_graph(skipped, value_info(few, ["batch", self.least, dim])),
        )

    def _block(
        self, scope: Scope, tokens: str, block: BlockWeights, number: int, end: str = ""
    ) -> str:
        """Give the tokens after a block: all of them, or those before `end` where one is given."""
        matrices = {name: getattr(block, f"{name}_weight") for name in MATRICES}
        layers = Layers(scope, self.plan.quantized(number, matrices))
        epsilon = self.weights.norm_epsilon
        norm1 = Norm(block.norm1_scale, block.norm1_bias, epsilon)
        norm2 = Norm(block.norm2_scale, block.norm2_bias, epsilon)
        normed = layers.norm(tokens, "norm1", norm1, "qkv")
        if end:
            mixed = self._attention_of_first(layers, normed, block, end)
            tokens = self._rows(scope, tokens, end, "needed")
        else:
            qkv = layers.apply(normed, Linear("qkv", "qkv", block.qkv_weight, block.qkv_bias))
            mixed = self._attention(scope, qkv, qkv)
        attended, normed = layers.add_and_norm(
            layers.enter(mixed, "projection"),
            Linear("projection", "projection", block.projection_weight, block.projection_bias),
            tokens,
            "attended",
            norm2,
            "fc1",
        )
        gain = self.plan.gain(number, block.fc1_bias.size)
        fc1 = Linear("fc1", "fc1", block.fc1_weight, block.fc1_bias)
        fc2 = Linear("fc2", "fc2", block.fc2_weight, block.fc2_bias)
        hidden = layers.gelu(normed, fc1, gain, "fc2")
        return layers.add(hidden, fc2, attended, "tokens")

    def _attention_of_first(
        self, layers: Layers, normed: Rows, block: BlockWeights, end: str
    ) -> str:
        """Attend with the queries of the tokens before `end`, and keys and values of all."""
        dim = self.weights.dim
        asking = layers.first(normed, end, self.first_token, self.token_axis)
        query, both = (
            Linear(name, "qkv", block.qkv_weight[:, columns], block.qkv_bias[columns], columns)
            for name, columns in (("query", slice(dim)), ("key_value", slice(dim, None)))
        )
        return self._attention(
            layers.scope, layers.apply(asking, query), layers.apply(normed, both)
        )

    def _attention(self, scope: Scope, query: str, key_value: str) -> str:
        """Attend with queries of their own, or with those that come before keys and values."""
        heads, dim, name = self.weights.heads, self.weights.dim, "attention"
        if self.precision == "int8":
            output = scope.prefix + name
            scope.nodes.append(attention_node(query, key_value, output, heads=heads, dim=dim))
            scope.describe(output, ["batch", "asking", dim])
            return output
        if query == key_value:
            names = ["query", "key", "value"]
            parts = scope.split_node("Split", [query], names, axis=2, num_outputs=3)
        else:
            names = ["key", "value"]
            both = scope.split_node("Split", [key_value], names, axis=2, num_outputs=2)
            parts = [query, *both]
        # ONNX Runtime's own operator never writes the softmax matrix out.
        return scope.node("MultiHeadAttention", parts, name, MICROSOFT, num_heads=heads)

    def _classify(self, tokens: str) -> None:
        main, weights = self.main, self.weights
        pair = self._rows(main, tokens, self.two, "class_pair")
        if weights.norm_scale is None or weights.norm_bias is None:
            self._classify_embedding(pair, tokens)
            return
        norm = Norm(weights.norm_scale, weights.norm_bias, weights.norm_epsilon)
        normed = fp32_norm(main, pair, "norm", norm)
        if weights.second_head_weight is None or weights.second_head_bias is None:
            mean = main.node("ReduceMean", [normed, self.token_axis], "head/input", keepdims=0)
            self._head(mean, "logits")
        else:
            cls, dist = (
                main.node("Gather", [normed, main.constant(f"{name}/place", place)], name, axis=1)
                for place, name in enumerate(("head/cls", "head/dist"))
            )
            second = main.node(
                "Gemm",
                [
                    dist,
                    main.constant("second_head/weight", weights.second_head_weight),
                    main.constant("second_head/bias", weights.second_head_bias),
                ],
                "second_head/logits",
            )
            main.node("Mean", [self._head(cls, "head/logits"), second], "logits")
        main.node("Sigmoid", ["logits"], "activations")

    def _classify_embedding(self, pair: str, tokens: str) -> None:
        main, weights = self.main, self.weights
        end = main.constant("head/end", [np.iinfo(np.int64).max])
        patches = main.node("Slice", [tokens, self.two, end, self.token_axis], "head/patches")
        average = main.node("ReduceMean", [patches, self.token_axis], "head/average", keepdims=1)
        stacked = main.node("Concat", [pair, average], "head/stacked", axis=1)
        embedding = main.node("Flatten", [stacked], "head/embedding", axis=1)
        scale = main.constant("head/norm/scale", weights.head_norm_scale)
        shift = main.constant("head/norm/bias", weights.head_norm_bias)
        scaled = main.node("Mul", [embedding, scale], "head/scaled")
        self._matrix(main.node("Add", [scaled, shift], "head/norm"), "logits")
        main.node("Sigmoid", ["logits"], "activations")

    def _head(self, inputs: str, name: str) -> str:
        """Apply the head's LayerNorm and matrix to [batch, dim]."""
        main, weights = self.main, self.weights
        norm = Norm(weights.head_norm_scale, weights.head_norm_bias, weights.head_norm_epsilon)
        return self._matrix(fp32_norm(main, inputs, "head/norm", norm), name)

    def _matrix(self, inputs: str, name: str) -> str:
        main, weights = self.main, self.weights
        weight = main.constant("head/weight", weights.head_weight)
        bias = main.constant("head/bias", weights.head_bias)
        return main.node("Gemm", [inputs, weight, bias], name)


def _weight_bytes(weights: ModelWeights, plan: QuantizationPlan) -> int:
    """Give roughly the size of the file."""
    size = weights.patch_weight.size + weights.positions.size + weights.head_weight.size
    size *= 4
    for number, block in enumerate(weights.blocks, start=1):
        integers = plan.integers(number)
        for matrix in MATRICES:
            weight = getattr(block, f"{matrix}_weight")
            size += weight.size * (1 if matrix in integers else 4)
    return size
