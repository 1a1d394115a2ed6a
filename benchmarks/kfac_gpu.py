"""K-FAC against SGD on one device: steps and seconds to a target, cost of a step.

``python -m benchmarks.kfac_gpu`` takes all of Fashion-MNIST and mini-batches up to
half of it; ``--quick`` takes a corner of it, also on a CPU. The data must be there
already. The last line is one JSON object.
"""

from benchmarks.measurement import parse_arguments, report
from cocodesign.data import load_dataset
from cocodesign.devices import choose_device
from cocodesign.models import ConvNet
from cocodesign.studies import (
    Contender,
    Rules,
    Task,
    compare_convergence,
    comparison_metrics,
)
from cocodesign.training import keep_freed_memory


def make_rules(*, quick: bool) -> Rules:
    """Return the conditions; the quick ones only try that everything runs."""
    return Rules(
        target_accuracy=0.5 if quick else 0.87,
        mini_batch_sizes=(256,) if quick else (2048, 8192, 30000),
        seeds=(0,) if quick else (0, 1, 2),
        max_steps=20 if quick else 600,
        num_trial_steps=8 if quick else 300,
        num_validation=256 if quick else 6000,
        evaluation_interval=4,
    )


def main() -> None:
    """Run the comparison and print its metrics."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    keep_freed_memory()
    device = choose_device("auto")
    dataset = load_dataset("fashion_mnist", download=False)
    num_train = 2048 if quick else len(dataset.train)
    train_images, test_images = (each.to(device) for each in dataset.normalised())
    task = Task(
        train_images[:num_train],
        dataset.train.labels[:num_train].to(device),
        test_images,
        dataset.test.labels.to(device),
    )
    contenders = [
        Contender.sgd([0.25, 0.5, 1.0, 2.0]),
        Contender.kfac([0.1, 0.3], [1e-4, 1e-3], num_factor_examples=512),
    ]
    comparison = compare_convergence(
        task,
        ConvNet,
        contenders,
        make_rules(quick=quick),
        report=lambda phase, outcome: print(phase, outcome.summary, flush=True),
    )
    metrics = comparison_metrics(comparison, baseline="SGD", candidate="K-FAC")
    result = {
        name: {
            "median": found.median,
            "values": list(found.values),
            "unit": found.unit,
            "note": found.note,
        }
        for name, found in metrics.items()
    }
    report({"device": str(device), "quick": quick, **result}, json_path=arguments.json)


if __name__ == "__main__":
    main()
