"""A graph model as a module: constants are folded once, then the nodes run in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cocodesign.errors import DataFormatError
from cocodesign.models.tfjs.operations import OPERATIONS, Operation
from cocodesign.models.tfjs.topology import (
    Node,
    Output,
    nodes_needed,
    read_topology,
)
from cocodesign.models.tfjs.weights import read_weights

Numbers = int | float | list[int] | list[list[int]]


@dataclass(frozen=True)
class _Step:
    """A node that is computed in every call.

    Attributes:
        node: The node.
        operation: How it is computed.
        static: The numbers at the static positions that are constant.
    """

    node: Node
    operation: Operation
    static: Mapping[int, Numbers]


class GraphModel(nn.Module):
    """A TensorFlow.js graph model.

    Pictures have the axes ``batch height width channels``, unless the model itself was
    converted from one with the channels first. What depends on constants only is
    computed when the model is built; the other constants are buffers, so that
    ``to(device)`` and ``torch.onnx.export`` work.

    Args:
        nodes: In the order of computation, placeholders and constants included.
        constants: The value of every constant node.
        input_shapes: Shape of each input by name; an unknown length is ``None``.
        outputs: What the model returns, by name.

    Raises:
        DataFormatError: If a node computes what no operation here does; all are named.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        constants: Mapping[str, Tensor],
        input_shapes: Mapping[str, tuple[int | None, ...]],
        outputs: Mapping[str, Output],
    ) -> None:
        super().__init__()
        self.input_shapes = dict(input_shapes)
        self.output_names = tuple(outputs)
        self._outputs = tuple(outputs.values())
        computed = [node for node in nodes if node.op not in ("Const", "Placeholder")]
        if unknown := sorted({node.op for node in computed} - OPERATIONS.keys()):
            raise DataFormatError(
                f"the model needs operations that are not here: {', '.join(unknown)}"
            )
        known = {Output(name): value for name, value in constants.items()}
        self._steps: list[_Step] = []
        for node in computed:
            self._fold_or_keep(node, known)
        self._buffer_names = self._register_constants(known)

    @classmethod
    def load(cls, path: Path, outputs: Sequence[str] | None = None) -> "GraphModel":
        """Read a model from its JSON file and the weight files beside it.

        Args:
            path: The JSON file.
            outputs: Names of the results to return, of the signature or of any node;
                what no result needs is not computed. All of the signature if ``None``.

        Returns:
            The model, on the CPU.

        Raises:
            DataFormatError: If the files are no graph model, do not fit together, or
                need an operation that is not here.
            ValueError: If an output is not there.
        """
        topology = read_topology(path)
        known = {node.name: Output(node.name) for node in topology.nodes}
        known.update(topology.outputs)
        asked = tuple(topology.outputs) if outputs is None else tuple(outputs)
        for name in asked:
            if name not in known:
                raise ValueError(
                    f"{path.name} has no output {name!r}; its signature names "
                    f"{', '.join(topology.outputs)}"
                )
        chosen = {name: known[name] for name in asked}
        nodes = nodes_needed(topology.nodes, list(chosen.values()))
        weights = read_weights(topology.manifest, path.parent)
        constants = [node.name for node in nodes if node.op == "Const"]
        if missing := sorted(set(constants) - weights.keys()):
            raise DataFormatError(f"{path} has no weights for {', '.join(missing)}")
        return cls(
            nodes,
            {name: weights[name] for name in constants},
            topology.inputs,
            chosen,
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs.

        Args:
            inputs: One tensor per entry of ``input_shapes``, in that order.

        Returns:
            One tensor per entry of ``output_names``.

        Raises:
            ValueError: If there are more or fewer inputs.
        """
        if len(inputs) != len(self.input_shapes):
            raise ValueError(
                f"the model takes {', '.join(self.input_shapes)}; got {len(inputs)} "
                "inputs"
            )
        values = {
            Output(name): value
            for name, value in zip(self.input_shapes, inputs, strict=True)
        }
        for output, name in self._buffer_names.items():
            values[output] = getattr(self, name)
        for step in self._steps:
            _compute(step, values)
        return tuple(values[output] for output in self._outputs)

    def _fold_or_keep(self, node: Node, known: dict[Output, Tensor]) -> None:
        """Compute a node now if its inputs are constants, else in every call."""
        operation = OPERATIONS[node.op]
        if operation.arrange is not None:
            node = _with_arranged_kernel(node, operation.arrange, known)
        positions = [place % max(1, len(node.inputs)) for place in operation.static]
        static = {
            place: known[node.inputs[place]].tolist()
            for place in positions
            if node.inputs[place] in known
        }
        step = _Step(node, operation, static)
        if all(each in known for each in node.inputs):
            _compute(step, known)
        else:
            self._steps.append(step)

    def _register_constants(self, known: Mapping[Output, Tensor]) -> dict[Output, str]:
        """Make buffers of the constants that some step takes as tensors."""
        used = {
            each: None  # a dictionary keeps the order, so names do not change
            for step in self._steps
            for place, each in enumerate(step.node.inputs)
            if each in known and place not in step.static
        }
        used.update((each, None) for each in self._outputs if each in known)
        names = {each: f"constant_{number}" for number, each in enumerate(used)}
        for each, name in names.items():
            self.register_buffer(name, known[each])
        return names


def _with_arranged_kernel(node: Node, arrange, known: dict[Output, Tensor]) -> Node:
    """Put a kernel in PyTorch's order into the constants, and let the node take it."""
    source = node.inputs[1]
    if source not in known:
        raise DataFormatError(f"{node.name} convolves with a kernel that is computed")
    arranged = Output(f"{source.node}/{arrange.__name__}", source.index)
    if arranged not in known:
        known[arranged] = arrange(known[source])
    inputs = (node.inputs[0], arranged, *node.inputs[2:])
    return Node(node.name, node.op, inputs, node.attributes)


def _compute(step: _Step, values: dict[Output, Tensor]) -> None:
    """Compute a node and add its results to the values."""
    places = {place % max(1, len(step.node.inputs)) for place in step.operation.static}
    inputs: list[Tensor | Numbers] = []
    for place, source in enumerate(step.node.inputs):
        if place in step.static:
            inputs.append(step.static[place])
        elif place in places:  # a shape that is computed: the host must wait for it
            inputs.append(values[source].tolist())
        else:
            inputs.append(values[source])
    result = step.operation.compute(step.node, *inputs)
    results = (result,) if isinstance(result, torch.Tensor) else result
    for index, each in enumerate(results):
        values[Output(step.node.name, index)] = each
