"""Trials on StampEvents: detectors with 0 to 10 examples, two kinds of examples.

*Shared* examples show the same photographs as the test clips, in other arrangements.
*Disjoint* ones show other photographs of other things: the first half of an event's
photographs is for testing, the second for these examples. Background for training comes
from the second half, so that no test clip's photographs were negatives before.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.banks import ConceptBank
from cocodesign.events.composed import (
    ComposedClip,
    Composer,
    Photographs,
    plan_clips,
)
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.few_shot import FewShotDetector
from cocodesign.events.fusion import FusedDetector
from cocodesign.events.index import ClipIndex, IndexedClip, build_index
from cocodesign.events.kits import EventKit
from cocodesign.events.outcomes import PROTOCOLS, Outcome, Protocol
from cocodesign.events.pooling import PooledClips
from cocodesign.events.reference import (
    reference_few_shot,
    reference_fusion,
    reference_zero_shot,
)
from cocodesign.events.scoring import average_precision
from cocodesign.events.zero_shot import Background, ZeroShotDetector


@dataclass(frozen=True)
class ClipSets:
    """The clips of one seed.

    Attributes:
        test: What is searched: positives of every event, and background.
        examples: By protocol, positives of every event.
        background: Clips without any event, for training.
    """

    test: tuple[ComposedClip, ...]
    examples: Mapping[Protocol, tuple[ComposedClip, ...]]
    background: tuple[ComposedClip, ...]

    @property
    def all(self) -> tuple[ComposedClip, ...]:
        """Every clip."""
        examples = [clip for clips in self.examples.values() for clip in clips]
        return (*self.test, *examples, *self.background)


def plan_sets(
    photographs: Photographs,
    *,
    num_test_positives: int,
    num_test_backgrounds: int,
    num_examples: int,
    num_backgrounds: int,
    seed: int,
) -> ClipSets:
    """Decide what all clips of a seed show.

    Args:
        photographs: What there is.
        num_test_positives: Test clips of every event.
        num_test_backgrounds: Test clips of none.
        num_examples: Examples of every event, for each protocol.
        num_backgrounds: Training clips of no event.
        seed: Of all choices.

    Returns:
        The recipes.
    """
    seeds = np.random.SeedSequence(seed).generate_state(4)
    return ClipSets(
        test=plan_clips(
            photographs,
            "first",
            num_positives=num_test_positives,
            num_backgrounds=num_test_backgrounds,
            seed=int(seeds[0]),
            prefix=f"test-{seed}-",
        ),
        examples={
            protocol: plan_clips(
                photographs,
                "first" if protocol == "shared" else "second",
                num_positives=num_examples,
                num_backgrounds=0,
                seed=int(seeds[1 + place]),
                prefix=f"{protocol}-{seed}-",
            )
            for place, protocol in enumerate(PROTOCOLS)
        },
        background=plan_clips(
            photographs,
            "second",
            num_positives=0,
            num_backgrounds=num_backgrounds,
            seed=int(seeds[3]),
            prefix=f"background-{seed}-",
        ),
    )


def index_sets(
    sets: ClipSets,
    composer: Composer,
    banks: Sequence[ConceptBank],
    folder: Path,
    *,
    num_workers: int = 1,
    on_clip: Callable[[IndexedClip], None] | None = None,
) -> ClipIndex:
    """Encode all clips as video files and index them; go on where a run was stopped.

    Args:
        sets: The recipes.
        composer: Makes the files.
        banks: Recognise concepts.
        folder: Gets a folder named after recipes and banks, with ``clips/`` and
            ``index/``.
        num_workers: How many frames are recognised at the same time.
        on_clip: Told of every clip that was indexed.

    Returns:
        The index.
    """
    recipe = repr((sets.all, [bank.name for bank in banks])).encode()
    home = folder / hashlib.sha256(recipe).hexdigest()[:12]
    paths = {clip.id: home / "clips" / f"{clip.id}.mp4" for clip in sets.all}
    for clip in sets.all:
        if not paths[clip.id].exists():
            composer.write(clip, paths[clip.id])
    return build_index(
        home / "index", paths, banks, num_workers=num_workers, on_clip=on_clip
    )


def compare_methods(
    sets: ClipSets,
    clips: PooledClips,
    kits: Sequence[EventKit],
    space: ConceptSpace,
    *,
    nums_examples: Sequence[int],
    seed: int,
) -> list[Outcome]:
    """Let every method rank the test clips for every event.

    Nothing is fitted to the test clips' labels. Detectors do see the test clips without
    labels, as a search system sees its collection.

    Args:
        sets: The recipes; they know the labels.
        clips: What all clips show.
        kits: The events.
        space: The concepts.
        nums_examples: How many examples per event, 0 and more.
        seed: Of the choice among the examples.

    Returns:
        One outcome per method, protocol and number of examples. Methods that use no
        examples are there once a protocol, with 0.
    """
    test = clips.select([clip.id for clip in sets.test])
    negatives = clips.select([clip.id for clip in sets.background])
    background = Background.measure(negatives)
    random = np.random.default_rng(seed)
    scores: dict[tuple[str, Protocol, int], dict[str, float]] = {}
    for kit in kits:
        labels = np.array([clip.event == kit.id for clip in sets.test]).astype(np.int8)
        plain = ZeroShotDetector.from_kit(kit, space, background)
        refined = plain.refine(test)
        reference_zero = reference_zero_shot(kit, space, test)
        without: dict[str, NDArray[np.floating]] = {
            "zero-shot": refined.score(test),
            "zero-shot without feedback": plain.score(test),
            "Tokyo Tech zero-shot": reference_zero,
        }
        for protocol in PROTOCOLS:
            mine = [clip.id for clip in sets.examples[protocol] if clip.event == kit.id]
            order = random.permutation(len(mine))
            for number in nums_examples:
                positives = clips.select([mine[at] for at in order[:number]])
                fused = FusedDetector.train(refined, positives, negatives, test)
                found: dict[str, NDArray[np.floating]] = {"fused": fused.score(test)}
                if number:
                    few = FewShotDetector.train(positives, negatives, background)
                    found["few-shot"] = few.score(test)
                    machine = reference_few_shot(positives, negatives, test)
                    found["Tokyo Tech few-shot"] = machine
                    found["Tokyo Tech fused"] = reference_fusion(
                        reference_zero, machine
                    )
                else:
                    found |= without
                for method, values in found.items():
                    cell = scores.setdefault((method, protocol, number), {})
                    cell[kit.id] = average_precision(values, labels)
    return [
        Outcome(method, protocol, number, seed, precisions)
        for (method, protocol, number), precisions in scores.items()
    ]
