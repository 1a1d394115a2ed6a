from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.compression import quantize
from cocodesign.compression.centroids import CentroidTrainer
from cocodesign.robustness import PGD, AdversarialTraining, Ball, Trades, attack_all
from cocodesign.robustness.defences import Undefended
from cocodesign.robustness.hardening import learn_masks, train, tune_values
from cocodesign.robustness_study.networks import StridedNet
from cocodesign.seeding import seeded_globally
from tests.robustness.stripes import stripes

BALL = Ball("linf", 0.05)
Labelled = tuple[Tensor, Tensor]


def batches() -> Iterator[Labelled]:
    images, labels = stripes(256, seed=0)
    while True:
        yield from zip(images.split(64), labels.split(64), strict=True)


@pytest.fixture
def numbers() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    "defence",
    [AdversarialTraining(BALL), AdversarialTraining(BALL, 3), Trades(BALL, 2.0, 2)],
)
def test_the_defended_loss_is_above_the_plain_one(
    defence: AdversarialTraining | Trades,
    trained: nn.Module,
    pictures: Labelled,
    numbers: torch.Generator,
) -> None:
    plain = Undefended()(trained, *pictures, numbers)
    assert defence(trained, *pictures, numbers) > plain


def test_trades_without_weight_is_the_plain_loss(
    trained: nn.Module, pictures: Labelled, numbers: torch.Generator
) -> None:
    found = Trades(BALL, beta=0.0, num_steps=1)(trained, *pictures, numbers)
    expected = functional.cross_entropy(trained(pictures[0]), pictures[1])
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("defence", [AdversarialTraining(BALL), Trades(BALL)])
def test_training_under_attack_makes_robust(
    defence: AdversarialTraining | Trades,
    trained: nn.Module,
    pictures: Labelled,
    numbers: torch.Generator,
) -> None:
    with seeded_globally(0, "weights"):
        network = StridedNet((1, 8, 8), 4, channels=4, num_hidden=16)
    train(network, batches(), defence, numbers, num_steps=250, learning_rate=1e-2)
    before, after = (
        attack_all(each, *pictures, [PGD(20)], BALL).robust_accuracy
        for each in (trained, network)
    )
    assert after > before + 0.1


def test_learned_masks_keep_the_share_and_leave_plain_weights(
    numbers: torch.Generator,
) -> None:
    with seeded_globally(0, "weights"):
        network = StridedNet((1, 8, 8), 4, channels=4, num_hidden=16)
    names = [name for name, _ in network.named_parameters()]
    before = network.linear1.weight.detach().clone()
    masks = learn_masks(
        network,
        batches(),
        Undefended(),
        numbers,
        density=0.25,
        num_steps=5,
        learning_rate=0.1,
    )
    kept = sum(int(mask.sum()) for mask in masks.values())
    total = sum(mask.numel() for mask in masks.values())
    assert kept / total == pytest.approx(0.25, abs=0.02)
    assert sorted(name for name, _ in network.named_parameters()) == sorted(names)
    assert all(parameter.requires_grad for parameter in network.parameters())
    torch.testing.assert_close(
        network.linear1.weight.detach(), before * masks["linear1.weight"]
    )


def test_scores_learn_what_magnitudes_do_not_say(numbers: torch.Generator) -> None:
    # The large weights read noise, the small ones the class.
    network = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.5, 0.8]]))
    model = nn.Sequential(network, _AgainstZero())

    def readings() -> Iterator[Labelled]:
        while True:
            labels = torch.randint(0, 2, (64,), generator=numbers)
            signal = 2.0 * labels - 1.0
            noise = torch.randn(64, generator=numbers)
            yield torch.stack([signal, noise], 1), labels

    masks = learn_masks(
        model,
        readings(),
        Undefended(),
        numbers,
        density=0.5,
        num_steps=100,
        learning_rate=0.05,
    )
    assert masks["0.weight"].tolist() == [[True, False]]


class _AgainstZero(nn.Module):
    def forward(self, scores: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(scores), scores], 1)


def test_tuning_moves_values_and_keeps_symbols_and_zeros(
    trained: nn.Module, pictures: Labelled, numbers: torch.Generator
) -> None:
    with seeded_globally(0, "weights"):
        network = StridedNet((1, 8, 8), 4, channels=4, num_hidden=16)
    network.load_state_dict(trained.state_dict())
    tensors = quantize(network, num_bits=3)
    trainer = CentroidTrainer(network, tensors, lr=1e-3)
    start = {name: each.clone() for name, each in network.state_dict().items()}
    before = functional.cross_entropy(network(pictures[0]), pictures[1])
    tune_values(trainer, network, batches(), Undefended(), numbers, num_steps=20)
    after = functional.cross_entropy(network(pictures[0]), pictures[1])
    assert after < before
    name = "linear1.weight"
    now = network.state_dict()[name]
    assert not torch.equal(now, start[name])
    for value in start[name].unique():
        shared = now[start[name] == value].unique()
        assert len(shared) == 1
        assert value or not shared
    decoded = trainer.tensors()[name]
    torch.testing.assert_close(decoded.dequantize(), now)
