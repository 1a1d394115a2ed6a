import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from benchmarks.kfac.adapters import FlattenedMuon, PreconditionedSGD, Together
from benchmarks.kfac.peers import PEERS
from cocodesign.models import ConvNet
from cocodesign.seeding import seeded_globally
from cocodesign.studies.designs import Setting
from cocodesign.training import warmup_polynomial


def network() -> ConvNet:
    with seeded_globally(0, "weights"):
        return ConvNet(widths=(4, 8), patch_size=4)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(64, 1, 28, 28, generator=generator),
        torch.randint(10, (64,), generator=generator),
    )


def test_optimizers_together_step_as_they_do_alone():
    together, alone = network(), network()
    pair = [
        SGD(together.features.parameters(), lr=0.1),
        AdamW(together.head.parameters(), lr=0.01),
    ]
    optimizer = Together(*pair)
    schedule = warmup_polynomial(optimizer, num_warmup_steps=4, num_steps=9, power=0.0)
    apart = [
        SGD(alone.features.parameters(), lr=0.1),
        AdamW(alone.head.parameters(), lr=0.01),
    ]
    for step in range(5):
        for model in (together, alone):
            model.zero_grad()
            nn.functional.cross_entropy(model(batch()[0]), batch()[1]).backward()
        for each, rate in zip(apart, (0.1, 0.01), strict=True):
            each.param_groups[0]["lr"] = rate * min(1, (step + 1) / 4)
            each.step()
        optimizer.step()
        schedule.step()
    for one, other in zip(together.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_muon_moves_a_convolution_by_an_orthogonal_matrix():
    model = network()
    weight = model.features[3].weight
    before = weight.detach().clone()
    optimizer = FlattenedMuon([weight], lr=0.1, momentum=0.0)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(batch()[0]), batch()[1]).backward()
    optimizer.step()
    moved = (weight.detach() - before).permute(0, 2, 3, 1).flatten(1)
    singular = torch.linalg.svdvals(moved) / 0.1
    # Muon's Newton-Schulz iteration brings singular values near 1, not to it.
    assert singular.min() > 0.3
    assert singular.max() < 1.6
    optimizer.zero_grad()
    assert weight.grad is None


def test_a_preconditioner_goes_before_the_step():
    weight = nn.Parameter(torch.ones(1))

    class Halver:
        def step(self) -> None:
            weight.grad *= 0.5

    optimizer = PreconditionedSGD([weight], lr=1.0, momentum=0.0)
    optimizer.preconditioner = Halver()
    weight.grad = torch.ones(1)
    optimizer.step()
    assert weight.item() == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
@pytest.mark.filterwarnings("ignore")  # peers' own deprecations
def test_an_installed_peer_learns(peer):
    contender = peer.contender(4, seed=0, factor_interval=2)
    if contender is None:
        pytest.skip(f"{peer.module} is not installed")
    model = network()
    damping = None if peer.box.damping is None else 0.03
    optimizer = contender.build(model, Setting(0.01, 0.5, 0, damping))
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        losses.append(float(contender.backward(model, optimizer, batch(), 1.0)))
        optimizer.step()
    assert losses[-1] < losses[0]
