"""The whole question on StampEvents: does fusing help where examples are few?"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocodesign.events.collection import Collection
from cocodesign.events.composed import Composer, stamp_kits, stamp_photographs
from cocodesign.events.examination import (
    EvidenceExamination,
    ProbabilityExamination,
    examine_evidence,
    examine_probabilities,
)
from cocodesign.events.index import IndexedClip
from cocodesign.events.kits import EventKit
from cocodesign.events.opening import open_banks, open_space
from cocodesign.events.outcomes import (
    Outcome,
    Protocol,
    mean_by_condition,
    outcome_metrics,
    outcome_tables,
)
from cocodesign.events.pooling import pool_clips
from cocodesign.events.protocol import compare_methods, index_sets, plan_sets
from cocodesign.results import Column, Measurement

_VIDEOS = (
    ("vtest", "vtest.avi"),
    ("street_clips", "bikes.mp4"),
    ("street_clips", "bigbuckbunny.mp4"),
)


@dataclass(frozen=True)
class StampStudy:
    """What came out on StampEvents.

    Attributes:
        outcomes: How every method ranked, of all seeds.
        probabilities: Of the fused detectors, by seed.
        evidence: Of the fused detectors, by seed; ``None`` if nothing was detected.
        kits: The events.
        collection: All clips of the first seed, to search in.
        events: What its clips show, by id; empty for background.
    """

    outcomes: tuple[Outcome, ...]
    probabilities: tuple[ProbabilityExamination, ...]
    evidence: tuple[EvidenceExamination | None, ...]
    kits: tuple[EventKit, ...]
    collection: Collection
    events: dict[str, str]

    def curve(self, method: str, protocol: Protocol) -> dict[int, float]:
        """Return a method's mean average precision by number of examples.

        Args:
            method: Such as ``fused``.
            protocol: Where its examples come from.

        Returns:
            Percent, averaged over seeds. A method that uses no examples has the same
            value everywhere; one that needs some has none at 0.
        """
        table = {
            number: 100 * value
            for (name, kind, number), value in mean_by_condition(self.outcomes).items()
            if (name, kind) == (method, protocol)
        }
        if set(table) == {0}:
            return dict.fromkeys(self._nums_examples, table[0])
        return dict(sorted(table.items()))

    @property
    def _nums_examples(self) -> list[int]:
        return sorted({each.num_examples for each in self.outcomes})

    def metrics(self) -> dict[str, Measurement]:
        """Express the study as numbers that a claim can be judged by.

        Returns:
            Those of ``outcome_metrics``; ``calibration_error``,
            ``tail_calibration_error``, and ``evidence_cost`` and ``random_cost``,
            shares of the probability, where they could be measured.
        """
        found = outcome_metrics(self.outcomes)
        measured = [each for each in self.evidence if each is not None]
        tails = [each.tail_error for each in self.probabilities]
        columns = {
            "calibration_error": [each.error for each in self.probabilities],
            "tail_calibration_error": [each for each in tails if each is not None],
            "evidence_cost": [each.named_cost for each in measured],
            "random_cost": [each.random_cost for each in measured],
        }
        return found | {
            name: Measurement(tuple(values), "fraction")
            for name, values in columns.items()
            if values
        }

    def tables(self) -> dict[str, dict[str, Column]]:
        """Lay the study out as a table that a figure can draw.

        Returns:
            ``average_precisions``, see ``outcome_tables``, and the events' names as
            ``kits``.
        """
        kits: dict[str, Column] = {
            "event": [kit.id for kit in self.kits],
            "name": [kit.name for kit in self.kits],
        }
        return {**outcome_tables(self.outcomes), "kits": kits}


def study_stamps(
    folder_of: Callable[[str], Path],
    cache: Path,
    *,
    seeds: Sequence[int],
    bank_names: Sequence[str] = ("imagenet", "coco"),
    num_events: int = 20,
    num_test_positives: int = 8,
    num_test_backgrounds: int = 120,
    num_backgrounds: int = 100,
    nums_examples: Sequence[int] = (0, 1, 2, 5, 10),
    report: Callable[[str], None] | None = None,
) -> StampStudy:
    """Compose clips, index them, and let every method rank them.

    Args:
        folder_of: Gives the folder of a data set, such as ``fetch_dataset``.
        cache: Keeps clips and indices; what is there is not made again. One process
            at a time writes there.
        seeds: Of clips, examples and random frames; at least one.
        bank_names: What recognises concepts.
        num_events: The first of the twenty events, at least 2.
        num_test_positives: Test clips of every event.
        num_test_backgrounds: Test clips of none.
        num_backgrounds: Training clips of none, at least 2.
        nums_examples: How many examples per event; must contain 0.
        report: Is told a line now and then.

    Returns:
        The study.

    Raises:
        ValueError: If there is no seed, too few events, or no 0 examples.
    """
    all_kits = stamp_kits()
    if not seeds or 0 not in nums_examples:
        raise ValueError(
            f"needs a seed, and 0 among the numbers of examples; got {list(seeds)} "
            f"and {list(nums_examples)}"
        )
    if not 2 <= num_events <= len(all_kits):
        raise ValueError(f"num_events must lie in 2 to {len(all_kits)}: {num_events}")
    tell = report or (lambda _line: None)
    kits = all_kits[:num_events]
    photographs = stamp_photographs().select([kit.id for kit in kits])
    banks = open_banks(bank_names, folder_of, num_threads=1)
    space = open_space(
        [concept for bank in banks for concept in bank.concepts], folder_of, cache=cache
    )
    composer = Composer(
        folder_of("stamps"), [folder_of(name) / file for name, file in _VIDEOS]
    )
    outcomes: list[Outcome] = []
    probabilities, evidence, searchable = [], [], []
    for seed in seeds:
        sets = plan_sets(
            photographs,
            num_test_positives=num_test_positives,
            num_test_backgrounds=num_test_backgrounds,
            num_examples=max(nums_examples),
            num_backgrounds=num_backgrounds,
            seed=seed,
        )
        progress = _Progress(len(sets.all), tell)
        index = index_sets(
            sets,
            composer,
            banks,
            cache,
            num_workers=os.cpu_count() or 1,
            on_clip=progress,
        )
        clips = pool_clips(index)
        tell(f"seed {seed}: {len(clips)} clips indexed")
        outcomes += compare_methods(
            sets, clips, kits, space, nums_examples=nums_examples, seed=seed
        )
        number = max(nums_examples)
        probabilities.append(
            examine_probabilities(sets, clips, kits, space, num_examples=number)
        )
        evidence.append(
            examine_evidence(sets, index, kits, space, num_examples=number, seed=seed)
        )
        tell(f"seed {seed}: ranked")
        if not searchable:
            shown = {clip.id: clip.event for clip in sets.all}
            searchable.append((Collection(index, space), shown))
    collection, events = searchable[0]
    return StampStudy(
        tuple(outcomes), tuple(probabilities), tuple(evidence), kits, collection, events
    )


class _Progress:
    """Tells of every fiftieth clip."""

    def __init__(self, num_clips: int, tell: Callable[[str], None]) -> None:
        self._num_clips = num_clips
        self._tell = tell
        self._num_done = 0

    def __call__(self, clip: IndexedClip) -> None:
        self._num_done += 1
        if self._num_done % 50 == 0:
            self._tell(f"{self._num_done} of {self._num_clips} clips, last {clip.id}")
