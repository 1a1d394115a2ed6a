"""Whether probabilities and evidence hold, on clips composed of plain colours."""

import numpy as np
import pytest

from cocodesign.events import EventKit
from cocodesign.events.composed import ComposedClip
from cocodesign.events.examination import examine_evidence, examine_probabilities
from cocodesign.events.index import build_index
from cocodesign.events.outcomes import mean_by_condition
from cocodesign.events.pooling import pool_clips
from cocodesign.events.protocol import ClipSets, compare_methods

KITS = (EventKit("E1", "something red"), EventKit("E2", "something green"))
_COLOUR_OF = {"E1": "red", "E2": "green", "": "blue"}


@pytest.fixture
def sets() -> ClipSets:
    def clips(prefix: str, events: list[str]) -> tuple[ComposedClip, ...]:
        return tuple(
            ComposedClip(
                id=f"{prefix}{number}",
                event=event,
                scenes=((),) * 5,
                showing=(bool(event), False, bool(event), False, False),
                seed=number,
            )
            for number, event in enumerate(events)
        )

    return ClipSets(
        test=clips("t", ["E1", "E2"] * 2 + [""] * 10),
        examples={
            "shared": clips("s", ["E1", "E2"]),
            "disjoint": clips("d", ["E2", "E1"]),
        },
        background=clips("b", [""] * 4),
    )


@pytest.fixture
def index(sets, write_video, bank, tmp_path):
    videos = {
        clip.id: write_video(
            f"{clip.id}.mp4",
            [_COLOUR_OF[clip.event] if shows else "blue" for shows in clip.showing
             for _ in range(2)],
        )
        for clip in sets.all
    }  # fmt: skip
    return build_index(tmp_path / "index", videos, [bank])


@pytest.mark.slow
def test_every_method_ranks_what_is_plain_to_see(sets, index, colour_space) -> None:
    outcomes = compare_methods(
        sets, pool_clips(index), KITS, colour_space, nums_examples=[0, 1], seed=0
    )
    table = mean_by_condition(outcomes)
    assert set(table) == {
        *(("zero-shot", each, 0) for each in ("shared", "disjoint")),
        *(("zero-shot without feedback", each, 0) for each in ("shared", "disjoint")),
        *(("Tokyo Tech zero-shot", each, 0) for each in ("shared", "disjoint")),
        *(
            (method, each, 1)
            for method in ("few-shot", "Tokyo Tech few-shot", "Tokyo Tech fused")
            for each in ("shared", "disjoint")
        ),
        *(("fused", each, n) for each in ("shared", "disjoint") for n in (0, 1)),
    }
    assert table["zero-shot", "shared", 0] == table["fused", "shared", 1] == 1


@pytest.mark.slow
def test_evidence_costs_more_than_chance_and_probabilities_are_right(
    sets, index, colour_space
) -> None:
    found = examine_evidence(
        sets, index, KITS, colour_space, num_examples=1, num_frames=2
    )
    assert found is not None
    assert found.num_clips == 4
    assert found.named_score_cost == pytest.approx(1, abs=0.05)  # no colour is left
    assert found.random_score_cost < 0.6
    judged = examine_probabilities(
        sets, pool_clips(index), KITS, colour_space, num_examples=1
    )
    assert judged.labels.sum() == 4
    assert judged.error < 0.15
    shown = judged.probabilities[judged.labels == 1]
    assert shown.min() > judged.probabilities[judged.labels == 0].max()
    assert not np.isnan(judged.probabilities).any()
