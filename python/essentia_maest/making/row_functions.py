"""Operators on rows of 8-bit integers, defined by ONNX Runtime's own.

The engine computes them itself where it has kernels for the CPU (``cpp/core/row_operators.h`` says
what each takes and gives). What is here runs elsewhere, and in other programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from essentia_maest.making.graph_operators import DOMAIN

if TYPE_CHECKING:
    from onnx import FunctionProto, NodeProto

QUANTIZE = "QuantizeRows"
NORM_QUANTIZE = "NormQuantizeRows"
DEQUANTIZE = "DequantizeRows"
ADD = "AddRows"
ADD_NORM_QUANTIZE = "AddNormQuantizeRows"
GELU_QUANTIZE = "GeluQuantizeRows"
MULTIPLY = "MultiplyRows"
MULTIPLY_ADD = "MultiplyAddRows"
MULTIPLY_ADD_NORM_QUANTIZE = "MultiplyAddNormQuantizeRows"
MULTIPLY_GELU_QUANTIZE = "MultiplyGeluQuantizeRows"
"""What model files call them; a test compares the engine."""

AFTER_SUMS = {
    MULTIPLY: DEQUANTIZE,
    MULTIPLY_ADD: ADD,
    MULTIPLY_ADD_NORM_QUANTIZE: ADD_NORM_QUANTIZE,
    MULTIPLY_GELU_QUANTIZE: GELU_QUANTIZE,
}
"""What each of those that multiply does with the sums."""

ROW_OPERATORS = (QUANTIZE, NORM_QUANTIZE, *AFTER_SUMS.values(), *AFTER_SUMS)

_SMALLEST_SPAN = 1e-30
"""Rows whose values differ by less are flat, as in ``cpp/core/row_kernels_body.h``."""


def row_functions(opset: int) -> list[FunctionProto]:
    """Define all of them."""
    of_rows = _functions_of_rows(opset)
    by_name = {function.name: function for function in of_rows}
    products = [
        _product_function(name, by_name[after], opset) for name, after in AFTER_SUMS.items()
    ]
    return [*of_rows, *products]


def _functions_of_rows(opset: int) -> list[FunctionProto]:
    return [
        _function(
            QUANTIZE,
            ["values"],
            ["integers", "ranges"],
            _quantize("values"),
            opset=opset,
            attributes=("levels",),
        ),
        _function(
            NORM_QUANTIZE,
            ["values", "scale_bias"],
            ["integers", "ranges"],
            [*_norm("values"), *_quantize("normed")],
            opset=opset,
            attributes=("epsilon", "levels"),
        ),
        _function(DEQUANTIZE, _SUMS, ["product"], _product(3), opset=opset),
        _function(
            ADD,
            [*_SUMS, "residual"],
            ["added"],
            [*_product(3), _node("Add", "product residual", "added")],
            opset=opset,
        ),
        _function(
            ADD_NORM_QUANTIZE,
            [*_SUMS, "residual", "scale_bias"],
            ["added", "integers", "ranges"],
            [
                *_product(3),
                _node("Add", "product residual", "added"),
                *_norm("added"),
                *_quantize("normed"),
            ],
            opset=opset,
            attributes=("epsilon", "levels"),
        ),
        _function(
            GELU_QUANTIZE,
            _SUMS,
            ["integers", "ranges"],
            [
                *_product(4),
                _node("Gelu", "product", "activated"),
                _node("Mul", "activated gain", "gained"),
                *_quantize("gained"),
            ],
            opset=opset,
            attributes=("levels",),
        ),
    ]


def _product_function(name: str, after: FunctionProto, opset: int) -> FunctionProto:
    """Define a product and what is done with its sums: a node of another of ours.

    Where the engine has no kernels for products it may have those of that other one, and earlier
    versions of it have them anyhow.
    """
    from onnx import helper

    used = _node(after.name, " ".join(after.input), " ".join(after.output))
    used.domain = DOMAIN
    for attribute in after.attribute:
        _referring(used, attribute, attribute)
    return helper.make_function(
        DOMAIN,
        name,
        inputs=["rows", "weights", *after.input[1:]],
        outputs=after.output,
        nodes=[_node("MatMulInteger", "rows weights", after.input[0]), used],
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)],
        attributes=list(after.attribute),
    )


_SUMS = ["sums", "sum_ranges", "columns"]


def _function(
    name: str,
    inputs: list[str],
    outputs: list[str],
    nodes: list[NodeProto],
    *,
    opset: int,
    attributes: tuple[str, ...] = (),
) -> FunctionProto:
    from onnx import helper

    return helper.make_function(
        DOMAIN,
        name,
        inputs=inputs,
        outputs=outputs,
        nodes=nodes,
        opset_imports=[helper.make_opsetid("", opset)],
        attributes=list(attributes),
    )


def _node(operator: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    from onnx import helper

    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def _number(name: str, value: float) -> NodeProto:
    return _node("Constant", "", name, value_float=float(value))


def _referring(node: NodeProto, name: str, attribute: str) -> NodeProto:
    """Give a node an attribute whose value is one of the function's, a float."""
    from onnx import AttributeProto

    node.attribute.append(
        AttributeProto(name=name, type=AttributeProto.FLOAT, ref_attr_name=attribute)
    )
    return node


def _quantize(values: str) -> list[NodeProto]:
    """Quantise the rows of `values`; gives ``integers`` and ``ranges``."""
    from onnx import TensorProto

    return [
        _node("Constant", "", "last_axis", value_ints=[-1]),
        _referring(_node("Constant", "", "levels"), "value_float", "levels"),
        _number("smallest", _SMALLEST_SPAN),
        _number("half", 0.5),
        _number("nothing", 0),
        _number("one", 1),
        _node("ReduceMin", f"{values} last_axis", "low", keepdims=1),
        _node("ReduceMax", f"{values} last_axis", "high", keepdims=1),
        _node("Sub", "high low", "span"),
        _node("Less", "span smallest", "flat"),
        _node("Div", "span levels", "wide_step"),
        _node("Where", "flat nothing wide_step", "step"),
        _node("Where", "flat one span", "divisor"),
        _node("Div", "levels divisor", "factor"),
        _node("Where", "flat nothing factor", "used_factor"),
        _node("Sub", f"{values} low", "above"),
        _node("Mul", "above used_factor", "scaled"),
        _node("Add", "scaled half", "shifted"),
        _node("Floor", "shifted", "rounded"),
        _node("Cast", "rounded", "integers", to=TensorProto.UINT8),
        _node("Concat", "step low", "ranges", axis=-1),
    ]


def _product(rows: int) -> list[NodeProto]:
    """Make ``product`` of sums, ranges and the table of columns, which has so many rows."""
    from onnx import TensorProto

    names = ["scale", "sum", "bias", "gain"][:rows]
    return [
        _node("Split", "sum_ranges", "sum_step sum_low", axis=-1, num_outputs=2),
        _node("Split", "columns", " ".join(names), axis=0, num_outputs=rows),
        _node("Cast", "sums", "float_sums", to=TensorProto.FLOAT),
        _node("Mul", "scale sum_step", "factors"),
        _node("Mul", "float_sums factors", "varying"),
        _node("Mul", "sum sum_low", "lowest"),
        _node("Add", "lowest bias", "start"),
        _node("Add", "varying start", "product"),
    ]


def _norm(values: str) -> list[NodeProto]:
    """Make ``normed`` of `values` and a table of scale and bias."""
    norm = _node("LayerNormalization", f"{values} norm_scale norm_bias", "normed", axis=-1)
    return [
        _node("Constant", "", "columns_axis", value_ints=[0]),
        _node("Split", "scale_bias", "row_scale row_bias", axis=0, num_outputs=2),
        _node("Squeeze", "row_scale columns_axis", "norm_scale"),
        _node("Squeeze", "row_bias columns_axis", "norm_bias"),
        _referring(norm, "epsilon", "epsilon"),
    ]
