"""The panel of notebook 35: attack a picture and watch three networks.

An attack on one picture takes a fraction of a second, so it happens in the callback.
"""

from collections.abc import Mapping

import ipywidgets as widgets
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor

from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure
from cocodesign.robustness import APGD, FGSM, PGD, Ball, Square
from cocodesign.robustness.attacks import Attack
from cocodesign.robustness_study.arms import Arm
from cocodesign.robustness_study.experiment import Outcome
from cocodesign.seeding import random_stream

_ATTACKS: dict[str, Attack] = {
    "none": PGD(1),
    "FGSM": FGSM(),
    "PGD, 40 steps": PGD(40),
    "APGD, cross-entropy": APGD("ce", 40),
    "APGD, logit ratio": APGD("dlr", 40),
    "Square, 500 queries": Square(500),
}
_MAGNIFIED = 4  # how much the change is brightened


class RobustnessPanel(widgets.VBox):
    """A picture, its changed twin, and what each network takes them for.

    Args:
        outcomes: Of the study; their networks are attacked.
        images: Test pictures, pixels from 0 to 1, at least one.
        labels: Their classes.
        class_names: Names of all classes.

    Raises:
        ValueError: If there is no outcome or no picture.
    """

    def __init__(
        self,
        outcomes: list[Outcome],
        images: Tensor,
        labels: Tensor,
        class_names: tuple[str, ...],
    ) -> None:
        if not outcomes or not len(images):
            raise ValueError("the panel needs at least one outcome and one picture")
        self._images, self._labels = images, labels
        self._class_names = class_names
        self._arms: Mapping[str, Mapping[str, Arm]] = {
            f"{each.training}, seed {each.seed}": each.arms for each in outcomes
        }
        wide = widgets.Layout(width="330px")
        self.training = widgets.Dropdown(
            options=list(self._arms),
            value=list(self._arms)[-1],
            description="training",
            tooltip="How the networks were trained",
            layout=wide,
        )
        self.target = widgets.Dropdown(
            options=[
                (f"{name} ({arm.file_bytes:,} bytes)", name)
                for name, arm in outcomes[-1].arms.items()
            ],
            value="compressed",
            description="fool",
            tooltip="The network that the attack looks at; the others see the result",
            layout=wide,
        )
        self.attack = widgets.Dropdown(
            options=list(_ATTACKS),
            value="PGD, 40 steps",
            description="attack",
            tooltip="How the change is found",
            layout=wide,
        )
        self.radius = widgets.FloatSlider(
            value=0.1,
            min=0.01,
            max=0.3,
            step=0.01,
            continuous_update=False,
            description="ε",
            tooltip="Largest change of a pixel, whose range is 0 to 1",
            layout=wide,
        )
        self.picture = widgets.BoundedIntText(
            max=len(images) - 1,
            description="picture",
            tooltip="Number of the test picture",
            layout=wide,
        )
        self.status = widgets.HTML()
        self.figure = LiveFigure(_empty_figure(tuple(outcomes[-1].arms)))
        for control in (
            self.training,
            self.target,
            self.attack,
            self.radius,
            self.picture,
        ):
            control.observe(self._attack, names="value")
        self._attack()
        super().__init__(
            [
                widgets.HBox([self.training, self.target, self.picture]),
                widgets.HBox([self.attack, self.radius]),
                self.status,
                self.figure,
            ]
        )

    def _attack(self, _change: object = None) -> None:
        arms = self._arms[str(self.training.value)]
        index = int(self.picture.value)
        image, label = self._images[index : index + 1], self._labels[index : index + 1]
        name = str(self.attack.value)
        changed = image
        if name != "none":
            generator = random_stream(0, "panel", image.device)
            ball = Ball("linf", float(self.radius.value))
            network = arms[str(self.target.value)].network
            changed = _ATTACKS[name](network, image, label, ball, generator)
        truth = self._class_names[int(label)]
        answers = []
        with self.figure.batch_update():
            self._show(image, changed)
            for arm_name, arm in arms.items():
                with torch.no_grad():
                    probabilities = arm.network(changed).softmax(1)[0]
                answer = self._class_names[int(probabilities.argmax())]
                answers.append(
                    f"{arm_name}: {answer} {'✓' if answer == truth else '✗'}"
                )
                self.figure.update_traces(
                    x=probabilities.tolist(),
                    y=list(self._class_names),
                    selector={"name": arm_name},
                )
        largest = (changed - image).abs().max().item()
        self.status.value = (
            f"<b>{truth}</b>, changed by at most {largest:.2f} a pixel. "
            f"{'; '.join(answers)}"
        )

    def _show(self, image: Tensor, changed: Tensor) -> None:
        shown = (image, changed, 0.5 + _MAGNIFIED * (changed - image))
        for name, picture in zip(("as it is", "changed", "change"), shown, strict=True):
            pixels = picture[0].mean(0).clamp(0, 1).flip(0)
            self.figure.update_traces(z=pixels.tolist(), selector={"name": name})


def _empty_figure(arms: tuple[str, ...]) -> go.Figure:
    figure = make_subplots(
        rows=1,
        cols=4,
        column_widths=[0.2, 0.2, 0.2, 0.4],
        horizontal_spacing=0.03,
        subplot_titles=["as it is", "changed", f"change × {_MAGNIFIED}", "scores"],
    )
    for column, name in enumerate(("as it is", "changed", "change"), start=1):
        figure.add_heatmap(
            name=name,
            z=[[0.0]],
            zmin=0,
            zmax=1,
            colorscale="Greys_r" if name != "change" else "RdBu",
            showscale=False,
            hoverinfo="skip",
            row=1,
            col=column,
        )
        figure.update_xaxes(visible=False, row=1, col=column)
        figure.update_yaxes(visible=False, scaleanchor=f"x{column}", row=1, col=column)
    for index, name in enumerate(arms):
        figure.add_bar(
            name=name,
            orientation="h",
            marker={"color": colour_of(name, index)},
            hovertemplate="%{y}: %{x:.0%}<extra>" + name + "</extra>",
            row=1,
            col=4,
        )
    figure.update_xaxes(
        title_text="probability", range=[0, 1], tickformat=".0%", row=1, col=4
    )
    figure.update_yaxes(side="right", automargin=True, row=1, col=4)
    styled(figure, title="A picture under attack")
    figure.update_layout(width=980, height=430, hovermode="closest", margin={"r": 130})
    return figure
