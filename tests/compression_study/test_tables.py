import pytest
from torch import nn

from cocodesign.compression.report import CompressionReport, LayerReport
from cocodesign.compression.shrinking import Point
from cocodesign.compression_study import Outcome, study_metrics, study_tables


def outcome(seed: int, compressed_test: float) -> Outcome:
    points = tuple(
        Point(density, 0.0, accuracy, CompressionReport((), file_bytes, 0), {})
        for density, accuracy, file_bytes in (
            (0.1, 0.91, 4_000),
            (0.05, 0.90, 2_000),
            (0.02, 0.895, 1_000),
            (0.01, 0.5, 500),
        )
    )
    layer = LayerReport("fc", 250_000, 1_000_000, 1_900, 0.05, 7, 9_000.0)
    return Outcome(
        seed=seed,
        dense_validation=0.9,
        dense_test=0.89,
        compressed_test=compressed_test,
        points=points,
        chosen=points[1],
        file=CompressionReport((layer,), 2_000, 1_000_000),
        dense=nn.Linear(99, 1),
        fc_s={"packed": 1e-3, "fp32": 8e-3},
    )


OUTCOMES = (outcome(0, 0.886), outcome(1, 0.890))


def test_drops_are_in_points_by_seed_and_in_the_mean() -> None:
    metrics = study_metrics(OUTCOMES)
    assert metrics["alexnet_accuracy_drop"].values == pytest.approx((0.4, 0.0))
    assert metrics["alexnet_mean_accuracy_drop"].values == pytest.approx((0.2,))


def test_ratios_are_of_all_bytes_of_one_copy_and_at_the_knee() -> None:
    metrics = study_metrics(OUTCOMES)
    assert metrics["alexnet_ratio"].values == (500.0, 500.0)
    assert metrics["alexnet_ratio_without_copies"].values == (0.2, 0.2)  # 400 / 2,000
    assert metrics["alexnet_ratio_at_1_point"].values == (1000.0, 1000.0)
    assert metrics["fc_speedup_vs_fp32"].values == pytest.approx((8.0, 8.0))


def test_the_curve_has_every_point_and_rings_one_per_seed() -> None:
    curve = study_tables(OUTCOMES)["curve"]
    assert curve["compression_ratio"] == [250.0, 500.0, 1000.0, 2000.0] * 2
    assert curve["is_chosen"] == [False, True, False, False] * 2
    assert curve["seed"] == [0] * 4 + [1] * 4


def test_layers_are_those_of_the_chosen_files() -> None:
    layers = study_tables(OUTCOMES)["layers"]
    assert layers["name"] == ["fc", "fc"]
    assert layers["payload_bytes"] == [1_900, 1_900]
