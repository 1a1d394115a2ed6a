import pytest
import torch

from cocodesign.models import ConvNet
from cocodesign.studies import Contender, Rules, compare_convergence, examine_kfac
from cocodesign.studies.step_parts import PARTS
from cocodesign.studies.task import MemoryTask


@pytest.mark.slow
def test_an_examination_measures_what_its_tables_say():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (160,), generator=generator)
    images = (
        torch.rand(160, 1, 28, 28, generator=generator) + labels[:, None, None, None]
    )
    parts = zip(images.split((96, 32, 32)), labels.split((96, 32, 32)), strict=True)
    task = MemoryTask(*(tensor for part in parts for tensor in part))

    def build_model() -> ConvNet:
        return ConvNet(widths=(4, 8), patch_size=4)

    kfac = Contender.kfac(1)
    rules = Rules(0.99, (24, 96), (2, 2), (0, 1), max_steps=4)
    comparison = compare_convergence(task, build_model, [kfac], rules)
    found = examine_kfac(
        task,
        build_model,
        comparison,
        kfac,
        final_steps={24: 8, 96: 4},
        num_refresh_steps=6,
    )
    finals = found.tables["final_accuracies"]
    assert (
        list(zip(finals["batch_size"], finals["num_steps"], strict=True))
        == [
            (24, 8),
            (96, 4),
        ]
        * 2
    )
    gap = found.metrics["large_batch_accuracy_gap"]
    accuracies = finals["test_accuracy"]
    assert gap.values[0] == pytest.approx(100 * (accuracies[0] - accuracies[1]))
    skipped = found.metrics["skipped_refreshes_fraction"].median
    num_statistics = len(set(found.tables["refreshes"]["statistic"]))
    refreshes = len(found.tables["refreshes"]["step"])
    assert skipped == pytest.approx(1 - refreshes / (6 * num_statistics))
    step_parts = found.tables["step_parts"]
    assert step_parts["part"] == list(PARTS) * 3
    by_kind = {
        kind: sum(
            s
            for k, s in zip(step_parts["step"], step_parts["seconds"], strict=True)
            if k == kind
        )
        for kind in step_parts["step"]
    }
    ratio = by_kind["K-FAC, stale"] / by_kind["SGD"]
    assert found.metrics["stale_step_time_ratio"].median == pytest.approx(ratio)
    assert by_kind["K-FAC, stale"] <= by_kind["K-FAC, refreshed every step"]
