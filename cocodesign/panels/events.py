"""The panel of notebook 40: type an event, look at the clips, click examples.

A search takes a tenth of a second, so everything happens in the callbacks.
"""

import io
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from PIL import Image

from cocodesign.errors import VideoError
from cocodesign.events import EventKit
from cocodesign.events.collection import Collection, Hit
from cocodesign.events.frames import frame_at
from cocodesign.events.scoring import average_precision
from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure

_NUM_CLIPS = 8
_NUM_CONCEPTS = 12
_THUMBNAIL_PX = 200
_OWN_ID = "own-words"


class EventsPanel(widgets.VBox):
    """A search field, the first clips with thumbnails, and why they are there.

    Args:
        collection: What is searched.
        kits: Events to choose from; others can be typed.
        events: What clips show, by id, where it is known.
    """

    def __init__(
        self,
        collection: Collection,
        kits: Sequence[EventKit],
        events: Mapping[str, str],
    ) -> None:
        self._collection = collection
        self._kits = {kit.name: kit for kit in kits}
        self._events = dict(events)
        self._examples: list[str] = []
        self._rejected: list[str] = []
        self._precisions: list[float] = []
        self.event = widgets.Combobox(
            value=next(iter(self._kits), "a dog on a beach"),
            options=list(self._kits),
            ensure_option=False,
            continuous_update=False,
            description="event",
            tooltip="Type an event in your own words and press Enter, or choose one",
            layout=widgets.Layout(width="420px"),
        )
        self.reset = widgets.Button(
            description="Forget examples",
            icon="undo",
            tooltip="Go back to what the description alone finds",
        )
        self.status = widgets.HTML()
        self.cards = [_Card(self, place) for place in range(_NUM_CLIPS)]
        self.concepts = LiveFigure(_concepts_figure())
        self.timeline = LiveFigure(_timeline_figure())
        self.curve = LiveFigure(_curve_figure())
        self.event.observe(self._ask_anew, names="value")
        self.reset.on_click(self._ask_anew)
        self._ask_anew()
        columns = widgets.Layout(grid_template_columns="repeat(4, 1fr)", width="900px")
        super().__init__(
            [
                widgets.HBox([self.event, self.reset]),
                self.status,
                widgets.GridBox([card.box for card in self.cards], layout=columns),
                widgets.HBox([self.concepts, self.timeline]),
                self.curve,
            ]
        )

    @property
    def examples(self) -> tuple[str, ...]:
        """The clips that were said to show the event."""
        return tuple(self._examples)

    @property
    def rejected(self) -> tuple[str, ...]:
        """The clips that were said not to show it."""
        return tuple(self._rejected)

    def mark(self, name: str, *, shows: bool) -> None:
        """Take a clip as an example, or as a counterexample, and search again.

        Args:
            name: The clip's id.
            shows: Whether it shows the event.
        """
        for names in (self._examples, self._rejected):
            if name in names:
                names.remove(name)
        (self._examples if shows else self._rejected).append(name)
        self._search()

    def look_at(self, hit: Hit) -> None:
        """Show which moments of a clip its place rests on.

        Args:
            hit: The clip.
        """
        scores = self._collection.timeline(self._answer, hit.clip.id)
        evidence = self._collection.explain(self._answer, hit.clip.id)
        places = [each.frame_index for each in evidence]
        texts = [
            ", ".join(name for name, _ in each.concepts) or "features"
            for each in evidence
        ]
        with self.timeline.batch_update():
            self.timeline.update_traces(
                x=hit.clip.times_s, y=scores, selector={"name": "frames"}
            )
            self.timeline.update_traces(
                x=[hit.clip.times_s[at] for at in places],
                y=[scores[at] for at in places],
                text=texts,
                selector={"name": "evidence"},
            )
            self.timeline.update_layout(title_text=f"Moments of {hit.clip.id}")

    def _ask_anew(self, _change: object = None) -> None:
        self._examples.clear()
        self._rejected.clear()
        self._precisions.clear()
        self._search()

    def _kit(self) -> EventKit | None:
        words = self.event.value.strip()
        if words in self._kits:
            return self._kits[words]
        return EventKit(_OWN_ID, words) if words else None

    def _search(self) -> None:
        kit = self._kit()
        if kit is None:
            self.status.value = "Type what should be seen."
            return
        try:
            self._answer = self._collection.search(
                kit, examples=self._examples, rejected=self._rejected
            )
        except ValueError as error:  # a clip without frames as an example
            self.status.value = f"<b>{error}</b>"
            return
        marked = {*self._examples, *self._rejected}
        hits = [hit for hit in self._answer.hits if hit.clip.id not in marked]
        for card, hit in zip(self.cards, hits, strict=False):
            card.show(hit, self._best_time_s(hit))
        for card in self.cards[len(hits) :]:
            card.clear()
        self._draw_concepts()
        self._draw_curve(kit, hits)
        if hits and hits[0].clip.times_s:
            self.look_at(hits[0])
        transfer = self._answer.detector.transfer
        self.status.value = (
            f"{len(hits)} clips ranked, {len(self._examples)} examples"
            + (
                f"; examples and collection agree by {transfer:.0%}"
                if transfer is not None
                else " (the description alone)"
            )
        )

    def _best_time_s(self, hit: Hit) -> float:
        if not hit.clip.times_s:
            return 0.0
        scores = self._collection.timeline(self._answer, hit.clip.id)
        return hit.clip.times_s[int(np.argmax(scores))]

    def _draw_concepts(self) -> None:
        zero_shot = self._answer.detector.zero_shot
        strongest = zero_shot.strongest(self._collection.space, _NUM_CONCEPTS)
        self.concepts.update_traces(
            x=[weight for _, weight in reversed(strongest)],
            y=[name for name, _ in reversed(strongest)],
        )

    def _draw_curve(self, kit: EventKit, hits: Sequence[Hit]) -> None:
        """Add the average precision of what is still unmarked, if it is known."""
        labels = np.array([self._events.get(hit.clip.id) == kit.id for hit in hits])
        if labels.any():
            scores = np.array([hit.score for hit in hits])
            self._precisions.append(average_precision(scores, labels.astype(np.int8)))
        self.curve.update_traces(
            x=list(range(len(self._precisions))), y=list(self._precisions)
        )


class _Card:
    """A clip's picture, its probability, and three buttons."""

    def __init__(self, panel: EventsPanel, place: int) -> None:
        self._panel = panel
        self._hit: Hit | None = None
        self.picture = widgets.Image(format="jpeg", width=_THUMBNAIL_PX)
        self.text = widgets.HTML()
        self.yes = _button("it is", "check", "Take this clip as an example")
        self.no = _button("not it", "times", "Say that this clip does not show it")
        self.why = _button("why?", "clock", "Show the moments that its place rests on")
        self.yes.on_click(partial(self._mark, shows=True))
        self.no.on_click(partial(self._mark, shows=False))
        self.why.on_click(self._explain)
        buttons = widgets.HBox([self.yes, self.no, self.why])
        self.box = widgets.VBox([self.picture, self.text, buttons])
        self.box.add_class(f"cocodesign-clip-{place}")

    def show(self, hit: Hit, time_s: float) -> None:
        self._hit = hit
        self.picture.value = _thumbnail(Path(hit.clip.path), time_s)
        unknown = math.isnan(hit.score)
        self.text.value = hit.clip.id + (
            " could not be decoded" if unknown else f": {hit.probability:.0%}"
        )
        self.why.disabled = len(hit.clip.times_s) < 2
        self.yes.disabled = unknown
        self.box.layout.visibility = "visible"

    def clear(self) -> None:
        self._hit = None
        self.box.layout.visibility = "hidden"

    def _mark(self, _button: widgets.Button, *, shows: bool) -> None:
        if self._hit is not None:
            self._panel.mark(self._hit.clip.id, shows=shows)

    def _explain(self, _button: widgets.Button) -> None:
        if self._hit is not None:
            self._panel.look_at(self._hit)


def _button(description: str, icon: str, tooltip: str) -> widgets.Button:
    return widgets.Button(
        description=description,
        icon=icon,
        tooltip=tooltip,
        layout=widgets.Layout(width="72px", padding="0"),
    )


def _thumbnail(path: Path, time_s: float) -> bytes:
    """Return a frame as JPEG, grey where the file is gone or damaged."""
    try:
        pixels = frame_at(path, time_s, max_side_px=_THUMBNAIL_PX).pixels.numpy()
        picture = Image.fromarray(pixels)
    except VideoError:
        picture = Image.new("RGB", (_THUMBNAIL_PX, _THUMBNAIL_PX * 3 // 4), "grey")
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=80)
    return content.getvalue()


def _concepts_figure() -> go.Figure:
    figure = go.Figure(go.Bar(orientation="h", marker_color=colour_of("fused", 0)))
    figure.update_xaxes(title_text="weight")
    styled(figure, title="Concepts of the description")
    return figure.update_layout(width=430, height=380, margin={"l": 130})


def _timeline_figure() -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        name="frames", mode="lines+markers", line={"color": colour_of("frames", 5)}
    )
    figure.add_scatter(
        name="evidence",
        mode="markers",
        marker={"size": 13, "color": colour_of("evidence", 2)},
        hoverinfo="text+x",
    )
    figure.update_xaxes(title_text="time, s")
    figure.update_yaxes(title_text="score of the frame alone")
    styled(figure, title="Moments")
    return figure.update_layout(width=470, height=380, showlegend=False)


def _curve_figure() -> go.Figure:
    figure = go.Figure(
        go.Scatter(mode="lines+markers", line={"color": colour_of("fused", 0)})
    )
    figure.update_xaxes(title_text="clicks", dtick=1, rangemode="tozero")
    figure.update_yaxes(title_text="average precision", range=[0, 1.02])
    styled(figure, title="Average precision of the clips that are not marked")
    return figure.update_layout(width=900, height=300)
