import pytest
import torch
from scipy import stats

from cocodesign.kfac import running_mixup
from cocodesign.kfac.mixup import symmetric_beta


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_blends_as_a_loop_over_the_examples_does():
    examples = torch.randn(3, 4, 2, 5, generator=generator(1), dtype=torch.float64)
    targets = torch.eye(5, dtype=torch.float64)[
        torch.tensor([[0, 1], [2, 3], [4, 4], [1, 0]])
    ]
    examples = examples.reshape(3, 4, 10)[:, :2]
    steps = list(
        zip(examples, targets.transpose(0, 1)[:1].repeat(3, 1, 1)[:, :2], strict=True)
    )
    found, drawing = None, generator(7)
    previous, repeating = None, generator(7)
    for x, y in steps:
        found = running_mixup(x, y, found, alpha=0.6, generator=drawing)
        if previous is None:
            previous = x.clone(), y.clone()
        else:
            shares = symmetric_beta(len(x), 0.6, repeating).tolist()
            blended_x, blended_y = x.clone(), y.clone()
            for n, share in enumerate(shares):
                front = max(share, 1 - share)
                blended_x[n] = front * x[n] + (1 - front) * previous[0][n]
                blended_y[n] = front * y[n] + (1 - front) * previous[1][n]
            previous = blended_x, blended_y
        torch.testing.assert_close(found[0], previous[0])
        torch.testing.assert_close(found[1], previous[1])


@pytest.mark.parametrize("alpha", [0.4, 1.0, 2.5])
def test_shares_have_the_beta_distribution(alpha):
    drawn = symmetric_beta(4000, alpha, generator()).numpy()
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_tiny_alphas_do_not_underflow():
    drawn = symmetric_beta(100, 1e-3, generator())
    assert torch.isfinite(drawn).all()
    assert ((drawn < 0.01) | (drawn > 0.99)).double().mean() > 0.95


def test_refuses_an_incomplete_mini_batch():
    whole = torch.ones(4, 2), torch.ones(4, 3)
    with pytest.raises(ValueError, match="drop incomplete mini-batches"):
        running_mixup(
            torch.ones(3, 2), torch.ones(3, 3), whole, alpha=1.0, generator=generator()
        )


def test_refuses_an_alpha_of_zero():
    with pytest.raises(ValueError, match="alpha must be positive, got 0"):
        running_mixup(
            torch.ones(1, 1), torch.ones(1, 1), None, alpha=0.0, generator=generator()
        )
