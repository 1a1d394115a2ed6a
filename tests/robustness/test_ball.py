import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.robustness import Ball

NORMS = st.sampled_from(["linf", "l2"])
RADII = st.floats(1e-3, 5)
SEEDS = st.integers(0, 2**31)


def draw(seed: int, low: float, high: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(3, 2, 4, 4, generator=generator)


@given(NORMS, RADII, SEEDS)
def test_projected_pictures_are_in_the_ball_and_the_range(
    norm: str, radius: float, seed: int
) -> None:
    ball = Ball(norm, radius)
    centres = draw(seed, 0, 1)
    projected = ball.project(draw(seed + 1, -3, 4), centres)
    assert 0 <= projected.min() <= projected.max() <= 1
    assert (ball.distance(projected, centres) <= radius * (1 + 1e-5) + 1e-7).all()


@given(NORMS, RADII, SEEDS)
def test_what_is_inside_stays(norm: str, radius: float, seed: int) -> None:
    ball = Ball(norm, radius)
    centres = draw(seed, 0.2, 0.8)
    inside = ball.project(draw(seed + 1, 0, 1), centres)
    torch.testing.assert_close(ball.project(inside, centres), inside)


@given(NORMS, RADII, SEEDS)
def test_samples_are_in_the_ball(norm: str, radius: float, seed: int) -> None:
    ball = Ball(norm, radius)
    centres = draw(seed, 0, 1)
    sampled = ball.sample(centres, torch.Generator().manual_seed(seed))
    assert 0 <= sampled.min() <= sampled.max() <= 1
    assert (ball.distance(sampled, centres) <= radius * (1 + 1e-5) + 1e-7).all()


def test_half_of_the_samples_are_in_the_ball_of_half_the_volume() -> None:
    ball, dimension = Ball("l2", 0.1), 4
    centres = torch.full((4000, 1, 2, 2), 0.5)
    sampled = ball.sample(centres, torch.Generator().manual_seed(0))
    inner = 0.1 * 0.5 ** (1 / dimension)
    share = (ball.distance(sampled, centres) < inner).double().mean().item()
    assert math.isclose(share, 0.5, abs_tol=0.03)


@given(NORMS, SEEDS)
def test_no_other_unit_step_climbs_a_plane_faster(norm: str, seed: int) -> None:
    ball = Ball(norm, 1.0)
    slope = draw(seed, -1, 1)
    best = (ball.direction(slope) * slope).sum((1, 2, 3))
    other = draw(seed + 1, -1, 1)
    other = other / ball.distance(other, torch.zeros_like(other)).reshape(-1, 1, 1, 1)
    assert ((other * slope).sum((1, 2, 3)) <= best * (1 + 1e-5)).all()


@pytest.mark.parametrize("radius", [0.0, -1.0, math.inf, math.nan])
def test_refuses_a_radius_that_is_none(radius: float) -> None:
    with pytest.raises(ValueError, match="radius must be positive and finite"):
        Ball("linf", radius)
