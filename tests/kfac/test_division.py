"""Several ranks with a share each are one rank with the whole mini-batch."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.collectives import Communicator, local_communicator
from cocodesign.collectives.memory import InMemory, run_in_memory
from cocodesign.kfac import KFAC, StaleSchedule

MINI_BATCH_SIZE = 12
TOLERANCE = 1e-12  # float64, sums in another order

# COMM-OPT, HYBRID-OPT and MEM-OPT, for 2, 3 and 4 ranks.
GRIDS = [(2, 1), (2, 2), (3, 1), (3, 3), (4, 1), (4, 2), (4, 4)]
each_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.random.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(64, 6),
        nn.LayerNorm(6),
        nn.Tanh(),
        nn.Linear(6, 3, bias=False),
    ).double()


class Training:
    """A few steps of one rank.

    Args:
        network: What is trained; it is copied.
        communicator: The ranks.
        settings: Of the optimizer.
    """

    def __init__(
        self, network: nn.Module, communicator: Communicator, **settings: Any
    ) -> None:
        self.model = copy.deepcopy(network)
        settings = {"lr": 0.05, "factor_interval": 3, **settings}
        self.optimizer = KFAC(self.model, communicator=communicator, **settings)
        self._rank, self._world_size = communicator.rank, communicator.world_size

    def run(
        self, steps: range, *, num_passes: int = 1, observes: bool = False
    ) -> list[Tensor]:
        """Train and return the parameters."""
        for step in steps:
            self.optimizer.zero_grad()
            examples, labels = share_of(step, self._rank, self._world_size)
            parts = (each.chunk(num_passes) for each in (examples, labels))
            for x, y in zip(*parts, strict=True):
                scores = self.model(x)
                if observes:
                    self.optimizer.observe(scores)
                (functional.cross_entropy(scores, y) / num_passes).backward()
            self.optimizer.step()
        return [each.detach().clone() for each in self.model.parameters()]


def share_of(step: int, rank: int, world_size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    examples = torch.randn(MINI_BATCH_SIZE, 2, 6, 6, generator=generator).double()
    labels = torch.randint(3, (MINI_BATCH_SIZE,), generator=generator)
    size = MINI_BATCH_SIZE // world_size
    own = slice(rank * size, (rank + 1) * size)
    return examples[own], labels[own]


def largest_difference(ours: list[Tensor], others: list[Tensor]) -> float:
    pairs = zip(ours, others, strict=True)
    return max((one - other).abs().max().item() for one, other in pairs)


def compare(
    network: nn.Module,
    grid: tuple[int, int],
    train: Callable[[Training], list[Tensor]],
    **settings: Any,
) -> None:
    """Hold ranks of a grid against one rank, and their replicas against each other."""
    world_size, num_workers = grid
    alone = train(Training(network, local_communicator(), **settings))
    results = run_in_memory(
        world_size,
        lambda c: train(Training(network, c, num_workers=num_workers, **settings)),
    )
    assert largest_difference(results[0], alone) < TOLERANCE
    for each in results:
        assert all(map(torch.equal, each, results[0]))


@pytest.mark.slow
@each_grid
def test_ranks_with_shares_make_the_step_of_the_whole(
    network: nn.Module, grid: tuple[int, int]
) -> None:
    compare(network, grid, lambda each: each.run(range(5)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"factor_interval": StaleSchedule(0.5)},
        {"kl_clip": None, "momentum": 0.0},
        {"weight_sharing": "reduce", "weight_decay": 0.1},
    ],
    ids="-".join,
)
def test_whatever_the_settings(network: nn.Module, settings: dict[str, Any]) -> None:
    compare(network, (4, 2), lambda each: each.run(range(5)), **settings)


def test_accumulated_passes_add_up_on_every_rank(network: nn.Module) -> None:
    compare(network, (2, 1), lambda each: each.run(range(4), num_passes=3))


def test_the_exact_fisher_is_that_of_all_ranks(network: nn.Module) -> None:
    compare(
        network,
        (3, 1),
        lambda each: each.run(range(3), observes=True),
        fisher_type="exact",
    )


def test_a_sum_over_the_examples_is_a_sum_over_the_ranks(network: nn.Module) -> None:
    def train(communicator: Communicator) -> list[Tensor]:
        training = Training(
            network, communicator, lr=0.005, loss_reduction="sum", kl_clip=None
        )
        for step in range(4):
            training.optimizer.zero_grad()
            x, y = share_of(step, communicator.rank, communicator.world_size)
            functional.cross_entropy(training.model(x), y, reduction="sum").backward()
            training.optimizer.step()
        return [each.detach() for each in training.model.parameters()]

    alone = train(local_communicator())
    for each in run_in_memory(3, train):
        assert largest_difference(each, alone) < TOLERANCE


def test_projection_takes_the_halves_of_all_ranks(network: nn.Module) -> None:
    def train(communicator: Communicator) -> list[Tensor]:
        training = Training(network, communicator, num_workers=1)
        for step in range(3):
            training.optimizer.zero_grad()
            for half in (0, 1):
                x, y = share_of(
                    2 * step + half, communicator.rank, communicator.world_size
                )
                if half:
                    training.optimizer.mark_half()
                (functional.cross_entropy(training.model(x), y) / 2).backward()
            training.optimizer.step()
        return [each.detach() for each in training.model.parameters()]

    alone = train(local_communicator())
    for each in run_in_memory(2, train):
        assert largest_difference(each, alone) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("interval", [3, StaleSchedule(0.5)], ids=["fixed", "stale"])
def test_a_state_continues_on_any_number_of_ranks(
    network: nn.Module, interval: int | StaleSchedule
) -> None:
    """In the middle of an interval; on as many ranks as before, to the bit."""

    def train_and_save(communicator: Communicator) -> tuple[Any, Any, list[Tensor]]:
        training = Training(
            network, communicator, num_workers=1, factor_interval=interval
        )
        training.run(range(5))
        states = (
            copy.deepcopy(training.model.state_dict()),
            copy.deepcopy(training.optimizer.state_dict()),
        )
        return *states, training.run(range(5, 8))

    weights, state, expected = run_in_memory(2, train_and_save)[0]

    def resume(communicator: Communicator, num_workers: int) -> list[Tensor]:
        training = Training(
            network, communicator, num_workers=num_workers, factor_interval=interval
        )
        training.model.load_state_dict(weights)
        training.optimizer.load_state_dict(copy.deepcopy(state))
        return training.run(range(5, 8))

    for each in run_in_memory(2, lambda c: resume(c, 1)):
        assert all(map(torch.equal, each, expected))
    others = [resume(local_communicator(), 1)]
    others += run_in_memory(3, lambda c: resume(c, 3))
    others += run_in_memory(4, lambda c: resume(c, 2))
    for each in others:
        assert largest_difference(each, expected) < TOLERANCE


def test_sampled_labels_differ_between_ranks_and_continue_to_the_bit(
    network: nn.Module,
) -> None:
    settings = {"fisher_type": "monte_carlo", "num_workers": 1}

    def train_and_resume(communicator: Communicator) -> list[list[Tensor]]:
        training = Training(network, communicator, **settings)
        training.run(range(2), observes=True)
        twin = Training(network, communicator, **settings)
        twin.model.load_state_dict(copy.deepcopy(training.model.state_dict()))
        state = copy.deepcopy(training.optimizer.state_dict())
        assert not torch.equal(*state["generator"])
        twin.optimizer.load_state_dict(state)
        return [each.run(range(2, 5), observes=True) for each in (training, twin)]

    for one, other in run_in_memory(2, train_and_resume):
        assert all(map(torch.equal, one, other))


def test_every_rank_saves_the_same_complete_state(network: nn.Module) -> None:
    def train(communicator: Communicator) -> Any:
        training = Training(network, communicator, num_workers=1)
        training.run(range(2))
        return training.optimizer.state_dict()["blocks"]

    first, *others = run_in_memory(3, train)
    for block in first.values():
        for name in block.keys() & {"A", "G", "F"}:
            assert {"average", "inverse"} <= block[name].keys()
    for other in others:
        assert str(other) == str(first)


def test_stale_statistics_are_not_sent_and_fresh_ones_as_triangles(
    network: nn.Module,
) -> None:
    def train(communicator: Communicator) -> tuple[int, int]:
        assert isinstance(communicator, InMemory)
        training = Training(network, communicator, num_workers=1, factor_interval=4)
        training.run(range(5))
        before = communicator.num_bytes_sent
        training.run(range(5, 8))  # nothing is due
        stale = communicator.num_bytes_sent
        training.run(range(8, 9))
        return stale - before, communicator.num_bytes_sent - stale

    results = run_in_memory(2, train)
    stale, fresh = (sum(each) for each in zip(*results, strict=True))
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    # Both ranks send all gradients, and each direction is sent once.
    assert stale == 3 * 3 * 8 * num_parameters
    sides = [10, 2, 10, 2, 65, 6, 6, 3]  # A and G of two groups and two layers
    num_statistics = 3 * 6 + sum(side * (side + 1) // 2 for side in sides)
    assert fresh == stale // 3 + 8 * num_statistics


def test_the_number_of_workers_is_that_of_copies_of_an_inverse(
    network: nn.Module,
) -> None:
    def num_held(communicator: Communicator, num_workers: int) -> int:
        training = Training(network, communicator, num_workers=num_workers)
        training.run(range(2))
        return sum(
            statistic.inverse is not None
            for block in training.optimizer.blocks.values()
            for statistic in block.statistics.values()
        )

    alone = num_held(local_communicator(), 1)
    assert sum(run_in_memory(4, lambda c: num_held(c, 1))) == alone
    assert sum(run_in_memory(4, lambda c: num_held(c, 2))) == 2 * alone
    assert sum(run_in_memory(4, lambda c: num_held(c, 4))) == 4 * alone


def test_refuses_workers_that_do_not_divide_the_ranks(network: nn.Module) -> None:
    def build(communicator: Communicator) -> None:
        Training(network, communicator, num_workers=2)

    with pytest.raises(ValueError, match="must divide the 3 ranks, got 2"):
        run_in_memory(3, build)
