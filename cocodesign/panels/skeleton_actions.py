"""The panel of notebook 50: play a skeleton, hide joints, watch the classes move.

Classifying a clip takes milliseconds, so everything happens in the callbacks.
"""

import math
from collections.abc import Sequence

import ipywidgets as widgets
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure
from cocodesign.skeleton import JointLayout, Recognizer, SkeletonSequence
from cocodesign.skeleton.preparation import prepare

_NUM_FRAMES = 64
_FRAME_MS = 60
_REACH = 3.2  # torso lengths from the centre to the edge of the picture
_MOST_CLASSES = 10  # bars that are shown
_PERSONS = ("K-FAC", "SGD")  # whose colours the two persons take
_HIDDEN = "#BBBBBB"


class SkeletonPanel(widgets.VBox):
    """A clip that plays, a check box for every joint and part, and the class scores.

    Args:
        recognizer: What classifies.
        sequences: The clips to choose from, at least one, best ones that it was not
            trained on.

    Raises:
        ValueError: If there is no clip.
    """

    def __init__(
        self, recognizer: Recognizer, sequences: Sequence[SkeletonSequence]
    ) -> None:
        if not sequences:
            raise ValueError("the panel needs at least one clip")
        self._recognizer = recognizer
        self._sequences = tuple(sequences)
        layout = recognizer.layout
        self.clip = widgets.Dropdown(
            options=[
                (self._title(each), index) for index, each in enumerate(sequences)
            ],
            description="clip",
            tooltip="Clips that the network was not trained on",
            layout=widgets.Layout(width="420px"),
        )
        self.play = widgets.Play(max=_NUM_FRAMES - 1, interval=_FRAME_MS, repeat=True)
        self.frame = widgets.IntSlider(
            max=_NUM_FRAMES - 1, description="frame", tooltip="Moment of the clip"
        )
        self.angle = widgets.IntSlider(
            min=-180,
            max=180,
            step=5,
            description="turn °",
            tooltip="Turns the drawing about the vertical axis, nothing else",
        )
        widgets.jslink((self.play, "value"), (self.frame, "value"))
        self.parts = {part: _check_box(part, "Hide or show") for part in layout.parts}
        self.joints = {
            joint: _check_box(joint, "Hide or show") for joint in layout.joints
        }
        self.reset = widgets.Button(
            description="Show all", icon="eye", tooltip="Make every joint visible again"
        )
        self.status = widgets.HTML()
        self.body = LiveFigure(_body_figure(layout, recognizer.network.num_persons))
        self.scores = LiveFigure(_scores_figure())
        self._is_updating = False
        self.clip.observe(self._choose, names="value")
        self.frame.observe(self._draw, names="value")
        self.angle.observe(self._draw, names="value")
        for part, box in self.parts.items():
            box.observe(lambda change, part=part: self._toggle(part, change), "value")
        for box in self.joints.values():
            box.observe(self._classify, names="value")
        self.reset.on_click(self._show_all)
        self._choose()
        columns = widgets.Layout(grid_template_columns="repeat(4, 1fr)", width="auto")
        joints = widgets.Accordion(
            [widgets.GridBox(list(self.joints.values()), layout=columns)],
            titles=("single joints",),
        )
        super().__init__(
            [
                widgets.HBox([self.clip, self.play, self.frame, self.angle]),
                widgets.HBox([*self.parts.values(), self.reset]),
                joints,
                self.status,
                widgets.HBox([self.body, self.scores]),
            ]
        )

    @property
    def hidden(self) -> tuple[str, ...]:
        """The joints that are not ticked."""
        return tuple(joint for joint, box in self.joints.items() if not box.value)

    @property
    def _sequence(self) -> SkeletonSequence:
        index = self.clip.value
        assert isinstance(index, int)
        return self._sequences[index]

    def _title(self, sequence: SkeletonSequence) -> str:
        if sequence.label is None:
            return sequence.name
        return f"{self._recognizer.class_names[sequence.label]} ({sequence.name})"

    def _choose(self, _change: object = None) -> None:
        self._clip = prepare(
            self._sequence,
            num_frames=_NUM_FRAMES,
            num_persons=self._recognizer.network.num_persons,
        )
        self._classify()

    def _toggle(self, part: str, change: dict) -> None:
        """Tick or untick all joints of a part, then ask the network once."""
        self._is_updating = True
        for joint in self._recognizer.layout.parts[part]:
            self.joints[joint].value = change["new"]
        self._is_updating = False
        self._classify()

    def _show_all(self, _button: widgets.Button) -> None:
        self._is_updating = True
        for box in (*self.parts.values(), *self.joints.values()):
            box.value = True
        self._is_updating = False
        self._classify()

    def _classify(self, _change: object = None) -> None:
        if self._is_updating:
            return
        clip = self._sequence.without_joints(self.hidden)
        classes = self._recognizer.classify(clip)
        best = list(classes.items())[:_MOST_CLASSES]
        truth = None if clip.label is None else self._recognizer.class_names[clip.label]
        self.scores.update_traces(
            x=[probability for _, probability in reversed(best)],
            y=[name for name, _ in reversed(best)],
            marker_color=[
                colour_of(name, 0 if name == truth else 5) for name, _ in reversed(best)
            ],
        )
        answer, probability = best[0]
        verdict = (
            "" if truth is None else (" ✓" if answer == truth else f" ✗ ({truth})")
        )
        self.status.value = (
            f"<b>{answer}</b>{verdict}, {probability:.0%}; {len(self.hidden)} of "
            f"{len(self.joints)} joints hidden"
        )
        self._draw()

    def _draw(self, _change: object = None) -> None:
        """Move the drawing to the frame, the angle and the joints that are chosen."""
        layout = self._recognizer.layout
        hidden = set(self.hidden)
        moment = self._clip[:, self.frame.value]  # 4 joint person
        with self.body.batch_update():
            for person in range(moment.shape[2]):
                places = _seen_from(moment[:, :, person], self.angle.value)
                x, y = _bone_lines(layout, places, hidden)
                self.body.update_traces(x=x, y=y, selector=2 * person)
                colour = colour_of(_PERSONS[person])
                self.body.update_traces(
                    x=places[0].tolist(),
                    y=places[1].tolist(),
                    marker_color=[
                        _HIDDEN if joint in hidden else colour
                        for joint in layout.joints
                    ],
                    selector=2 * person + 1,
                )


def _check_box(name: str, verb: str) -> widgets.Checkbox:
    return widgets.Checkbox(
        value=True,
        indent=False,
        description=name.replace("_", " "),
        tooltip=f"{verb} {name.replace('_', ' ')}",
        layout=widgets.Layout(width="150px"),
    )


def _seen_from(
    moment: Float[Tensor, "4 joint"], angle_degrees: float
) -> Float[Tensor, "2 joint"]:
    """Project joints onto a vertical plane; what is not visible is NaN."""
    angle = math.radians(angle_degrees)
    x = math.cos(angle) * moment[0] + math.sin(angle) * moment[2]
    places = torch.stack([x, moment[1]])
    return torch.where(moment[3] > 0, places, torch.nan)


def _bone_lines(
    layout: JointLayout, places: Float[Tensor, "2 joint"], hidden: set[str]
) -> tuple[list[float | None], list[float | None]]:
    """Return the ends of all visible bones, separated by gaps."""
    x: list[float | None] = []
    y: list[float | None] = []
    for bone in layout.bones:
        if not hidden & set(bone):
            ends = places[:, layout.indices(bone)].tolist()
            x += [*ends[0], None]
            y += [*ends[1], None]
    return x, y


def _body_figure(layout: JointLayout, num_persons: int) -> go.Figure:
    figure = styled(go.Figure(), title="The clip")
    names = [joint.replace("_", " ") for joint in layout.joints]
    for person in range(num_persons):
        colour = colour_of(_PERSONS[person])
        figure.add_scatter(
            mode="lines", line={"color": colour, "width": 3}, hoverinfo="skip"
        )
        figure.add_scatter(
            mode="markers",
            marker={"color": colour, "size": 8},
            text=names,
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_layout(
        showlegend=False, width=420, height=460, hovermode="closest", margin={"l": 10}
    )
    figure.update_xaxes(range=[-_REACH, _REACH], visible=False)
    figure.update_yaxes(range=[-_REACH, _REACH], visible=False, scaleanchor="x")
    return figure


def _scores_figure() -> go.Figure:
    figure = styled(go.Figure(), title="What the network takes it for")
    figure.add_bar(orientation="h", hovertemplate="%{y}: %{x:.1%}<extra></extra>")
    figure.update_layout(
        showlegend=False, width=440, height=460, hovermode="closest", margin={"l": 170}
    )
    figure.update_xaxes(title_text="probability", range=[0, 1], tickformat=".0%")
    return figure
