# pyright: strict
"""What the programme claimed, and the verdict on its reproduction.

The ledger is ``claims.toml`` beside this module. Judging is pure: claims and
records in, verdicts out.

A verdict is

* ``PASS`` if the median over the seeds and every single seed meet the expectation;
* ``DRIFT`` if the median meets it but some seed does not, or if the median misses
  it by no more than the tolerance;
* ``FAIL`` if the median misses it by more;
* ``NOT RUN`` if no record measures it, with what is missing.

Where a claim expects several measurements at one profile, all of them count: its
verdict is the worst of theirs.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

from cocodesign.errors import ClaimsError
from cocodesign.results import PROFILES, Measurement, RunRecord, newest_record

Direction = Literal["at_least", "at_most"]
Status = Literal["PASS", "DRIFT", "FAIL", "NOT RUN"]
_SEVERITY: tuple[Status, ...] = ("PASS", "DRIFT", "FAIL")


@dataclass(frozen=True)
class Judgement:
    """How a claim is judged at one profile.

    Attributes:
        profile: The profile whose record counts.
        notebook: The notebook that writes the record.
        metric: The name of the measurement in the record.
        direction: Whether the measurement must be at least or at most ``expected``.
        expected: The value that the measurement must meet, in the claim's unit.
        tolerance: How far the median may miss ``expected`` and still only drift, as
            a fraction of it.
        basis: Where ``expected`` comes from, and how the task differs from the
            paper's.
    """

    profile: str
    notebook: str
    metric: str
    direction: Direction
    expected: float
    tolerance: float
    basis: str

    def meets(self, value: float) -> bool:
        """Return whether a value meets the expectation."""
        if self.direction == "at_least":
            return value >= self.expected
        return value <= self.expected

    def drifts(self, value: float) -> bool:
        """Return whether a value is off the expectation by no more than tolerated."""
        return abs(value - self.expected) <= self.tolerance * abs(self.expected)


@dataclass(frozen=True)
class Claim:
    """One claim of the programme.

    Attributes:
        id: A stable name.
        part: The package that reproduces it.
        sentence: The claim in our words.
        source: Where it was made.
        paper: The value as published.
        unit: The unit of the measured value.
        missing: What a verdict waits for where nothing measures the claim.
        judgements: How it is judged, by profile.
    """

    id: str
    part: str
    sentence: str
    source: str
    paper: str
    unit: str
    missing: str
    judgements: tuple[Judgement, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The judgement on a claim's reproduction.

    Attributes:
        claim: The claim.
        status: The verdict.
        reason: What was expected, measurement by measurement, or what is missing.
        measurement: What was measured, if anything.
        profile: The profile that was judged, if any.
        run_id: The run whose record was judged, if any.
    """

    claim: Claim
    status: Status
    reason: str
    measurement: Measurement | None = None
    profile: str | None = None
    run_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``cocodesign verdict --json`` prints for a claim."""
        found = self.measurement
        return {
            "id": self.claim.id,
            "status": self.status,
            "reason": self.reason,
            "paper": self.claim.paper,
            "measured": found.median if found else None,
            "spread": [found.low, found.high] if found else None,
            "profile": self.profile,
            "unit": self.claim.unit,
            "seeds": len(found.values) if found else 0,
            "simulated": found.simulated if found else None,
            "run_id": self.run_id,
            "part": self.claim.part,
            "sentence": self.claim.sentence,
            "source": self.claim.source,
        }


def load_claims(text: str | None = None) -> tuple[Claim, ...]:
    """Read the ledger of claims.

    Args:
        text: A ledger in TOML; the one of this package if ``None``.

    Returns:
        The claims in the ledger's order.

    Raises:
        ClaimsError: If the ledger is malformed; the message names the claim.
    """
    if text is None:
        ledger = resources.files("cocodesign").joinpath("claims.toml")
        text = ledger.read_text(encoding="utf-8")
    try:
        entries = tomllib.loads(text)["claim"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise ClaimsError(f"the ledger of claims cannot be read: {error!r}") from error
    claims = tuple(_claim(entry) for entry in entries)
    names = [claim.id for claim in claims]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ClaimsError(f"claims that stand twice in the ledger: {', '.join(twice)}")
    return claims


def judge(claims: Iterable[Claim], records: Sequence[RunRecord]) -> list[Verdict]:
    """Judge claims by records.

    A claim is judged at the largest profile for which a record has one of its
    metrics, each by the newest such record, and gets the worst of their verdicts.

    Args:
        claims: The ledger.
        records: All records at hand; those of other profiles are passed over.

    Returns:
        One verdict per claim, in the ledger's order.
    """
    return [_judge_one(claim, records) for claim in claims]


def _judge_one(claim: Claim, records: Sequence[RunRecord]) -> Verdict:
    for profile in reversed(PROFILES):
        found = [
            _compare(claim, judgement, record)
            for judgement in claim.judgements
            if judgement.profile == profile
            and (record := _record_of(judgement, records)) is not None
        ]
        if found:
            return _joined(found)
    return Verdict(claim, "NOT RUN", _what_is_missing(claim))


def _record_of(judgement: Judgement, records: Sequence[RunRecord]) -> RunRecord | None:
    measured = (each for each in records if judgement.metric in each.metrics)
    return newest_record(
        measured, notebook=judgement.notebook, profile=judgement.profile
    )


def _joined(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the first one, of the claim's own figure, with the worst status."""
    worst = max(verdicts, key=lambda each: _SEVERITY.index(each.status))
    reasons = dict.fromkeys(each.reason for each in verdicts)
    return replace(verdicts[0], status=worst.status, reason="; also ".join(reasons))


def _compare(claim: Claim, judgement: Judgement, record: RunRecord) -> Verdict:
    found = record.metrics[judgement.metric]
    num_met = sum(judgement.meets(value) for value in found.values)
    status: Status
    if judgement.meets(found.median):
        status = "PASS" if num_met == len(found.values) else "DRIFT"
    else:
        status = "DRIFT" if judgement.drifts(found.median) else "FAIL"
    sign = "≥" if judgement.direction == "at_least" else "≤"
    reason = (
        f"{judgement.metric} {found.median:.3g}, expected {sign} "
        f"{judgement.expected:g} {found.unit}".rstrip()
        + f" at profile {judgement.profile}, met by {num_met} of {len(found.values)} "
        + f"seeds; {judgement.basis}"
    )
    if found.note:
        reason += f"; {found.note}"
    if found.simulated:
        reason += "; simulated"
    return Verdict(claim, status, reason, found, judgement.profile, record.run_id)


def _what_is_missing(claim: Claim) -> str:
    if not claim.judgements:
        return f"nothing measures it yet; missing: {claim.missing}"
    smallest = min(claim.judgements, key=lambda each: PROFILES.index(each.profile))
    return (
        f"no record yet: cocodesign reproduce --profile {smallest.profile} "
        f"--only {claim.part}; missing {claim.missing}"
    )


def _claim(entry: Mapping[str, Any]) -> Claim:
    name = entry.get("id", "without id")
    fields = {key: value for key, value in entry.items() if key != "judgement"}
    try:
        judgements = tuple(Judgement(**each) for each in entry.get("judgement", ()))
        claim = Claim(**fields, judgements=judgements)
    except TypeError as error:
        raise ClaimsError(f"claim {name}: {error}") from error
    for judgement in judgements:
        if judgement.profile not in PROFILES:
            raise ClaimsError(
                f"claim {name}: profile {judgement.profile!r} is none of {PROFILES}"
            )
        if judgement.direction not in ("at_least", "at_most"):
            raise ClaimsError(
                f"claim {name}: direction {judgement.direction!r} is neither "
                "'at_least' nor 'at_most'"
            )
        if not math.isfinite(judgement.expected) or judgement.tolerance < 0:
            raise ClaimsError(
                f"claim {name}: expected must be finite and tolerance not negative, "
                f"got {judgement.expected} and {judgement.tolerance}"
            )
    return claim
