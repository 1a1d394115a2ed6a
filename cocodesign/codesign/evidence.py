# pyright: strict
"""Which measurement of which record is which factor of the account."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cocodesign.codesign.account import Account
from cocodesign.codesign.factors import Chain, Factor
from cocodesign.results import RunRecord, newest_record


@dataclass(frozen=True)
class Rule:
    """How a factor comes from a record.

    Attributes:
        name: The factor's name.
        chain: Where it acts.
        notebook: Whose record is read.
        metric: The measurement that is read.
        over: A measurement that it is divided by; empty for none.
        inverted: Whether smaller measurements are better.
        scale: On what it was taken.
    """

    name: str
    chain: Chain
    notebook: str
    metric: str
    scale: str
    over: str = ""
    inverted: bool = False


RULES = (
    Rule(
        "iterations to the target",
        "training",
        "10_kfac_convergence",
        "steps_ratio_batch_12000",
        "K-FAC against SGD at full batch, 12,000 Fashion-MNIST images, a small network",
    ),
    Rule(
        "time of an iteration",
        "training",
        "10_kfac_convergence",
        "stale_step_time_ratio",
        "K-FAC with stale statistics against SGD, the same task, two CPU cores",
        inverted=True,
    ),
    Rule(
        "convolutions of an iteration",
        "training",
        "20_microbatch_workspace",
        "alexnet_step_gain",
        "AlexNet's training step in the memory of torch's own, one CPU thread",
    ),
    Rule(
        "communication of an iteration",
        "training",
        "60_collectives_scaling",
        "weak_efficiency_tuned",
        "16,384 GPUs of a machine like ABCI, a step of ResNet-50, tuned against ring",
        over="weak_efficiency_ring",
    ),
    Rule(
        "fully connected layers from the file",
        "inference",
        "30_compression_alexnet",
        "fc_speedup_vs_fp32",
        "AlexNet on 64x64 Fashion-MNIST, batch 1, one CPU thread",
    ),
)
"""Every factor once: the video part's and the events part's do not multiply here."""


def factors_of(
    records: Iterable[RunRecord], profile: str
) -> tuple[Account, dict[str, str]]:
    """Read the factors of a profile from its newest records.

    Args:
        records: Any records.
        profile: Which profile's.

    Returns:
        The account, and by factor what is missing for those that no record gives.
    """
    known = list(records)
    found: list[Factor] = []
    missing: dict[str, str] = {}
    for rule in RULES:
        record = newest_record(known, notebook=rule.notebook, profile=profile)
        if record is None:
            missing[rule.name] = f"no record of {rule.notebook} at profile {profile}"
            continue
        values = _values(rule, record)
        if not values:
            missing[rule.name] = f"{record.run_id} has no {rule.metric}"
            continue
        measured = record.metrics[rule.metric]
        found.append(
            Factor(
                rule.name,
                rule.chain,
                values,
                "simulated" if measured.simulated else "measured",
                rule.scale,
                record.run_id,
                is_bound="lower bound" in measured.note,
            )
        )
    return Account(tuple(found)), missing


def _values(rule: Rule, record: RunRecord) -> tuple[float, ...]:
    measured = record.metrics.get(rule.metric)
    if measured is None:
        return ()
    values = measured.values
    if rule.over:
        other = record.metrics.get(rule.over)
        if other is None:
            return ()
        values = tuple(one / two for one, two in zip(values, other.values, strict=True))
    return tuple(1 / value for value in values) if rule.inverted else values


def account_table(
    account: Account, missing: Mapping[str, str]
) -> dict[str, list[str | float | bool | None]]:
    """Return the account as columns of a run record.

    Args:
        account: The factors.
        missing: What is missing for the others.

    Returns:
        Columns ``factor``, ``chain``, ``value``, ``low``, ``high``, ``evidence``,
        ``is_bound``, ``scale`` and ``source``; a missing factor has no value.
    """
    rows: list[tuple[str | float | bool | None, ...]] = [
        (
            each.name,
            each.chain,
            each.value,
            min(each.values),
            max(each.values),
            each.evidence,
            each.is_bound,
            each.scale,
            each.source,
        )
        for each in account.factors
    ]
    chains = {rule.name: rule.chain for rule in RULES}
    rows += [
        (name, chains[name], None, None, None, "missing", None, "", reason)
        for name, reason in missing.items()
    ]
    names = (
        *("factor", "chain", "value", "low", "high", "evidence"),
        *("is_bound", "scale", "source"),
    )
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}
