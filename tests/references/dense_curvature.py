"""Curvature by plain loops over examples and positions: slow and obvious."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


def example_gradients(
    model: nn.Module, examples: Tensor, labels: Tensor, parameters: Sequence[Tensor]
) -> list[Tensor]:
    """Return each example's gradient of its own cross-entropy, as one vector."""
    gradients = []
    for example, label in zip(examples, labels, strict=True):
        loss = nn.functional.cross_entropy(model(example[None]), label[None])
        parts = torch.autograd.grad(loss, list(parameters))
        gradients.append(torch.cat([part.flatten() for part in parts]))
    return gradients


def empirical_fisher(
    model: nn.Module, examples: Tensor, labels: Tensor, parameters: Sequence[Tensor]
) -> Tensor:
    """Return the mean outer product of the examples' gradients."""
    gradients = example_gradients(model, examples, labels, parameters)
    return torch.stack([torch.outer(g, g) for g in gradients]).mean(0)


def output_gradients(
    layer: nn.Module, head: nn.Module, examples: Tensor, labels: Tensor
) -> list[Tensor]:
    """Return each example's gradient with respect to the layer's output."""
    gradients = []
    for example, label in zip(examples, labels, strict=True):
        output = layer(example[None]).detach().requires_grad_()
        loss = nn.functional.cross_entropy(head(output), label[None])
        gradients.append(torch.autograd.grad(loss, output)[0][0])
    return gradients


def linear_factors(
    layer: nn.Linear, head: nn.Module, examples: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``A`` and ``G`` of a linear layer without weight sharing."""
    one = examples.new_ones(1)
    a_factor = sum_of_outer(
        [x if layer.bias is None else torch.cat([x, one]) for x in examples]
    )
    g_factor = sum_of_outer(output_gradients(layer, head, examples, labels))
    return a_factor / len(examples), g_factor / len(examples)


def convolution_factors(
    layer: nn.Conv2d, head: nn.Module, examples: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``A`` and ``G`` of a zero-padded convolution, features channel by channel.

    ``A`` is ordered as ``layer.weight.flatten(1)``, with the bias last.
    """
    gradients = output_gradients(layer, head, examples, labels)
    num_positions = gradients[0][0].numel()
    patches = []
    for example in examples:
        padded = nn.functional.pad(
            example, (layer.padding[1],) * 2 + (layer.padding[0],) * 2
        )
        for row in range(gradients[0].shape[1]):
            for column in range(gradients[0].shape[2]):
                patch = [
                    padded[
                        channel,
                        row * layer.stride[0] + u * layer.dilation[0],
                        column * layer.stride[1] + v * layer.dilation[1],
                    ]
                    for channel in range(layer.in_channels)
                    for u in range(layer.kernel_size[0])
                    for v in range(layer.kernel_size[1])
                ]
                one = [] if layer.bias is None else [examples.new_ones(())]
                patches.append(torch.stack(patch + one))
    columns = [
        gradient[:, row, column]
        for gradient in gradients
        for row in range(gradient.shape[1])
        for column in range(gradient.shape[2])
    ]
    a_factor = sum_of_outer(patches) / len(examples)
    g_factor = sum_of_outer(columns) / (len(examples) * num_positions)
    return a_factor, g_factor


def sum_of_outer(vectors: Sequence[Tensor]) -> Tensor:
    """Return the sum of the vectors' outer products with themselves."""
    total = torch.zeros(len(vectors[0]), len(vectors[0]), dtype=vectors[0].dtype)
    for vector in vectors:
        total = total + torch.outer(vector, vector)
    return total


def damped_solution(
    a_factor: Tensor, g_factor: Tensor, gradient: Tensor, damping: float
) -> Tensor:
    """Solve the dense damped Kronecker system for a gradient of ``d_out × d_in``."""
    pi = (
        (a_factor.trace() / len(a_factor)) / (g_factor.trace() / len(g_factor))
    ).sqrt()
    a_damped = a_factor + pi * damping**0.5 * torch.eye(len(a_factor)).to(a_factor)
    g_damped = g_factor + damping**0.5 / pi * torch.eye(len(g_factor)).to(g_factor)
    block = torch.kron(g_damped, a_damped)  # rows of the gradient are stacked
    return torch.linalg.solve(block, gradient.flatten()).view_as(gradient)
