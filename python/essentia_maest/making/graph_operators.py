"""Operators of the engine's own, each with a way to do without it.

The engine computes them where its kernels suit the CPU (``cpp/core/ort_operators.cpp``). The model
file also defines each as a function of ONNX Runtime's own operators: that is what runs on other
CPUs, and in any other program that opens the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from essentia_maest import _core

if TYPE_CHECKING:
    from onnx import FunctionProto, NodeProto

DOMAIN = _core.OPERATOR_DOMAIN
ATTENTION = "QuantizedAttention"
BIAS_GELU = "BiasGelu"
"""What model files call them; a test compares ``cpp/core/ort_operators.cpp``."""

MICROSOFT = "com.microsoft"


def attention_node(query: str, key_value: str, output: str, *, heads: int, dim: int) -> NodeProto:
    """Make a node of attention in 8-bit integers, named as its output.

    Parameters
    ----------
    query : str
        Tensor [batch, tokens, >= dim] that begins with the queries.
    key_value : str
        Tensor [batch, tokens, >= 2 * dim] that ends with the keys and the values. May be the same:
        queries, keys and values in one.
    output : str
        Tensor [batch, tokens of `query`, dim].
    heads, dim : int
    """
    from onnx import helper

    return helper.make_node(
        ATTENTION, [query, key_value], [output], name=output, domain=DOMAIN, heads=heads, dim=dim
    )


def attention_function(dim: int, opset: int) -> FunctionProto:
    """Define attention by others, in fp32, for models of this width."""
    from onnx import AttributeProto, helper

    heads = helper.make_node(
        "MultiHeadAttention", ["query", "key", "value"], ["mixed"], domain=MICROSOFT
    )
    heads.attribute.append(
        AttributeProto(name="num_heads", type=AttributeProto.INT, ref_attr_name="heads")
    )
    numbers = {
        "start": 0,
        "width": dim,
        "two_from_end": -2 * dim,
        "one_from_end": -dim,
        "end": int(np.iinfo(np.int64).max),
        "axis": 2,
    }
    return helper.make_function(
        DOMAIN,
        ATTENTION,
        inputs=["queries", "keys_values"],
        outputs=["mixed"],
        nodes=[
            *(
                helper.make_node("Constant", [], [name], value_ints=[value])
                for name, value in numbers.items()
            ),
            helper.make_node("Slice", ["queries", "start", "width", "axis"], ["query"]),
            helper.make_node(
                "Slice", ["keys_values", "two_from_end", "one_from_end", "axis"], ["key"]
            ),
            helper.make_node("Slice", ["keys_values", "one_from_end", "end", "axis"], ["value"]),
            heads,
        ],
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)],
        attributes=["heads", "dim"],
    )


def bias_gelu_function(opset: int) -> FunctionProto:
    """Define the Gaussian error linear unit of values plus a bias by others."""
    from onnx import helper

    return helper.make_function(
        DOMAIN,
        BIAS_GELU,
        inputs=["values", "bias"],
        outputs=["activated"],
        nodes=[
            helper.make_node("Add", ["values", "bias"], ["sum"]),
            helper.make_node("Gelu", ["sum"], ["activated"]),
        ],
        opset_imports=[helper.make_opsetid("", opset)],
    )
