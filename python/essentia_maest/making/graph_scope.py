"""The nodes of one ONNX graph, or of a branch in it, under one prefix of names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto


class Scope:
    """The nodes of one graph, which may be the branch of an `If`, under one prefix of names."""

    def __init__(self, prefix: str, constants: list[TensorProto]) -> None:
        self.prefix = prefix
        self.nodes: list[NodeProto] = []
        self.types: list[ValueInfoProto] = []
        self._constants = constants

    def branch(self, prefix: str) -> Scope:
        """Open the scope of a branch; its constants still belong to the main graph."""
        return Scope(prefix, self._constants)

    def describe(self, name: str, shape: list[str | int]) -> None:
        """Tell the type of a float32 tensor that ONNX's checker cannot infer."""
        self.types.append(value_info(name, shape))

    def constant(self, name: str, value: NDArray[np.generic] | int | list[int]) -> str:
        """Add an initialiser; integers become int64."""
        from onnx import numpy_helper

        array = np.asarray(value, dtype=None if isinstance(value, np.ndarray) else np.int64)
        self._constants.append(
            numpy_helper.from_array(np.asarray(array, order="C"), self.prefix + name)
        )
        return self.prefix + name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        name: str,
        domain: str = "",
        **attributes: object,
    ) -> str:
        """Add a node with one output, and return the output's name."""
        return self.split_node(operator, inputs, [name], domain, **attributes)[0]

    def split_node(
        self,
        operator: str,
        inputs: Sequence[str],
        names: Sequence[str],
        domain: str = "",
        **attributes: object,
    ) -> list[str]:
        """Add a node with several outputs, and return their names."""
        outputs = [self.prefix + name for name in names]
        self.nodes.append(
            onnx_helper().make_node(
                operator, list(inputs), outputs, name=outputs[0], domain=domain, **attributes
            )
        )
        return outputs


def value_info(
    name: str, shape: list[str | int], element_type: int | None = None
) -> ValueInfoProto:
    """Describe an input or output; float32 unless another type is given."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, element_type or TensorProto.FLOAT, shape)


def branch_graph(scope: Scope, output: ValueInfoProto) -> GraphProto:
    """Make the graph of a branch."""
    from onnx import helper

    return helper.make_graph(
        scope.nodes, scope.prefix.rstrip("/"), [], [output], value_info=scope.types
    )


def onnx_helper() -> Any:
    """Import ``onnx.helper``.

    Raises
    ------
    ImportError
        If ``onnx`` is not installed.
    """
    try:
        from onnx import helper
    except ImportError as error:
        raise ImportError(
            "building a model file needs the package onnx: pip install 'essentia-maest[convert]'"
        ) from error
    return helper
