"""Recurrent layers, taken apart into their linear maps.

The fused kernels of LSTM, GRU and plain recurrent layers show neither the inputs of the
recurrent weights nor the gradients of the gates. Here the same equations run step by
step, those of the documentation of ``torch.nn.LSTM``, ``GRU`` and ``RNN``.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from cocodesign.kfac.layers.tap import Tap

RecurrentLayer = nn.LSTM | nn.GRU | nn.RNN
Hidden = Tensor | tuple[Tensor, ...]
Cell = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


def recur(
    module: RecurrentLayer,
    tap: Tap,
    input: Tensor | PackedSequence,
    hx: Hidden | None = None,
) -> tuple[Tensor | PackedSequence, Hidden]:
    """Compute what the layer's ``forward`` does, and show its linear maps.

    Args:
        module: The layer.
        tap: Is shown the maps, named as their weights; every step is a use.
        input: As for ``forward``.
        hx: As for ``forward``.

    Returns:
        What ``forward`` returns, up to rounding.
    """
    steps, is_batched = _steps(module, input)
    states = _first_states(module, steps[0], hx, is_batched=is_batched)
    if isinstance(input, PackedSequence) and input.sorted_indices is not None:
        states = tuple(each.index_select(1, input.sorted_indices) for each in states)
    num_directions = 2 if module.bidirectional else 1
    finals: list[tuple[Tensor, ...]] = []
    for layer in range(module.num_layers):
        outputs = []
        for direction in range(num_directions):
            suffix = f"_l{layer}" + ("_reverse" if direction else "")
            index = layer * num_directions + direction
            output, final = _sweep(
                partial(_cell, module, tap, suffix),
                steps,
                tuple(each[index] for each in states),
                reverse=bool(direction),
            )
            outputs.append(output)
            finals.append(final)
        steps = [torch.cat(pieces, -1) for pieces in zip(*outputs, strict=True)]
        if module.dropout and layer < module.num_layers - 1:
            steps = [
                functional.dropout(each, module.dropout, module.training)
                for each in steps
            ]
    hidden = tuple(torch.stack(each) for each in zip(*finals, strict=True))
    return _like_forward(module, input, steps, hidden, is_batched=is_batched)


def _cell(
    module: RecurrentLayer, tap: Tap, suffix: str, x: Tensor, state: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Return the state after one step: h, and c of an LSTM."""

    def linear(kind: str, values: Tensor) -> Tensor:
        name = f"weight_{kind}{suffix}"
        bias = getattr(module, f"bias_{kind}{suffix}", None)
        output = functional.linear(values, getattr(module, name), bias)
        tap(name, values, output, 0)
        return output

    from_input, from_hidden = linear("ih", x), linear("hh", state[0])
    if isinstance(module, nn.LSTM):
        i, f, g, o = (from_input + from_hidden).chunk(4, -1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (linear("hr", h) if module.proj_size else h), c
    if isinstance(module, nn.GRU):
        (x_r, x_z, x_n), (h_r, h_z, h_n) = (
            from_input.chunk(3, -1),
            from_hidden.chunk(3, -1),
        )
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        return ((1 - z) * n + z * state[0],)
    total = from_input + from_hidden
    return (total.tanh() if module.nonlinearity == "tanh" else total.relu(),)


def _sweep(
    cell: Cell, steps: Sequence[Tensor], state: tuple[Tensor, ...], *, reverse: bool
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """Run a cell over all steps; sequences that have ended keep their state."""
    outputs: dict[int, Tensor] = {}
    order = range(len(steps))
    for index in reversed(order) if reverse else order:
        x = steps[index]
        new = cell(x, tuple(each[: len(x)] for each in state))
        state = tuple(
            torch.cat([now, old[len(x) :].to(now.dtype)]) if len(x) < len(old) else now
            for now, old in zip(new, state, strict=True)
        )
        outputs[index] = new[0]
    return [outputs[index] for index in order], state


def _steps(
    module: RecurrentLayer, x: Tensor | PackedSequence
) -> tuple[list[Tensor], bool]:
    """Return the input step by step, and whether it has a batch axis."""
    if isinstance(x, PackedSequence):
        return list(x.data.split(x.batch_sizes.tolist())), True  # these are on the CPU
    if x.ndim == 2:
        return list(x.unsqueeze(1)), False
    return list(x.unbind(1 if module.batch_first else 0)), True


def _first_states(
    module: RecurrentLayer, x: Tensor, hx: Hidden | None, *, is_batched: bool
) -> tuple[Tensor, ...]:
    """Return h, and c of an LSTM, of the shape ``layers batch features``."""
    if hx is not None:
        given = hx if isinstance(hx, tuple) else (hx,)
        return given if is_batched else tuple(each.unsqueeze(1) for each in given)
    num_states = module.num_layers * (2 if module.bidirectional else 1)
    h = x.new_zeros(num_states, len(x), module.proj_size or module.hidden_size)
    if not isinstance(module, nn.LSTM):
        return (h,)
    return h, x.new_zeros(num_states, len(x), module.hidden_size)


def _like_forward(
    module: RecurrentLayer,
    x: Tensor | PackedSequence,
    steps: list[Tensor],
    hidden: tuple[Tensor, ...],
    *,
    is_batched: bool,
) -> tuple[Tensor | PackedSequence, Hidden]:
    """Arrange outputs and final states as ``forward`` does."""
    if isinstance(x, PackedSequence):
        if x.unsorted_indices is not None:
            hidden = tuple(each.index_select(1, x.unsorted_indices) for each in hidden)
        output = PackedSequence(
            torch.cat(steps), x.batch_sizes, x.sorted_indices, x.unsorted_indices
        )
    elif is_batched:
        output = torch.stack(steps, 1 if module.batch_first else 0)
    else:
        output = torch.stack(steps).squeeze(1)
        hidden = tuple(each.squeeze(1) for each in hidden)
    return output, hidden if isinstance(module, nn.LSTM) else hidden[0]
