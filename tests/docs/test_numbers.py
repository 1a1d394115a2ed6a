"""Numbers that pages quote are those of the committed records."""

import json
from pathlib import Path

import pytest

from cocodesign.project import find_project
from cocodesign.results import read_record
from tests.docs.markdown import PAGES

RECORDS = find_project(Path(__file__).parent).committed_records

# Page, record, metric, and how the page says it: of the median, of the lowest and the
# highest value in hundredths, or of what the metric's note says behind its comma.
QUOTED = [
    (
        "docs/compression.md",
        "30_compression_alexnet.laptop",
        "alexnet_ratio",
        "file is {median:.0f} times smaller",
    ),
    (
        "docs/compression.md",
        "30_compression_alexnet.laptop",
        "alexnet_ratio_without_copies",
        "{median:.0f} times if only one of the 36 copies",
    ),
    (
        "docs/compression.md",
        "30_compression_alexnet.laptop",
        "alexnet_mean_accuracy_drop",
        "{median:.1f} points of test accuracy in the mean",
    ),
    (
        "docs/compression.md",
        "30_compression_alexnet.laptop",
        "fc_speedup_vs_fp32",
        "{median:.0f} times as fast as torch's",
    ),
    (
        "docs/robustness.md",
        "35_robustness_arms.laptop",
        "robust_ratio",
        "a file {median:.0f} times smaller",
    ),
    (
        "docs/robustness.md",
        "35_robustness_arms.laptop",
        "robust_drop",
        "is {median:.1f} points less robust",
    ),
    (
        "docs/robustness.md",
        "35_robustness_arms.laptop",
        "compressed_vs_compact",
        "it is {median:.1f} points more robust",
    ),
    (
        "docs/kfac.md",
        "10_kfac_convergence.laptop",
        "skipped_refreshes_fraction",
        "{percent:.0f} % of the refreshes were saved",
    ),
    (
        "docs/kfac.md",
        "10_kfac_convergence.laptop",
        "stale_step_time_ratio",
        "took {median:.2f} times as long as SGD's",
    ),
    (
        "docs/microbatch.md",
        "20_microbatch_workspace.laptop",
        "gain_vs_undivided_8_mib",
        "within 8 MiB is {median:.2f} times the best undivided algorithm, single "
        "layers {note}",
    ),
    (
        "docs/microbatch.md",
        "20_microbatch_workspace.laptop",
        "gain_vs_undivided_128_mib",
        "Within 128 MiB it is {median:.2f}, single layers {note}.",
    ),
    (
        "docs/microbatch.md",
        "20_microbatch_workspace.laptop",
        "alexnet_step_gain",
        "step of AlexNet is {median:.2f} times",
    ),
    (
        "docs/microbatch.md",
        "20_microbatch_workspace.laptop",
        "resnet18_step_gain",
        "one of ResNet-18 {median:.2f} times",
    ),
    (
        "docs/skeleton.md",
        "50_skeleton_actions.laptop",
        "advantage_over_flat",
        "{percent:.1f} points above a flat one of equal size (95 % interval "
        "{low_percent:.1f} to {high_percent:.1f})",
    ),
    (
        "docs/skeleton.md",
        "50_skeleton_actions.laptop",
        "advantage_over_random_parts",
        "drawn at random ({low_percent:.1f} to {high_percent:.1f})",
    ),
    *(
        ("docs/codesign.md", "90_codesign_pipeline.laptop", metric, phrase)
        for metric, phrase in (
            ("kfac_steps_ratio", "without K-FAC took {median:.2f} times the steps"),
            ("kfac_seconds_ratio", "and {median:.2f} times the seconds, at least"),
            ("compression_ratio", "file is {median:.1f} times smaller"),
            ("frames_per_s_1080p", "from it {median:.0f} frames a second"),
            ("plan_seconds_ratio", "a training took {median:.2f} times the seconds"),
            ("people_precision", "of {percent:.0f} % precision against NanoDet"),
        )
    ),
]


@pytest.mark.parametrize(("page", "record", "metric", "phrase"), QUOTED)
def test_a_page_quotes_the_record_as_it_is(
    page: str, record: str, metric: str, phrase: str
) -> None:
    found = read_record(RECORDS / f"{record}.json").metrics[metric]
    expected = phrase.format(
        median=found.median,
        percent=100 * found.median,
        low_percent=100 * found.low,
        high_percent=100 * found.high,
        note=found.note.partition(", ")[2],
    ).replace("-", "−")
    text = " ".join(PAGES[page].read_text(encoding="utf-8").split())
    assert expected in text.replace("-", "−")
    assert f"{record}.json" in text


# How `docs/kfac.md` says what the committed benchmark measured.
BENCHMARKED = {
    "steps_ratio_vs_first_order/12000/median": "98 (AdamW) | {:.2f} |",
    "steps_ratio_vs_first_order/6000/median": "102 (AdamW) | {:.2f} |",
    "steps_ratio_vs_first_order/1500/median": "at most {:.2f} |",
    "races/12000/K-FAC/steps/median": "| 12,000, all there is | {:.0f} |",
    "races/6000/K-FAC/steps/median": "| 6,000 | {:.0f} |",
    "races/1500/K-FAC/steps/median": "| 1,500 | {:.0f} |",
    "races/12000/AdamW/steps/median": "| {:.0f} (AdamW) | 0.24",
    "races/6000/AdamW/steps/median": "| {:.0f} (AdamW) | 0.33",
    "races/12000/Muon/steps/median": "Muon needed {:.0f} steps",
    "races/12000/SOAP/steps/median": "SOAP {:.0f}, of which",
    "wall_ratio_vs_first_order/median": "At full batch it took {:.2f} times",
    "steps_ratio_vs_best_peer/median": "K-FAC's are {:.2f} times",
    "step_time_ratio_vs_sgd/12000/ratio": "takes {:.2f} times as long as SGD's at full",
    "step_time_ratio_vs_sgd/6000/ratio": "{:.2f} at 6,000 and",
    "step_time_ratio_vs_sgd/1500/ratio": "and {:.2f} at 1,500;",
    "step_time_ratio_vs_peer/ASDL/ratio": "{:.2f} times ASDL's step",
    "step_time_ratio_vs_peer/SINGD/ratio": "{:.2f} times SINGD's",
    "step_time_ratio_vs_peer/kfac-pytorch/ratio": "{:.2f} times kfac-pytorch's",
}


@pytest.mark.parametrize("where", BENCHMARKED)
def test_the_guide_quotes_the_benchmark_as_it_is(where: str) -> None:
    path = RECORDS.parents[1] / "benchmarks/results/cpu-2-cores/kfac.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    for key in where.split("/"):
        found = found[key]
    text = " ".join(PAGES["docs/kfac.md"].read_text(encoding="utf-8").split())
    assert BENCHMARKED[where].format(found) in text
