"""Layers that are taken apart compute what they computed, and hide nothing."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from cocodesign.kfac.layers import attend, recur
from cocodesign.seeding import seeded_globally
from tests.references.small_networks import drawn
from tests.tolerances import assert_close


class Recorder:
    """Adds up ``gᵀ x`` over all uses of every weight."""

    def __init__(self) -> None:
        self.products: dict[str, Tensor] = {}

    def __call__(self, weight: str, x: Tensor, output: Tensor, batch_dim: int) -> None:
        del batch_dim

        def add(gradient: Tensor) -> None:
            product = gradient.flatten(0, -2).T @ x.detach().flatten(0, -2)
            self.products[weight] = self.products.get(weight, 0) + product

        output.register_hook(add)


def built(make) -> nn.Module:
    with seeded_globally(0, "weights"):
        return make().double()


def total(output: object) -> Tensor:
    """Reduce whatever a layer returns to a number that depends on all of it."""
    if isinstance(output, PackedSequence):
        output = output.data
    if isinstance(output, Tensor):
        return (output * torch.linspace(0.5, 1.5, output.shape[-1]).to(output)).sum()
    return sum(total(each) for each in output if each is not None)


def flat(output: object) -> list[Tensor]:
    if isinstance(output, PackedSequence):
        return [output.data]
    if isinstance(output, Tensor):
        return [output]
    return [leaf for each in output if each is not None for leaf in flat(each)]


RECURRENT = {
    "LSTM": lambda: nn.LSTM(3, 4),
    "batch first": lambda: nn.LSTM(3, 4, batch_first=True),
    "deep and both ways": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "projected": lambda: nn.LSTM(3, 4, proj_size=2),
    "without bias": lambda: nn.LSTM(3, 4, bias=False),
    "GRU": lambda: nn.GRU(3, 4, num_layers=2),
    "GRU both ways": lambda: nn.GRU(3, 4, bidirectional=True, batch_first=True),
    "tanh": lambda: nn.RNN(3, 4),
    "relu": lambda: nn.RNN(3, 4, nonlinearity="relu"),
}


def recurrent_inputs(module: nn.RNNBase, kind: str) -> tuple[object, ...]:
    if kind == "one sequence":
        return (drawn(5, 3),)
    if kind == "packed":
        lengths = torch.tensor([2, 5, 3])  # not sorted
        return (
            pack_padded_sequence(
                drawn(5, 3, 3).transpose(0, 1),
                lengths,
                batch_first=True,
                enforce_sorted=False,
            ),
            first_states(module),
        )
    x = drawn(2, 5, 3) if module.batch_first else drawn(5, 2, 3)
    return (x,)


def first_states(module: nn.RNNBase) -> object:
    count = module.num_layers * (2 if module.bidirectional else 1)
    h = drawn(count, 3, module.proj_size or 4, seed=7)
    return (h, drawn(count, 3, 4, seed=8)) if isinstance(module, nn.LSTM) else h


@pytest.mark.parametrize("kind", ["batch", "one sequence", "packed"])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_layer_is_what_its_maps_make_of_it(name, kind):
    module = built(RECURRENT[name])
    inputs = recurrent_inputs(module, kind)
    expected = module(*inputs)
    total(expected).backward()
    recorder = Recorder()
    output = recur(module, recorder, *inputs)
    for ours, theirs in zip(flat(output), flat(expected), strict=True):
        assert_close(ours, theirs)
    total(output).backward()
    weights = {n for n, _ in module.named_parameters() if n.startswith("weight")}
    assert recorder.products.keys() == weights
    for weight, product in recorder.products.items():
        assert_close(
            product, getattr(module, weight).grad / 2
        )  # of two backward passes


def test_dropout_between_recurrent_layers_is_drawn():
    module = built(lambda: nn.GRU(3, 4, num_layers=2, dropout=0.5))
    x = drawn(5, 2, 3)
    with seeded_globally(0, "dropout"):
        first, _ = recur(module, Recorder(), x)
        second, _ = recur(module, Recorder(), x)
    assert not torch.equal(first, second)
    module.eval()
    assert_close(recur(module, Recorder(), x)[0], module(x)[0])


ATTENTION = {
    "packed weights": lambda: nn.MultiheadAttention(4, 2),
    "separate weights": lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=5),
    "batch first": lambda: nn.MultiheadAttention(4, 2, batch_first=True),
    "without bias": lambda: nn.MultiheadAttention(4, 1, bias=False),
    "added keys": lambda: nn.MultiheadAttention(
        4, 2, add_bias_kv=True, add_zero_attn=True
    ),
}


def attention_inputs(module: nn.MultiheadAttention, kind: str) -> tuple[Tensor, ...]:
    sizes = (module.embed_dim, module.kdim, module.vdim)
    lengths, count = (5, 3, 3), 2
    inputs = [
        drawn(length, count, size, seed=seed)
        for seed, (length, size) in enumerate(zip(lengths, sizes, strict=True))
    ]
    if kind == "one sequence":
        return tuple(each[:, 0] for each in inputs)
    if module.batch_first:
        inputs = [each.transpose(0, 1) for each in inputs]
    return tuple(inputs)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"need_weights": False},
        {"average_attn_weights": False},
        {"attn_mask": torch.ones(5, 3, dtype=torch.bool).triu(1)},
        {"key_padding_mask": torch.tensor([False, False, True])},
    ],
    ids=["plain", "without weights", "weights of heads", "mask", "padding"],
)
@pytest.mark.parametrize("kind", ["batch", "one sequence"])
@pytest.mark.parametrize("name", ATTENTION)
def test_attention_is_what_its_maps_make_of_it(name, kind, settings):
    module = built(ATTENTION[name])
    inputs = attention_inputs(module, kind)
    settings = dict(settings)
    if "key_padding_mask" in settings and kind == "batch":
        settings["key_padding_mask"] = settings["key_padding_mask"].expand(2, -1)
    expected = module(*inputs, **settings)
    total(expected).backward()
    recorder = Recorder()
    output = attend(module, recorder, *inputs, **settings)
    for ours, theirs in zip(flat(output), flat(expected), strict=True):
        assert_close(ours, theirs)
    total(output).backward()
    packed = module.in_proj_weight
    for index, inner in enumerate(("query", "key", "value")):
        gradient = (
            packed.grad.chunk(3)[index]
            if packed is not None
            else getattr(module, f"{inner[0]}_proj_weight").grad
        )
        assert_close(recorder.products[inner], gradient / 2)
    assert_close(recorder.products["out"], module.out_proj.weight.grad / 2)


def test_the_dropout_of_attention_is_drawn():
    module = built(lambda: nn.MultiheadAttention(4, 2, dropout=0.5))
    x = drawn(5, 2, 4)
    with seeded_globally(0, "dropout"):
        first, _ = attend(module, Recorder(), x, x, x)
        second, _ = attend(module, Recorder(), x, x, x)
    assert not torch.equal(first, second)
