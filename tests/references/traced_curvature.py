"""K-FAC's directions from definitions alone: slow, and without a formula for any layer.

What a weight ``W`` multiplies at a position is the derivative of one output with
respect to the row of ``W`` that makes it; what comes back is the derivative of one
example's loss with respect to that output. Both are asked of autograd, one number after
the other, so that patches, groups, paddings and strides need no second derivation here.
"""

import copy
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.GroupNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.LayerNorm,
    nn.RMSNorm,
)


@dataclass
class _Rows:
    """Rows of one kind of use of a weight, one list for each example."""

    inputs: list[list[list[Tensor]]] = field(default_factory=list)  # example, group
    gradients: list[list[list[Tensor]]] = field(default_factory=list)


def traced_directions(
    model: nn.Module,
    examples: Tensor,
    labels: Tensor,
    damping: float,
    *,
    weight_sharing: str = "expand",
) -> dict[nn.Parameter, Tensor]:
    """Solve the dense damped system of every layer for the gradient of the mean loss.

    The model consists of plain layers whose examples do not depend on one another.
    """
    model = _without_inplace(model)
    rows = _trace(model, examples, labels)
    parameters = [p for p in model.parameters() if p.requires_grad]
    loss = functional.cross_entropy(model(examples), labels)
    gradients = dict(
        zip(parameters, torch.autograd.grad(loss, parameters), strict=True)
    )
    directions: dict[nn.Parameter, Tensor] = {}
    modules: dict[nn.Parameter, list[nn.Module]] = defaultdict(list)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding, *_CONVOLUTIONS, *_TRANSPOSED)):
            modules[module.weight].append(module)
    for weight, users in modules.items():
        directions |= _solve(weight, users, rows, gradients, damping, weight_sharing)
    directions |= _solve_norms(model, examples, labels, gradients, damping)
    return directions


def _without_inplace(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


def _trace(
    model: nn.Module, examples: Tensor, labels: Tensor
) -> dict[nn.Module, _Rows]:
    """Run the examples one by one and take every use of every layer apart."""
    rows: dict[nn.Module, _Rows] = defaultdict(_Rows)
    for number, (example, label) in enumerate(zip(examples, labels, strict=True)):
        calls: list[tuple[nn.Module, Tensor, Tensor]] = []
        handles = [
            module.register_forward_hook(partial(_note_call, calls))
            for module in model.modules()
            if isinstance(
                module, (nn.Linear, nn.Embedding, *_CONVOLUTIONS, *_TRANSPOSED)
            )
        ]
        loss = functional.cross_entropy(model(example[None]), label[None])
        for handle in handles:
            handle.remove()
        gradients = torch.autograd.grad(loss, [output for _, _, output in calls])
        for (module, x, _), gradient in zip(calls, gradients, strict=True):
            found = rows[module]
            if len(found.inputs) == number:
                groups = getattr(module, "groups", 1)
                found.inputs.append([[] for _ in range(groups)])
                found.gradients.append([[] for _ in range(groups)])
            _take_apart(module, x.detach(), gradient, found)
    return rows


def _note_call(
    calls: list[tuple[nn.Module, Tensor, Tensor]],
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    output: Tensor,
) -> None:
    calls.append((module, inputs[0], output))


def _take_apart(module: nn.Module, x: Tensor, gradient: Tensor, found: _Rows) -> None:
    if isinstance(module, nn.Embedding):
        for index, row in zip(x.flatten(), gradient.flatten(0, -2), strict=True):
            one_hot = gradient.new_zeros(module.num_embeddings)
            if index != module.padding_idx:
                one_hot[index] = 1
                found.gradients[-1][0].append(row)
            else:
                found.gradients[-1][0].append(torch.zeros_like(row))
            found.inputs[-1][0].append(one_hot)
        return
    output = module(x)
    if isinstance(module, nn.Linear):
        output, gradient = (
            output.flatten(0, -2).T[None],
            gradient.flatten(0, -2).T[None],
        )
    output, gradient = output.flatten(2)[0], gradient.flatten(2)[0]
    groups = getattr(module, "groups", 1)
    size = len(output) // groups
    for position in range(output.shape[1]):
        for group in range(groups):
            made = output[group * size, position]
            (row,) = torch.autograd.grad(made, module.weight, retain_graph=True)
            if isinstance(module, _TRANSPOSED):
                channels = module.in_channels // groups
                row = row[group * channels : (group + 1) * channels, 0]
            else:
                row = row[group * size]
            row = row.flatten()
            if module.bias is not None:
                row = torch.cat([row, row.new_ones(1)])
            found.inputs[-1][group].append(row)
            channels_here = slice(group * size, (group + 1) * size)
            found.gradients[-1][group].append(gradient[channels_here, position])


def factors_of(rows: _Rows, group: int, weight_sharing: str) -> tuple[Tensor, Tensor]:
    """Return A and G of one kind of use, as their definitions have them."""
    num_examples = len(rows.inputs)
    inputs = [torch.stack(example[group]) for example in rows.inputs]
    gradients = [torch.stack(example[group]) for example in rows.gradients]
    if weight_sharing == "reduce":
        means = torch.stack([each.mean(0) for each in inputs])
        sums = torch.stack([each.sum(0) for each in gradients])
        return means.T @ means / num_examples, sums.T @ sums / num_examples
    num_positions = len(inputs[0])
    a_factor = sum(each.T @ each for each in inputs) / num_examples
    g_factor = sum(each.T @ each for each in gradients) / num_examples / num_positions
    return a_factor, g_factor


def _solve(
    weight: nn.Parameter,
    users: list[nn.Module],
    rows: dict[nn.Module, _Rows],
    gradients: dict[nn.Parameter, Tensor],
    damping: float,
    weight_sharing: str,
) -> dict[nn.Parameter, Tensor]:
    module = users[-1]
    if isinstance(module, nn.Embedding):
        frequency, g_factor = factors_of(rows[module], 0, "expand")
        solution = damped_solution(frequency, g_factor, gradients[weight].T, damping)
        return {weight: solution.T}
    joined = _joined([rows[user] for user in users if type(user) is type(module)])
    tables = [rows[user] for user in users if isinstance(user, nn.Embedding)]
    bias = module.bias
    solutions = []
    groups = getattr(module, "groups", 1)
    for group in range(groups):
        a_factor, g_factor = factors_of(joined, group, weight_sharing)
        if tables:
            a_factor, g_factor = _with_table(a_factor, g_factor, tables[0])
        gradient = _rows_of(module, gradients[weight], group)
        if bias is not None:
            column = gradients[bias].view(groups, -1)[group]
            gradient = torch.cat([gradient, column[:, None]], 1)
        solutions.append(damped_solution(a_factor, g_factor, gradient, damping))
    found = {}
    if bias is not None:
        found[bias] = torch.cat([each[:, -1] for each in solutions])
        solutions = [each[:, :-1] for each in solutions]
    if isinstance(module, _TRANSPOSED):
        parts = [
            each.unflatten(1, (module.in_channels // groups, *weight.shape[2:]))
            for each in solutions
        ]
        found[weight] = torch.cat([each.transpose(0, 1) for each in parts])
    else:
        found[weight] = torch.cat(solutions).view(weight.shape)
    return found


def _joined(all_rows: list[_Rows]) -> _Rows:
    """Take the uses of tied layers for more positions of one."""
    joined = copy.deepcopy(all_rows[0])
    for rows in all_rows[1:]:
        for here, more in (
            (joined.inputs, rows.inputs),
            (joined.gradients, rows.gradients),
        ):
            for example, others in zip(here, more, strict=True):
                for group, extra in zip(example, others, strict=True):
                    group.extend(extra)
    return joined


def _with_table(
    a_factor: Tensor, g_factor: Tensor, table: _Rows
) -> tuple[Tensor, Tensor]:
    """Add an embedding's use of the same weight, balanced by the four traces."""
    frequency, moment = factors_of(table, 0, "expand")
    balance = (
        (g_factor.trace() * moment.trace()) / (a_factor.trace() * frequency.trace())
    ).sqrt()
    size = len(moment)
    padded = torch.zeros_like(a_factor)
    padded[:size, :size] = moment / balance
    return a_factor + padded, (g_factor + balance * frequency) / 2


def _rows_of(module: nn.Module, gradient: Tensor, group: int) -> Tensor:
    """Return a weight's gradient as a matrix with one row per output of the group."""
    if isinstance(module, _TRANSPOSED):
        channels = module.in_channels // module.groups
        here = gradient[group * channels : (group + 1) * channels]
        return here.transpose(0, 1).flatten(1)
    size = len(gradient) // getattr(module, "groups", 1)
    return gradient[group * size : (group + 1) * size].flatten(1)


def _solve_norms(
    model: nn.Module,
    examples: Tensor,
    labels: Tensor,
    gradients: dict[nn.Parameter, Tensor],
    damping: float,
) -> dict[nn.Parameter, Tensor]:
    found: dict[nn.Parameter, Tensor] = {}
    for module in model.modules():
        if not isinstance(module, _NORMS):
            continue
        trained = [p for p in module.parameters(recurse=False) if p.requires_grad]
        per_example = []
        for example, label in zip(examples, labels, strict=True):
            loss = functional.cross_entropy(model(example[None]), label[None])
            parts = torch.autograd.grad(loss, trained)
            per_example.append(torch.stack([part.flatten() for part in parts]))
        solutions = []
        for feature in range(trained[0].numel()):
            fisher = sum(
                torch.outer(each[:, feature], each[:, feature]) for each in per_example
            ) / len(examples)
            damped = fisher + damping * torch.eye(len(trained)).to(fisher)
            gradient = torch.stack(
                [gradients[parameter].flatten()[feature] for parameter in trained]
            )
            solutions.append(torch.linalg.solve(damped, gradient))
        for parameter, solution in zip(trained, torch.stack(solutions).T, strict=True):
            found[parameter] = solution.view(parameter.shape)
    return found


def damped_solution(
    a_factor: Tensor, g_factor: Tensor, gradient: Tensor, damping: float
) -> Tensor:
    """Solve the dense damped Kronecker system for a gradient of ``d_out × d_in``."""
    a_scale = a_factor.trace() / len(a_factor)
    pi = (a_scale / (g_factor.trace() / len(g_factor))).sqrt()
    a_damped = a_factor + pi * damping**0.5 * torch.eye(len(a_factor)).to(a_factor)
    g_damped = g_factor + damping**0.5 / pi * torch.eye(len(g_factor)).to(g_factor)
    block = torch.kron(g_damped, a_damped)  # rows of the gradient are stacked
    solution = torch.linalg.solve(block, gradient.flatten())
    return solution.view(gradient.shape)
