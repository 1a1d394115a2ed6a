"""The panel of notebook 70: the test video, its scores, a threshold, the reasons.

Everything was computed before; moving a slider only redraws.
"""

import html

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure
from cocodesign.video.protocol import InjectOutcome

_STRANGE = "#D55E00"


class VideoPanel(widgets.VBox):
    """A video that plays, its timeline of scores, and what a threshold would do.

    Args:
        outcome: What PETS-inject gave.
    """

    def __init__(self, outcome: InjectOutcome) -> None:
        self._outcome = outcome
        self._shown = sorted(outcome.pictures)
        self.event = widgets.Dropdown(
            options=[(kind, index) for index, kind in enumerate(outcome.kinds)],
            description="event",
            tooltip="Which inserted anomaly to look at",
        )
        self.play = widgets.Play(interval=200, repeat=True)
        self.frame = widgets.IntSlider(
            description="frame", tooltip="Moment of this event's stretch of the video"
        )
        widgets.jslink((self.play, "value"), (self.frame, "value"))
        self.threshold = widgets.FloatSlider(
            value=outcome.model.threshold.value,
            min=0.1,
            max=max(5.0, 2 * outcome.model.threshold.value),
            step=0.05,
            description="threshold",
            tooltip="Scores above it would be alarms; it begins at the conformal one",
        )
        self.picture = widgets.Image(format="jpeg", width="460")
        self.status = widgets.HTML()
        self.reasons = widgets.HTML()
        self.timeline = LiveFigure(_timeline())
        self.event.observe(self._choose, names="value")
        self.frame.observe(self._draw_picture, names="value")
        self.threshold.observe(self._draw_threshold, names="value")
        self._choose()
        super().__init__(
            [
                widgets.HBox([self.event, self.play, self.frame, self.threshold]),
                self.status,
                widgets.HBox([self.picture, self.timeline]),
                self.reasons,
            ]
        )

    @property
    def _stretch(self) -> int:
        index = self.event.value
        assert isinstance(index, int)
        return index

    @property
    def _chosen(self) -> np.ndarray:
        """Places of the event's frames among the test's."""
        return np.flatnonzero(np.array(self._outcome.stretches) == self._stretch)

    def _choose(self, _change: object = None) -> None:
        places = self._chosen
        shown = [index for index in self._shown if places[0] <= index <= places[-1]]
        self.frame.max = self.play.max = max(0, len(shown) - 1)
        self._event_pictures = shown
        times = self._outcome.times_s[places]
        strange = self._outcome.strange[places]
        scores, _ = self._outcome.clip(self._stretch)
        with self.timeline.batch_update():
            self.timeline.data[0].x, self.timeline.data[0].y = times, scores
            self.timeline.data[1].x = times
            self.timeline.data[1].y = np.where(strange, max(1.0, scores.max()), 0.0)
        alarms = [
            f"<li>{alarm.time_s:.1f} s, score {alarm.score:.1f}: "
            f"{html.escape(alarm.sentence)}</li>"
            for stretch, alarm in self._outcome.alarms
            if stretch == self._stretch
        ]
        self.reasons.value = (
            f"<b>Alarms</b><ul>{''.join(alarms)}</ul>" if alarms else "No alarm."
        )
        self._draw_threshold()
        self._draw_picture()

    def _draw_threshold(self, _change: object = None) -> None:
        places, limit = self._chosen, self.threshold.value
        times = self._outcome.times_s[places]
        scores, strange = self._outcome.clip(self._stretch)
        self.timeline.data[2].x = [times[0], times[-1]]
        self.timeline.data[2].y = [limit, limit]
        found = float((scores[strange] > limit).mean())
        false = float((scores[~strange] > limit).mean())
        self.status.value = (
            f"above {limit:.2f}: {found:.0%} of the strange frames, {false:.0%} of the "
            f"normal ones"
        )

    def _draw_picture(self, _change: object = None) -> None:
        if not self._event_pictures:
            return
        index = self._event_pictures[min(self.frame.value, self.frame.max)]
        self.picture.value = self._outcome.pictures[index]
        now = float(self._outcome.times_s[index])
        self.timeline.data[3].x = [now, now]
        self.timeline.data[3].y = [0, float(self._outcome.clip(self._stretch)[0].max())]


def _timeline() -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(name="score", line={"color": colour_of("score", 0)})
    figure.add_scatter(
        name="event",
        fill="tozeroy",
        line={"width": 0, "color": _STRANGE, "shape": "hv"},
        opacity=0.3,
    )
    figure.add_scatter(
        name="threshold", mode="lines", line={"dash": "dash", "color": "#666666"}
    )
    figure.add_scatter(name="now", mode="lines", line={"color": "#000000", "width": 1})
    figure.update_xaxes(title_text="time in the video, s")
    figure.update_yaxes(title_text="anomaly score")
    styled(figure, title="What is strange, and when")
    legend = {"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0}
    figure.update_layout(width=440, height=400, legend=legend)
    return figure
