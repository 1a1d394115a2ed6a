"""What a node may compute.

An operation gets its node and its inputs. Inputs at the ``static`` positions arrive as
Python numbers or lists of them, because they are shapes, axes or sizes; all others are
tensors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cocodesign.models.tfjs import arithmetic, convolutions, shapes
from cocodesign.models.tfjs.topology import Node

Result = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True)
class Operation:
    """How the nodes of one kind are computed.

    Attributes:
        compute: Takes the node and its inputs.
        static: Positions of inputs that must be Python numbers; -1 is the last.
        arrange: What is done, once, to the kernel at position 1, which then must be
            a constant.
    """

    compute: Callable[..., Result]
    static: tuple[int, ...] = ()
    arrange: Callable[[Tensor], Tensor] | None = None


def _elementwise(function: Callable[..., Tensor]) -> Operation:
    return Operation(lambda _node, *inputs: function(*inputs))


def _identity(_node: Node, x: Tensor) -> Tensor:
    return x


_CONVOLUTIONS = {
    "Conv2D": (convolutions.convolve, convolutions.arrange_kernel),
    "_FusedConv2D": (convolutions.convolve_fused, convolutions.arrange_kernel),
    "DepthwiseConv2dNative": (
        convolutions.convolve,
        convolutions.arrange_depthwise_kernel,
    ),
    "FusedDepthwiseConv2dNative": (
        convolutions.convolve_fused,
        convolutions.arrange_depthwise_kernel,
    ),
}
_ELEMENTWISE: dict[str, Callable[..., Tensor]] = {
    **convolutions.ACTIVATIONS,
    "Abs": torch.abs,
    "Add": torch.add,
    "AddV2": torch.add,
    "BiasAdd": torch.add,
    "Equal": torch.eq,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "FloorMod": torch.remainder,
    "Greater": torch.gt,
    "GreaterEqual": torch.ge,
    "Less": torch.lt,
    "LessEqual": torch.le,
    "Log": torch.log,
    "LogicalAnd": torch.logical_and,
    "LogicalNot": torch.logical_not,
    "LogicalOr": torch.logical_or,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "NotEqual": torch.ne,
    "Pow": torch.pow,
    "Reciprocal": torch.reciprocal,
    "Rsqrt": torch.rsqrt,
    "Sqrt": torch.sqrt,
    "Square": torch.square,
    "SquaredDifference": lambda a, b: (a - b).square(),
    "Sub": torch.sub,
    "ZerosLike": torch.zeros_like,
}

OPERATIONS: Mapping[str, Operation] = {
    **{
        name: Operation(compute, arrange=arrange)
        for name, (compute, arrange) in _CONVOLUTIONS.items()
    },
    **{name: _elementwise(function) for name, function in _ELEMENTWISE.items()},
    "Identity": Operation(_identity),
    "MaxPool": Operation(convolutions.max_pool),
    "AvgPool": Operation(convolutions.average_pool),
    "Pad": Operation(convolutions.pad_with_zeros, static=(1,)),
    "PadV2": Operation(convolutions.pad, static=(1, 2)),
    "ResizeBilinear": Operation(convolutions.resize_bilinear, static=(1,)),
    "DepthToSpace": Operation(convolutions.depth_to_space),
    "_FusedMatMul": Operation(convolutions.multiply_fused),
    "MatMul": Operation(arithmetic.multiply_matrices),
    "BatchMatMulV2": Operation(arithmetic.multiply_matrices),
    "AddN": Operation(arithmetic.add_all),
    "Cast": Operation(arithmetic.cast),
    "FloorDiv": Operation(arithmetic.floor_divide),
    "RealDiv": Operation(arithmetic.real_divide),
    "LeakyRelu": Operation(arithmetic.leaky_relu),
    "Prelu": Operation(arithmetic.prelu),
    "Softmax": Operation(arithmetic.softmax),
    "ArgMax": Operation(arithmetic.argmax, static=(1,)),
    "Max": Operation(arithmetic.maximum_over, static=(1,)),
    "Min": Operation(arithmetic.minimum_over, static=(1,)),
    "Mean": Operation(arithmetic.mean, static=(1,)),
    "Sum": Operation(arithmetic.total, static=(1,)),
    "BroadcastTo": Operation(shapes.broadcast, static=(1,)),
    "ConcatV2": Operation(shapes.concatenate, static=(-1,)),
    "ExpandDims": Operation(shapes.expand, static=(1,)),
    "Fill": Operation(shapes.fill, static=(0,)),
    "GatherNd": Operation(shapes.gather_nd),
    "GatherV2": Operation(shapes.gather, static=(2,)),
    "Pack": Operation(shapes.stack),
    "Range": Operation(shapes.count_up, static=(0, 1, 2)),
    "Reshape": Operation(shapes.reshape, static=(1,)),
    "Select": Operation(shapes.choose),
    "Shape": Operation(shapes.shape_of),
    "Size": Operation(shapes.size_of),
    "Slice": Operation(shapes.slice_by_size, static=(1, 2)),
    "SparseToDense": Operation(shapes.sparse_to_dense, static=(1,)),
    "Split": Operation(shapes.split_evenly, static=(0,)),
    "SplitV": Operation(shapes.split_by_sizes, static=(1, 2)),
    "Squeeze": Operation(shapes.squeeze),
    "StridedSlice": Operation(shapes.strided_slice, static=(1, 2, 3)),
    "Tile": Operation(shapes.tile, static=(1,)),
    "TopKV2": Operation(shapes.top_k, static=(1,)),
    "Transpose": Operation(shapes.transpose, static=(1,)),
    "Unpack": Operation(shapes.unstack),
}
