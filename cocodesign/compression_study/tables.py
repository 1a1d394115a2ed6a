"""The study as metrics and tables of a run record."""

from collections.abc import Mapping, Sequence

from cocodesign.compression.shrinking import smallest
from cocodesign.compression_study.alexnet_study import Outcome
from cocodesign.results import Column, Measurement

_KNEE_DROP = 0.01


def study_metrics(
    outcomes: Sequence[Outcome],
) -> dict[str, Measurement]:
    """Return the record's metrics.

    Args:
        outcomes: One per seed.

    Returns:
        Measurements by name.
    """
    drops = tuple(100 * (o.dense_test - o.compressed_test) for o in outcomes)
    return {
        "alexnet_ratio": Measurement(
            tuple(o.file.compression_ratio for o in outcomes),
            "x",
            note="fp32 bytes of torchvision's AlexNet over bytes of the file",
        ),
        "alexnet_ratio_without_copies": Measurement(
            tuple(_bytes_without_copies(o) / o.file.file_bytes for o in outcomes),
            "x",
            note="of the fp32 bytes only one of the 36 copies in fc6 counts",
        ),
        "alexnet_accuracy_drop": Measurement(drops, "points", note="test pictures"),
        "alexnet_mean_accuracy_drop": Measurement(
            (sum(drops) / len(drops),), "points", note="mean over seeds"
        ),
        "alexnet_ratio_at_1_point": Measurement(
            tuple(_largest_ratio(o, _KNEE_DROP) for o in outcomes),
            "x",
            note="smallest file at most 1 point below on validation pictures, coded "
            "fast; 1 if there is none",
        ),
        "dense_accuracy": Measurement(
            tuple(o.dense_test for o in outcomes), "fraction"
        ),
        "compressed_accuracy": Measurement(
            tuple(o.compressed_test for o in outcomes), "fraction"
        ),
        "file_bytes": Measurement(
            tuple(float(o.file.file_bytes) for o in outcomes), "bytes"
        ),
        "fc_speedup_vs_fp32": Measurement(
            tuple(o.fc_s["fp32"] / o.fc_s["packed"] for o in outcomes),
            "x",
            note="fully connected layers, one picture, one thread, real activations",
        ),
    }


def study_tables(outcomes: Sequence[Outcome]) -> dict[str, Mapping[str, Column]]:
    """Return the record's tables: the curve of all points, and the chosen layers.

    Args:
        outcomes: One per seed.

    Returns:
        ``curve`` and ``layers``.
    """
    rows = [(o, point) for o in outcomes for point in o.points]
    full_bytes = outcomes[0].file.original_bytes
    layers = [(o, layer) for o in outcomes for layer in o.file.layers]
    return {
        "curve": {
            "seed": [o.seed for o, _ in rows],
            "density": [p.density for _, p in rows],
            "price": [p.price for _, p in rows],
            "file_bytes": [p.report.file_bytes for _, p in rows],
            "compression_ratio": [full_bytes / p.report.file_bytes for _, p in rows],
            "validation_accuracy": [p.accuracy for _, p in rows],
            "dense_validation_accuracy": [o.dense_validation for o, _ in rows],
            "is_chosen": [p is o.chosen for o, p in rows],
        },
        "layers": {
            "seed": [o.seed for o, _ in layers],
            "name": [layer.name for _, layer in layers],
            "num_weights": [layer.num_weights for _, layer in layers],
            "kept_fraction": [layer.kept_fraction for _, layer in layers],
            "payload_bytes": [layer.payload_bytes for _, layer in layers],
            "entropy_bits": [layer.entropy_bits for _, layer in layers],
        },
    }


def _bytes_without_copies(outcome: Outcome) -> int:
    return sum(each.nbytes for each in outcome.dense.state_dict().values())


def _largest_ratio(outcome: Outcome, drop: float) -> float:
    point = smallest(outcome.points, outcome.dense_validation - drop)
    if point is None:
        return 1.0
    return outcome.file.original_bytes / point.report.file_bytes
