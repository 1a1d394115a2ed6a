import pytest
import torch
from torch import nn

from benchmarks.compression_gpu import measure_pruning, measure_stack


def stack() -> nn.Sequential:
    return nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 5)).eval()


@pytest.mark.slow
def test_all_forms_are_timed_and_agree_on_the_cpu() -> None:
    found = measure_stack(stack(), 40, torch.device("cpu"))
    assert set(found["fc_us"]["1"]) == {"fp32", "packed"}
    assert found["packed_difference"] == 0
    assert found["fp32_bytes"] == 4 * (40 * 30 + 30 + 30 * 5 + 5)
    assert found["missing"] == []


@pytest.mark.slow
def test_a_pruned_step_is_timed_beside_a_plain_one() -> None:
    assert measure_pruning(stack(), 40)["pruning_step_overhead"] > 0
