"""Searching as users do: by words, then by clips that they like."""

import math

import numpy as np
import pytest

from cocodesign.events import EventKit
from cocodesign.events.banks import Concept
from cocodesign.events.collection import Collection
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.index import build_index

RED = EventKit("E1", "something red")


@pytest.fixture
def collection(write_video, bank, colour_space, tmp_path) -> Collection:
    """Return two red clips, six others, and one that cannot be decoded."""
    colours = [
        *(["red", "blue", "red"], ["blue", "red"]),
        *([["green", "blue"], ["blue"], ["green"]] * 2),
    ]
    videos = {
        f"c{number}": write_video(f"c{number}.mp4", [c for c in each for _ in range(2)])
        for number, each in enumerate(colours)
    }
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    index = build_index(tmp_path / "index", {**videos, "broken": broken}, [bank])
    return Collection(index, colour_space)


def ids(answer) -> list[str]:
    return [hit.clip.id for hit in answer.hits]


def test_words_find_the_clips_that_show_them(collection) -> None:
    answer = collection.search(RED)
    assert set(ids(answer)[:2]) == {"c0", "c1"}
    assert answer.detector.few_shot is None
    probabilities = [hit.probability for hit in answer.hits]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0 <= each <= 1 for each in probabilities)


def test_a_clip_that_cannot_be_decoded_ranks_last_and_stays(collection) -> None:
    last = collection.search(RED).hits[-1]
    assert (last.clip.id, last.probability) == ("broken", 0)
    assert math.isnan(last.score)
    assert last.clip.error


def test_examples_change_what_is_looked_for(collection) -> None:
    answer = collection.search(EventKit("E2", "unknown"), examples=["c0"])
    assert answer.detector.few_shot is not None
    assert set(ids(answer)[:2]) == {"c0", "c1"}


def test_a_rejected_clip_falls(collection) -> None:
    before = collection.search(RED, examples=["c0"])
    after = collection.search(RED, examples=["c0"], rejected=["c3"])
    score = {hit.clip.id: hit.score for hit in after.hits}["c3"]
    assert score < {hit.clip.id: hit.score for hit in before.hits}["c3"]


def test_rarer_events_are_less_probable_in_the_same_order(collection) -> None:
    often, rare = (collection.search(RED, share=share) for share in (0.2, 0.001))
    assert ids(often) == ids(rare)
    assert often.hits[0].probability > rare.hits[0].probability


def test_evidence_and_timeline_point_to_the_red_moments(collection) -> None:
    answer = collection.search(RED)
    evidence = collection.explain(answer, "c0")
    assert {each.time_s for each in evidence[:2]} == {0.0, 4.0}
    assert evidence[0].concepts[0][0] == "red"
    timeline = collection.timeline(answer, "c0")
    assert np.argmin(timeline) == 1


def test_clips_that_are_not_there_are_named(collection, colour_space) -> None:
    with pytest.raises(ValueError, match="no clip 'c9'"):
        collection.search(RED, examples=["c9"])
    with pytest.raises(ValueError, match="without frames"):
        collection.search(RED, examples=["broken"])
    other = ConceptSpace(
        (Concept("wok"),),
        colour_space.names[:1],
        colour_space.vectors[:1],
        colour_space.encoder,
    )
    with pytest.raises(ValueError, match="1 concepts that are not the 3"):
        Collection(collection.index, other)
