"""Which kinds of layers K-FAC covers, and whether it computes them rightly.

``python -m benchmarks.kfac_coverage`` runs 17 small networks, one for each kind of
layer that an optimizer of this family was seen to refuse, to skip or to get wrong. A
case passes if every trainable parameter is preconditioned, the first step is the dense
solution of every layer's damped system (float64, relative error below 1e-5), and two
more steps leave finite weights. The last line is one JSON object.
"""

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.measurement import parse_arguments, report
from cocodesign.kfac import KFAC
from cocodesign.seeding import random_stream, seeded_globally
from tests.references.explicit_layers import (
    ExplicitEncoderLayer,
    ExplicitRecurrence,
)
from tests.references.traced_curvature import traced_directions

DAMPING = 0.05
TOLERANCE = 1e-5
_LABELS = torch.tensor([0, 2, 1, 1])
_NUM_CLASSES = 3
_VOCABULARY = 7


@dataclass(frozen=True)
class Case:
    """A network, and the same one written in plain layers.

    Attributes:
        build: Makes the network.
        shape: Of one example; ``None`` for a sequence of four word indices.
        rewrite: Writes the network in plain layers, with copies of its parameters.
        origins: Where parameters of the rewritten network come from: by name, the name
            in the network and the rows; those not named have the same name in both.
    """

    build: Callable[[], nn.Module]
    shape: tuple[int, ...] | None
    rewrite: Callable[[nn.Module], nn.Module] = copy.deepcopy
    origins: Mapping[str, tuple[str, slice]] | None = None

    def examples(self) -> Tensor:
        """Draw four examples."""
        generator = random_stream(0, "coverage")
        if self.shape is None:
            return torch.randint(_VOCABULARY, (4, 4), generator=generator)
        return torch.randn(4, *self.shape, generator=generator, dtype=torch.float64)


class _Pooled(nn.Module):
    """A layer on pictures or series, and scores from its mean over positions."""

    def __init__(self, *layers: nn.Module, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(channels, _NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.layers(x)).flatten(2).mean(2))


class _Sequence(nn.Module):
    """A layer on sequences, and scores from its mean over positions."""

    def __init__(self, layer: nn.Module, size: int) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(size, _NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        output = self.layer(x)
        if isinstance(output, tuple):
            output = output[0]
        return self.head(output.mean(1))


class _TiedWords(nn.Module):
    """An embedding whose table is also the weight of the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(_VOCABULARY, 3)
        self.inner = nn.Linear(3, 3)
        self.scores = nn.Linear(3, _VOCABULARY)
        self.scores.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(torch.tanh(self.inner(self.words(x).mean(1))))


class _Twice(nn.Module):
    """A module that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.head = nn.Linear(4, _NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.layer(torch.tanh(self.layer(x)))))


def _convolution(make: Callable[[], nn.Conv2d]) -> Case:
    return Case(lambda: _Pooled(make(), channels=4), (4, 5, 4))


def _normed(norm: Callable[[], nn.Module], *, shape: tuple[int, ...]) -> Case:
    def build() -> nn.Module:
        layer = norm().eval()  # an example's normalisation is its own
        return _Pooled(nn.Conv2d(2, 4, 2), layer, channels=4)

    return Case(build, shape)


def _rewritten_encoder(network: nn.Module) -> nn.Module:
    twin = copy.deepcopy(network)
    assert isinstance(twin.layer, nn.TransformerEncoderLayer)
    twin.layer = ExplicitEncoderLayer(twin.layer)
    return twin


def _rewritten_recurrence(network: nn.Module) -> nn.Module:
    twin = copy.deepcopy(network)
    assert isinstance(twin.layer, nn.LSTM | nn.GRU)
    twin.layer = ExplicitRecurrence(twin.layer)
    return twin


def _attention_origins(prefix: str, size: int) -> dict[str, tuple[str, slice]]:
    whole = slice(None)
    origins = {
        f"{prefix}out.{kind}": (f"{prefix}out_proj.{kind}", whole)
        for kind in ("weight", "bias")
    }
    for index in range(3):
        rows = slice(index * size, (index + 1) * size)
        for kind in ("weight", "bias"):
            packed = f"{prefix}in_proj_{kind}", rows
            origins[f"{prefix}maps.{index}.{kind}"] = packed
    return origins


_RECURRENCE_ORIGINS = {
    f"layer.from_{source}.{kind}": (f"layer.{kind}_{short}_l0", slice(None))
    for source, short in (("input", "ih"), ("hidden", "hh"))
    for kind in ("weight", "bias")
}

CASES: dict[str, Case] = {
    "linear": Case(
        lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)), (5,)
    ),
    "convolution": _convolution(lambda: nn.Conv2d(4, 4, 3, padding=1)),
    "convolution and batch normalisation": _normed(
        lambda: nn.BatchNorm2d(4), shape=(2, 4, 4)
    ),
    "in-place activation": Case(
        lambda: _Pooled(nn.Conv2d(2, 4, 2), nn.ReLU(inplace=True), channels=4),
        (2, 4, 4),
    ),
    "grouped convolution": _convolution(lambda: nn.Conv2d(4, 4, 3, groups=2, stride=2)),
    "depthwise convolution": _convolution(lambda: nn.Conv2d(4, 4, 3, groups=4)),
    "dilated convolution": _convolution(lambda: nn.Conv2d(4, 4, 3, dilation=(2, 1))),
    "padding 'same'": _convolution(lambda: nn.Conv2d(4, 4, 3, padding="same")),
    "circular padding": _convolution(
        lambda: nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")
    ),
    "convolution over time": Case(
        lambda: _Pooled(nn.Conv1d(3, 4, 3, stride=2), channels=4), (3, 9)
    ),
    "transposed convolution": Case(
        lambda: _Pooled(nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1), channels=4),
        (3, 2, 3),
    ),
    "group normalisation": _normed(lambda: nn.GroupNorm(2, 4), shape=(2, 4, 4)),
    "layer normalisation": Case(
        lambda: _Sequence(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), 4), (5, 3)
    ),
    "tied embedding": Case(_TiedWords, None),
    "module called twice": Case(_Twice, (4,)),
    "transformer encoder": Case(
        lambda: _Sequence(
            nn.TransformerEncoderLayer(4, 2, 5, dropout=0.0, batch_first=True), 4
        ),
        (3, 4),
        _rewritten_encoder,
        _attention_origins("layer.self_attn.", 4),
    ),
    "LSTM": Case(
        lambda: _Sequence(nn.LSTM(3, 4, batch_first=True), 4),
        (3, 3),
        _rewritten_recurrence,
        _RECURRENCE_ORIGINS,
    ),
}

# Covered as well, beyond the 17.
FURTHER_CASES: dict[str, Case] = {
    "GRU": Case(
        lambda: _Sequence(nn.GRU(3, 4, batch_first=True), 4),
        (3, 3),
        _rewritten_recurrence,
        _RECURRENCE_ORIGINS,
    ),
    "volume convolution": Case(
        lambda: _Pooled(nn.Conv3d(2, 4, 2), channels=4), (2, 3, 3, 2)
    ),
    "transposed convolution in groups": Case(
        lambda: _Pooled(nn.ConvTranspose1d(4, 4, 2, groups=2, stride=2), channels=4),
        (4, 3),
    ),
    "reflected padding": _convolution(
        lambda: nn.Conv2d(4, 4, 3, padding=2, padding_mode="reflect")
    ),
    "embedding": Case(
        lambda: _Sequence(nn.Embedding(_VOCABULARY, 3, padding_idx=1), 3), None
    ),
    "scale without shift": Case(
        lambda: _Sequence(nn.Sequential(nn.Linear(3, 4), nn.RMSNorm(4)), 4), (5, 3)
    ),
    "instance normalisation": _normed(
        lambda: nn.InstanceNorm2d(4, affine=True), shape=(2, 4, 4)
    ),
}


def largest_error(case: Case) -> float:
    """Run a case.

    Args:
        case: The case.

    Returns:
        The largest error of a parameter's first step, relative to its largest entry.

    Raises:
        AssertionError: If a parameter is not covered, or a weight is not finite.
    """
    with seeded_globally(1, "weights"):
        network = case.build().double()
    _give_norms_something_to_do(network)
    examples = case.examples()
    labels = _LABELS
    rewritten = case.rewrite(network)
    expected = traced_directions(rewritten, examples, labels, DAMPING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an uncovered parameter is named by a warning
        optimizer = KFAC(network, lr=1.0, momentum=0.0, damping=DAMPING, kl_clip=None)
    moves: dict[str, Tensor] = {}
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for step in range(3):
        optimizer.zero_grad()
        functional.cross_entropy(network(examples), labels).backward()
        optimizer.step()
        if step == 0:
            moves = {
                name: before[name] - p.detach()
                for name, p in network.named_parameters()
            }
    assert all(p.isfinite().all() for p in network.parameters())
    names = {parameter: name for name, parameter in rewritten.named_parameters()}
    assert set(names) == set(expected), "a parameter has no expected step"
    errors = []
    for parameter, direction in expected.items():
        name, rows = (case.origins or {}).get(
            names[parameter], (names[parameter], slice(None))
        )
        error = (moves[name][rows] - direction).abs().max() / direction.abs().max()
        errors.append(error.item())
    return max(errors)


def coverage_passed() -> dict[str, bool]:
    """Run the 17 cases.

    Returns:
        Whether each passed, by its name.
    """
    return {name: _passes(case) for name, case in CASES.items()}


def _passes(case: Case) -> bool:
    try:
        return largest_error(case) < TOLERANCE
    except (AssertionError, UserWarning) as error:
        print(f"not covered: {error}")
        return False


def _give_norms_something_to_do(network: nn.Module) -> None:
    """Move scales, shifts and running statistics away from one and zero."""
    generator = random_stream(0, "norms")
    for module in network.modules():
        for name in ("weight", "bias", "running_mean", "running_var"):
            values = getattr(module, name, None)
            is_norm = "Norm" in type(module).__name__
            if is_norm and isinstance(values, Tensor):
                noise = torch.rand(values.shape, generator=generator).to(values)
                values.data.add_(noise)


def main() -> None:
    """Run the cases and print how many passed."""
    arguments = parse_arguments(__doc__)
    passed = coverage_passed()
    report(
        {
            "coverage_passed": sum(passed.values()),
            "coverage_cases": len(passed),
            "cases": passed,
        },
        json_path=arguments.json,
    )


if __name__ == "__main__":
    main()
