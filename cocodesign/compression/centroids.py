"""Values that symbols stand for, trained while the symbols stay."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cocodesign.compression.quantized import Codebook, QuantizedTensor


class CentroidTrainer:
    """Trains what the symbols of a quantized model stand for.

    The gradient of a value is the sum of the gradients of the weights that share it;
    zeros stay zeros. Source: Han, Mao & Dally (2016), arXiv:1510.00149, Section 3.3.
    Different here: tensors that are not quantized, such as biases, learn as well, and
    the optimizer is Adam.

    Call ``step`` after ``backward``, in place of an optimizer's::

        trainer = CentroidTrainer(model, quantize(model, num_bits=5), lr=1e-4)
        for images, labels in batches:
            cross_entropy(model(images), labels).backward()
            trainer.step()
        encode_model(trainer.tensors(), "model.ccz")

    Args:
        model: Gets the weights that the symbols stand for, now and after every step.
        tensors: From ``quantize`` of this model.
        lr: Learning rate, relative to the size of each tensor's values for the
            quantized ones.

    Raises:
        KeyError: If a quantized tensor is no parameter of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        tensors: Mapping[str, QuantizedTensor | Tensor],
        *,
        lr: float,
    ) -> None:
        self._model = model
        self._tensors = dict(tensors)
        self._parameters = dict(model.named_parameters())
        self._tables: dict[str, nn.Parameter] = {}
        self._indices: dict[str, Tensor] = {}
        self._levels: dict[str, tuple[int, ...]] = {}
        groups: list[dict[str, object]] = []
        for name, tensor in self._tensors.items():
            if isinstance(tensor, QuantizedTensor):
                groups.append(self._share(name, tensor, lr))
            elif name in self._parameters:
                with torch.no_grad():
                    self._parameters[name].copy_(tensor)
                groups.append({"params": [self._parameters[name]], "lr": lr})
        self._optimizer = torch.optim.Adam(groups, lr=lr)
        self._write()

    def _share(
        self, name: str, tensor: QuantizedTensor, lr: float
    ) -> dict[str, object]:
        weights = self._parameters[name]
        symbols = tensor.symbols.to(weights.device)
        levels, index = symbols.unique(return_inverse=True)
        values = tensor.quantizer.dequantize(levels.int())
        table = nn.Parameter(values.to(weights))
        self._levels[name] = tuple(int(level) for level in levels)
        self._tables[name], self._indices[name] = table, index
        size = float(values.abs().mean())
        return {"params": [table], "lr": lr * size if size else lr}

    @torch.no_grad()
    def step(self) -> None:
        """Move the values down their gradients; the model's gradients are cleared."""
        for name, table in self._tables.items():
            gradient = self._parameters[name].grad
            if gradient is None:
                continue
            shared = torch.zeros_like(table)
            shared.index_add_(0, self._indices[name].flatten(), gradient.flatten())
            shared[table == 0] = 0
            table.grad = shared
        self._optimizer.step()
        self._optimizer.zero_grad()
        for parameter in self._parameters.values():
            parameter.grad = None
        self._write()

    @torch.no_grad()
    def _write(self) -> None:
        for name, table in self._tables.items():
            self._parameters[name].copy_(table[self._indices[name]])

    def tensors(self) -> dict[str, QuantizedTensor | Tensor]:
        """Return the model as ``encode_model`` takes it, the trained values in it."""
        state = self._model.state_dict()
        found: dict[str, QuantizedTensor | Tensor] = {}
        for name, tensor in self._tensors.items():
            if isinstance(tensor, QuantizedTensor) and any(self._levels[name]):
                found[name] = self._quantized(name, tensor)
            elif isinstance(tensor, QuantizedTensor):
                found[name] = tensor
            else:
                found[name] = state[name].detach().clone()
        return found

    def _quantized(self, name: str, tensor: QuantizedTensor) -> QuantizedTensor:
        """Number the values from zero outwards again: training may have moved them."""
        values = self._tables[name].detach().cpu().float()
        by_value = {float(value): 0 for value in values}
        negative = sorted((v for v in by_value if v < 0), reverse=True)
        positive = sorted(v for v in by_value if v > 0)
        symbol_of = {0.0: 0}
        symbol_of |= {value: -1 - i for i, value in enumerate(negative)}
        symbol_of |= {value: 1 + i for i, value in enumerate(positive)}
        symbols = torch.tensor([symbol_of[float(value)] for value in values])
        return QuantizedTensor(
            symbols.int()[self._indices[name].cpu()],
            Codebook(tuple(negative), tuple(positive)),
            tensor.dtype,
        )
