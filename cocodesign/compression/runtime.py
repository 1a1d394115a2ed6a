"""Layers that compute from the packed weights of a file."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from cocodesign.compression.container import Entry
from cocodesign.compression.cuda_kernels import CudaPackedLinear
from cocodesign.compression.model_codec import naming, read_entries
from cocodesign.compression.packed import (
    DenseColumns,
    SparseColumns,
    can_pack,
    pack_matrix,
)
from cocodesign.compression.packed_kernels import (
    multiply_dense,
    multiply_dense_batch,
    multiply_sparse,
    multiply_sparse_batch,
)
from cocodesign.compression.quantized import QuantizedTensor
from cocodesign.compression.tensor_coding import decode_entry


class PackedLinear(nn.Module):
    """A linear layer on packed weights, for inference on the CPU.

    Args:
        matrix: The weights ``[out, in]``, packed.
        bias: ``[out]``, or ``None``.
    """

    def __init__(
        self,
        matrix: SparseColumns | DenseColumns,
        bias: Float[Tensor, " out"] | None,
    ) -> None:
        super().__init__()
        self.matrix = matrix
        self.bias = bias
        if isinstance(matrix, SparseColumns):
            self.in_features = len(matrix.starts) - 1
            self.out_features = matrix.num_rows
        else:
            self.in_features, self.out_features = matrix.codes.shape

    @property
    def num_bytes(self) -> int:
        """Bytes of weights and bias in memory."""
        tensors = [each for each in vars(self.matrix).values() if torch.is_tensor(each)]
        tensors += [] if self.bias is None else [self.bias]
        return sum(each.nbytes for each in tensors)

    def extra_repr(self) -> str:
        """Name form and sizes."""
        form = "sparse" if isinstance(self.matrix, SparseColumns) else "dense"
        return (
            f"{self.in_features}, {self.out_features}, {form}, {self.num_bytes:,} bytes"
        )

    @torch.no_grad()
    def forward(self, inputs: Float[Tensor, "... in"]) -> Float[Tensor, "... out"]:
        """Multiply and add the bias; no gradient flows.

        Args:
            inputs: float32 on the CPU.

        Returns:
            ``inputs @ weight.T + bias``.

        Raises:
            ValueError: If the inputs are of another dtype, device or width.
        """
        if inputs.dtype != torch.float32 or inputs.device.type != "cpu":
            raise ValueError(
                f"packed layers take float32 on the CPU, got {inputs.dtype} on "
                f"{inputs.device}: decode the file with decode_model for others"
            )
        if inputs.shape[-1] != self.in_features:
            raise ValueError(
                f"inputs have {inputs.shape[-1]} features, expected {self.in_features}"
            )
        x = inputs.reshape(-1, self.in_features).numpy()
        y = np.zeros((x.shape[0], self.out_features), np.float32)
        if isinstance(self.matrix, DenseColumns):
            _multiply_by_dense(self.matrix, x, y)
        else:
            y = _multiply_by_sparse(self.matrix, x, y)
        outputs = torch.from_numpy(y)
        if self.bias is not None:
            outputs += self.bias
        return outputs.reshape(*inputs.shape[:-1], self.out_features)


def load_compressed(
    path: Path | str, model: nn.Module, *, device: torch.device | str = "cpu"
) -> nn.Module:
    """Put a file's weights into a model, linear layers packed.

    Every ``nn.Linear`` becomes a ``PackedLinear``, unless its symbols or rows are too
    many for that; all other weights, such as those of convolutions, are decoded into
    their layers. A model built on the device ``"meta"`` never takes memory for weights.

    Args:
        path: A file of ``encode_model``.
        model: The architecture; its layers are replaced and its tensors assigned.
        device: Where it computes: the CPU, or a CUDA device, which needs CuPy.

    Returns:
        The same model in evaluation mode; a new layer if it is itself an ``nn.Linear``.

    Raises:
        CorruptBitstreamError: If the file is damaged; the message names it.
        ValueError: If the file's tensors are not those of the model.

    Example:
        >>> import tempfile
        >>> from cocodesign.compression import encode_model, quantize
        >>> path = Path(tempfile.mkdtemp()) / "tiny.ccz"
        >>> _ = encode_model(quantize(nn.Sequential(nn.Linear(8, 4))), path)
        >>> model = load_compressed(path, nn.Sequential(nn.Linear(8, 4)))
        >>> model(torch.zeros(2, 8)).shape
        torch.Size([2, 4])
    """
    target = torch.device(device)
    entries = {entry.name: entry for entry in read_entries(path)}
    _compare_names(entries, model)
    with naming(path):
        packed = {
            name
            for name, module in model.named_modules()
            # Subclasses may use their weight in ways of their own.
            if type(module) is nn.Linear and can_pack(entries[_join(name, "weight")])
        }
        if "" in packed:
            return _pack_layer(entries, "", target).eval()
        for name in sorted(packed):
            _replace(model, name, _pack_layer(entries, name, target))
        plain = {
            name: _dense(entry).to(target)
            for name, entry in entries.items()
            if name.rpartition(".")[0] not in packed
        }
    model.load_state_dict(plain, assign=True)
    return model.eval()


def _multiply_by_sparse(
    matrix: SparseColumns, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    starts, rows = matrix.starts.numpy(), matrix.rows.numpy()
    codes, table = matrix.codes.numpy(), matrix.table.numpy()
    if len(x) == 1:
        multiply_sparse(starts, rows, codes, table, x[0], y[0])
        return y
    transposed = np.zeros(y.shape[::-1], np.float32)
    columns = np.ascontiguousarray(x.T)
    multiply_sparse_batch(starts, rows, codes, table, columns, transposed)
    return np.ascontiguousarray(transposed.T)


def _multiply_by_dense(matrix: DenseColumns, x: np.ndarray, y: np.ndarray) -> None:
    codes, step = matrix.codes.numpy(), np.float32(matrix.step_size)
    if len(x) == 1:
        multiply_dense(codes, step, x[0], y[0])
    else:
        multiply_dense_batch(codes, step, x, y)


def _pack_layer(
    entries: dict[str, Entry], name: str, device: torch.device
) -> PackedLinear | CudaPackedLinear:
    matrix = pack_matrix(entries[_join(name, "weight")])
    entry = entries.get(_join(name, "bias"))
    bias = None if entry is None else _dense(entry).float()
    if device.type == "cuda":
        return CudaPackedLinear(matrix, bias, device)
    return PackedLinear(matrix, bias)


def _dense(entry: Entry) -> Tensor:
    tensor = decode_entry(entry)
    return tensor.dequantize() if isinstance(tensor, QuantizedTensor) else tensor


def _compare_names(entries: dict[str, Entry], model: nn.Module) -> None:
    state = model.state_dict()
    missing = sorted(set(state) - set(entries))
    surplus = sorted(set(entries) - set(state))
    if missing or surplus:
        raise ValueError(
            f"the file lacks {missing} of the model and has {surplus} more"
        )
    for name, entry in entries.items():
        if tuple(state[name].shape) != entry.shape:
            raise ValueError(
                f"{name!r} has the shape {entry.shape} in the file, but "
                f"{tuple(state[name].shape)} in the model"
            )


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
