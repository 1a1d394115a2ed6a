"""DeepBench's training convolutions, the sizes that micro-batching was judged by.

``deepbench.csv`` holds the 94 sizes of ``training_set`` in
``code/kernels/conv_problems.h`` of github.com/baidu-research/DeepBench (Apache-2.0), in
that order; facts, no code. They come from speech, text, face and speaker recognition,
vision and residual networks.
"""

import csv
from importlib import resources

from cocodesign.microbatch.problem import ConvProblem

_WINDOW_LAYERS = (
    "27x27 128->128 3x3",
    "14x14 128->256 3x3",
    "7x7 256->512 3x3",
    "28x28 128->128 3x3",
    "14x14 256->256 3x3",
    "7x7 512->512 3x3",
    "6x60 64->128 3x3",
    "28x28 192->32 5x5",
    "14x14 512->48 5x5",
    "7x7 832->128 5x5",
)


def deepbench_layers(mini_batch_size: int | None = None) -> tuple[ConvProblem, ...]:
    """Return DeepBench's training convolutions.

    Args:
        mini_batch_size: Gives all of them this mini-batch, and each layer once;
            ``None`` leaves the list as it is, with mini-batches of 4 to 32.

    Returns:
        The problems, in the list's order.

    Example:
        >>> len(deepbench_layers()), len(deepbench_layers(256))
        (94, 55)
    """
    table = resources.files("cocodesign.microbatch").joinpath("deepbench.csv")
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    problems = [_problem(row) for row in rows]
    if mini_batch_size is None:
        return tuple(problems)
    return tuple(dict.fromkeys(p.with_mini_batch(mini_batch_size) for p in problems))


def window_layers(mini_batch_size: int) -> tuple[ConvProblem, ...]:
    """Return ten of the layers with windows of 3x3 and 5x5 without stride.

    A fixed choice, made before anything was measured: layers of every kind that a
    division may help, each of which takes a core less than a second at 128 examples.

    Args:
        mini_batch_size: The mini-batch of all of them.

    Returns:
        The problems.
    """
    by_label = {problem.label: problem for problem in deepbench_layers(mini_batch_size)}
    return tuple(by_label[label] for label in _WINDOW_LAYERS)


def _problem(row: dict[str, str]) -> ConvProblem:
    def pair(name: str) -> tuple[int, int]:
        return int(row[f"{name}_height"]), int(row[f"{name}_width"])

    return ConvProblem(
        int(row["mini_batch_size"]),
        int(row["in_channels"]),
        int(row["out_channels"]),
        (int(row["height"]), int(row["width"])),
        pair("kernel"),
        pair("stride"),
        pair("padding"),
        (1, 1),
    )
