"""The panel of events, on clips of plain colours."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from cocodesign.events import EventKit
from cocodesign.events.banks import BankOutput, Concept
from cocodesign.events.collection import Collection
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.index import build_index
from cocodesign.models import TextEncoder
from cocodesign.panels.events import EventsPanel

av = pytest.importorskip("av")

COLOURS = ("red", "green", "blue")
KITS = (EventKit("E1", "something red"), EventKit("E2", "something green"))


class ColourBank:
    """Sees the colour of a frame."""

    name = "colours"
    num_features = 3
    concepts: Sequence[Concept] = tuple(Concept(each) for each in COLOURS)

    def __call__(self, frame: torch.Tensor) -> BankOutput:
        colour = frame.float().mean((0, 1)) / 255
        return BankOutput(colour, colour + 0.1)


class ColourEncoder(TextEncoder):
    """Knows what colours are in a text; needs no weights."""

    def __init__(self) -> None:
        pass

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        rows = [[float(name in text) for name in COLOURS] for text in texts]
        vectors = torch.zeros(len(texts), 384)
        vectors[:, :3] = torch.tensor(rows)
        vectors[:, 3] = 0.1
        return vectors


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Collection:
    folder = tmp_path_factory.mktemp("clips")
    videos = {}
    for number in range(12):
        shown = {0: "red", 1: "red", 2: "green"}.get(number, "blue")
        path = folder / f"c{number}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for colour in ("blue", "blue", shown, shown):
                pixels = np.zeros((48, 64, 3), np.uint8)
                pixels[..., COLOURS.index(colour)] = 255
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        videos[f"c{number}"] = path
    index = build_index(folder / "index", videos, [ColourBank()])
    encoder = ColourEncoder()
    names = encoder.encode(COLOURS).numpy()
    return Collection(index, ConceptSpace(index.concepts, names, names, encoder))


@pytest.fixture
def panel(collection: Collection) -> EventsPanel:
    return EventsPanel(collection, KITS, {"c0": "E1", "c1": "E1", "c2": "E2"})


def shown(panel: EventsPanel) -> list[str]:
    return [card.text.value.split(":")[0] for card in panel.cards]


def test_shows_the_likeliest_clips_with_their_pictures(panel) -> None:
    assert set(shown(panel)[:2]) == {"c0", "c1"}
    for card in panel.cards:
        assert card.picture.value[:2] == b"\xff\xd8"  # JPEG
    assert "the description alone" in panel.status.value
    assert panel.concepts.data[0].y[-1] == "red"


def test_own_words_are_searched(panel) -> None:
    panel.event.value = "green, in my own words"
    assert shown(panel)[0] == "c2"
    panel.event.value = "  "
    assert panel.status.value == "Type what should be seen."


def test_a_click_makes_an_example_and_the_clip_leaves_the_list(panel) -> None:
    panel.event.value = KITS[0].name
    first, second = shown(panel)[:2]
    panel.cards[0].yes.click()
    assert panel.examples == (first,)
    assert shown(panel)[0] == second
    assert "1 examples" in panel.status.value
    panel.cards[3].no.click()
    assert len(panel.rejected) == 1
    panel.reset.click()
    assert (panel.examples, panel.rejected) == ((), ())


def test_the_curve_follows_the_average_precision_where_it_is_known(panel) -> None:
    assert list(panel.curve.data[0].y) == [1.0]
    panel.cards[0].yes.click()
    assert list(panel.curve.data[0].x) == [0, 1]
    panel.event.value = "something that nobody labelled"
    assert list(panel.curve.data[0].y) == []


def test_why_shows_the_moments_of_the_clip(panel) -> None:
    panel.cards[0].why.click()
    frames, evidence = panel.timeline.data
    assert list(frames.x) == [0, 2]
    assert frames.y[1] > frames.y[0]
    assert list(evidence.x) == [2]


def test_every_control_says_what_it_does(panel) -> None:
    buttons = [each for card in panel.cards for each in (card.yes, card.no, card.why)]
    for widget in (panel.event, panel.reset, *buttons):
        assert widget.description
        assert widget.tooltip
