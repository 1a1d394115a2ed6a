"""The panel of notebook 10: train with K-FAC or SGD and watch the curves grow.

A run goes on in a thread of its own, so that the kernel stays free: sliders move,
other cells run, and a run can be stopped. Finished curves stay for comparison.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import ipywidgets as widgets
import plotly.graph_objects as go
from torch import nn

from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure
from cocodesign.studies import Contender
from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Point
from cocodesign.studies.race import Race, run_race
from cocodesign.studies.task import Task

_NUM_FACTOR_EXAMPLES = 512  # curvature from a part is cheaper
_PARTS = (64, 32, 16, 8, 4, 2, 1)  # of the training images in a mini-batch
_NUM_POINTS = 40  # of a curve: a browser should not be sent more
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Settings:
    """What the sliders say when a run is started.

    Attributes:
        optimizer: Which optimizer trains.
        mini_batch_size: Examples per step.
        lr: Learning rate.
        momentum: Momentum.
        damping: λ of K-FAC; SGD has none.
        factor_interval: Steps between refreshes of K-FAC's statistics.
        num_steps: Steps of the run.
    """

    optimizer: Literal["K-FAC", "SGD"]
    mini_batch_size: int
    lr: float
    momentum: float
    damping: float
    factor_interval: int
    num_steps: int

    @property
    def label(self) -> str:
        """The settings in a legend's length."""
        text = f"{self.optimizer}, batch {self.mini_batch_size:,}, lr {self.lr:.2g}"
        text += f", m {self.momentum:.2g}"
        if self.optimizer == "K-FAC":
            text += f", λ {self.damping:.1g}, every {self.factor_interval}"
        return text


class ConvergencePanel(widgets.VBox):
    """Sliders, a run button with progress, and live curves.

    The curves show validation accuracy: whoever turns the sliders chooses by what they
    see, and the test examples choose nothing.

    Args:
        task: What is learned.
        build_model: Makes a fresh network.
        seed: Seed of every run started here.
        target_accuracy: Drawn as a line.
    """

    def __init__(
        self,
        task: Task,
        build_model: Callable[[], nn.Module],
        *,
        seed: int,
        target_accuracy: float,
    ) -> None:
        self._task = task
        self._build_model = build_model
        self._seed = seed
        self._thread: threading.Thread | None = None
        self._stop_asked = threading.Event()
        self._drawn: list[str] = []
        self.optimizer = widgets.ToggleButtons(
            options=["K-FAC", "SGD"], description="optimizer"
        )
        sizes = sorted({max(1, task.num_train // parts) for parts in _PARTS})
        self.mini_batch_size = widgets.SelectionSlider(
            options=sizes,
            value=sizes[len(sizes) // 2],
            description="batch size",
            tooltip="Images per step; the last is all of them",
        )
        self.learning_rate = widgets.FloatLogSlider(
            value=0.3,
            min=-3,
            max=1,
            step=0.1,
            description="lr",
            tooltip="Learning rate after the warm-up",
        )
        self.momentum = widgets.FloatSlider(
            value=0.8,
            min=0.0,
            max=0.98,
            step=0.02,
            description="momentum",
            tooltip="Share of the last step that is kept",
        )
        self.damping = widgets.FloatLogSlider(
            value=1e-3,
            min=-5,
            max=1,
            step=0.5,
            description="damping λ",
            tooltip="K-FAC: larger is more like SGD",
        )
        self.interval = widgets.IntSlider(
            value=10,
            min=1,
            max=50,
            description="interval",
            tooltip="K-FAC: steps between refreshes of the curvature",
        )
        self.num_steps = widgets.IntSlider(
            value=60, min=10, max=500, step=10, description="steps"
        )
        self.run = widgets.Button(
            description="Run",
            icon="play",
            button_style="primary",
            tooltip="Train with these settings",
        )
        self.clear = widgets.Button(
            description="Clear", icon="trash", tooltip="Remove the curves"
        )
        self.progress = widgets.IntProgress(max=1, layout=widgets.Layout(width="180px"))
        self.status = widgets.Label("ready")
        self.figure = LiveFigure(_empty_figure(target_accuracy))
        self.run.on_click(self._run_or_stop)
        self.clear.on_click(self._clear_curves)
        self.optimizer.observe(self._follow_optimizer, names="value")
        sliders = [self.learning_rate, self.momentum, self.damping, self.interval]
        super().__init__(
            [
                widgets.HBox([self.optimizer, self.mini_batch_size, self.num_steps]),
                widgets.HBox(sliders),
                widgets.HBox([self.run, self.clear, self.progress, self.status]),
                self.figure,
            ]
        )

    @property
    def settings(self) -> Settings:
        """What the sliders say now."""
        return Settings(
            optimizer="SGD" if self.optimizer.value == "SGD" else "K-FAC",
            mini_batch_size=self.mini_batch_size.value,
            lr=self.learning_rate.value,
            momentum=self.momentum.value,
            damping=self.damping.value,
            factor_interval=self.interval.value,
            num_steps=self.num_steps.value,
        )

    def wait(self, timeout_s: float) -> bool:
        """Wait for the run in progress.

        Args:
            timeout_s: The longest wait.

        Returns:
            Whether no run is in progress any more.
        """
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _run_or_stop(self, _button: widgets.Button) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._stop_asked.set()
            self.status.value = "stopping…"
            return
        self._stop_asked.clear()
        settings = self.settings
        colour = colour_of(settings.optimizer)
        dash = _DASHES[self._drawn.count(colour) % len(_DASHES)]
        self._drawn.append(colour)
        self.figure.add_scatter(
            x=[],
            y=[],
            mode="lines",
            name=settings.label,
            line={"color": colour, "dash": dash},
        )
        self.progress.value, self.progress.max = 0, settings.num_steps
        self.run.description, self.run.icon = "Stop", "stop"
        self.clear.disabled = True
        self._thread = threading.Thread(
            target=self._train, args=(settings,), daemon=True
        )
        self._thread.start()

    def _train(self, settings: Settings) -> None:
        """Run in the thread: train, draw, and say how it ended."""
        curve = self.figure.data[-1]
        points: list[Point] = []

        def watch(point: Point) -> bool:
            points.append(point)
            with self.figure.batch_update():
                curve.x = tuple(each.num_steps for each in points)
                curve.y = tuple(each.accuracy for each in points)
            self.progress.value = point.num_steps
            self.status.value = (
                f"step {point.num_steps}: {point.accuracy:.1%}, "
                f"{point.training_s:.1f} s of training"
            )
            return self._stop_asked.is_set()

        try:
            self._race(settings, watch)
            if self._stop_asked.is_set():
                self.status.value += ", stopped"
        except (ValueError, RuntimeError) as error:  # a thread's error has no cell
            self.status.value = f"failed: {error}"
        finally:
            self.run.description, self.run.icon = "Run", "play"
            self.clear.disabled = False

    def _race(self, settings: Settings, watch: Callable[[Point], bool]) -> None:
        race = Race(
            mini_batch_size=settings.mini_batch_size,
            seed=self._seed,
            split="validation",
            target_accuracy=None,
            max_steps=settings.num_steps,
            evaluation_interval=max(1, settings.num_steps // _NUM_POINTS),
        )
        if settings.optimizer == "SGD":
            contender = Contender.sgd(1)
            setting = Setting(settings.lr, settings.momentum)
        else:
            contender = Contender.kfac(
                1,
                factor_interval=settings.factor_interval,
                num_factor_examples=_NUM_FACTOR_EXAMPLES,
            )
            setting = Setting(settings.lr, settings.momentum, damping=settings.damping)
        run_race(self._task, self._build_model, contender, setting, race, watch=watch)

    def _clear_curves(self, _button: widgets.Button) -> None:
        self.figure.data = ()
        self._drawn.clear()

    def _follow_optimizer(self, change: dict) -> None:
        """Grey out what SGD does not have."""
        for slider in (self.damping, self.interval):
            slider.disabled = change["new"] == "SGD"


def _empty_figure(target_accuracy: float) -> go.Figure:
    figure = styled(go.Figure(), title="Validation accuracy by step")
    figure.update_layout(
        showlegend=True, height=380, width=None, autosize=True, margin={"b": 50}
    )
    figure.update_xaxes(title_text="optimizer steps", rangemode="tozero")
    figure.update_yaxes(title_text="validation accuracy", tickformat=".0%")
    figure.add_hline(y=target_accuracy, line={"dash": "dot", "width": 1})
    return figure
