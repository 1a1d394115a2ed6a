"""K-FAC against SGD on one device: steps and seconds to a target, cost of a step.

``python -m benchmarks.kfac_gpu`` takes most of Fashion-MNIST and mini-batches up to all
of it; ``--quick`` takes a corner of it, also on a CPU. The data must be there already.
The last line is one JSON object. ``python -m benchmarks.kfac`` is the comparison with
everybody else, on a CPU.
"""

from functools import partial

from benchmarks.measurement import parse_arguments, report
from cocodesign.data import load_dataset
from cocodesign.devices import choose_device
from cocodesign.models import ConvNet
from cocodesign.studies import (
    Contender,
    Rules,
    compare_convergence,
    comparison_metrics,
    examine_kfac,
)
from cocodesign.studies.task import MemoryTask
from cocodesign.training import keep_freed_memory

_NUM_FACTOR_EXAMPLES = 8_000


def make_rules(*, quick: bool) -> Rules:
    """Return the conditions; the quick ones only try that everything runs."""
    if quick:
        return Rules(0.5, (256, 2048), (4, 4), seeds=(0,), max_steps=20)
    return Rules(
        target_accuracy=0.87,
        mini_batch_sizes=(1688, 6750, 27_000, 54_000),
        evaluation_intervals=(5, 2, 1, 1),
        seeds=(0, 1, 2),
        max_steps=300,
    )


def main() -> None:
    """Run the comparison, look closer at K-FAC and print the metrics of both."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    keep_freed_memory()
    device = choose_device("auto")
    dataset = load_dataset("fashion_mnist", download=False)
    num_train, num_validation = (2048, 256) if quick else (54_000, 6_000)
    task = MemoryTask.of_images(dataset, num_train, num_validation, device)
    num_trials = 1 if quick else 8
    kfac = Contender.kfac(num_trials, num_factor_examples=_NUM_FACTOR_EXAMPLES)
    build_model = partial(
        ConvNet, patch_size=4, widths=(16, 32) if quick else (32, 64, 128)
    )
    rules = make_rules(quick=quick)
    comparison = compare_convergence(
        task,
        build_model,
        [Contender.sgd(num_trials), kfac],
        rules,
        report=lambda phase, outcome: print(phase, outcome.summary, flush=True),
    )
    smallest, *_, largest = rules.mini_batch_sizes
    examination = examine_kfac(
        task,
        build_model,
        comparison,
        kfac,
        final_steps={smallest: 20, largest: 20}
        if quick
        else {smallest: 320, largest: 100},
        num_refresh_steps=10 if quick else 100,
        num_factor_examples=_NUM_FACTOR_EXAMPLES,
    )
    metrics = comparison_metrics(comparison, baseline="SGD", candidate="K-FAC")
    result = {
        name: {
            "median": found.median,
            "values": list(found.values),
            "unit": found.unit,
            "note": found.note,
        }
        for name, found in {**metrics, **examination.metrics}.items()
    }
    report(
        {
            "device": str(device),
            "quick": quick,
            **result,
            "step_parts": examination.tables["step_parts"],
        },
        json_path=arguments.json,
    )


if __name__ == "__main__":
    main()
