"""The panel of notebook 60: all-reduces on machines that one does not have.

Everything it shows is predicted. A change of the controls starts a calculation in a
thread of its own; if more changes come meanwhile, only the last one is calculated.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import plotly.graph_objects as go

from cocodesign.collectives import tune
from cocodesign.collectives.cost_model import predict
from cocodesign.collectives.schedules import Schedule, halving, ring
from cocodesign.collectives.simulation import simulate
from cocodesign.collectives.topology import SimulatedMachine, Topology
from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure

NAMES = ("ring", "halving", "tuned")

_SIZES_BYTES = [4.0**exponent for exponent in range(5, 16)]  # 1 KiB to 1 GiB


@dataclass(frozen=True)
class Question:
    """What the controls ask.

    Attributes:
        topology: The machine.
        world_size: The number of ranks.
        num_bytes: Size of the message that is looked at closely.
        mean_delay_s: Mean random delay of a rank per round, in the close look.
    """

    topology: Topology
    world_size: int
    num_bytes: float
    mean_delay_s: float


@dataclass(frozen=True)
class Answer:
    """What is predicted.

    Attributes:
        curves: By schedule, the seconds at each size.
        sentence: The tuned schedule for the message that is looked at, and its time.
    """

    curves: dict[str, list[float]]
    sentence: str


class CollectivesPanel(widgets.VBox):
    """Controls for machine, ranks and message, and a curve for every schedule.

    Args:
        topologies: The machines to choose from.
    """

    def __init__(self, topologies: Sequence[Topology]) -> None:
        self._topologies = list(topologies)
        self.machine = widgets.ToggleButtons(
            options=[topology.name for topology in topologies],
            description="machine",
            style={"button_width": "auto"},
        )
        self.ranks = widgets.SelectionSlider(
            options=[2**exponent for exponent in range(1, 15)],
            value=4096,
            description="GPUs",
            continuous_update=False,
            tooltip="Ranks that take part",
        )
        self.size = widgets.SelectionSlider(
            options=[(_size_text(size), size) for size in _SIZES_BYTES],
            value=_SIZES_BYTES[5],
            description="message",
            continuous_update=False,
            tooltip="Bytes per rank, looked at closely",
        )
        self.delay = widgets.FloatSlider(
            value=0.0,
            max=50.0,
            step=5.0,
            description="delay, µs",
            continuous_update=False,
            tooltip="Mean random delay of every GPU in every round",
        )
        self.status = widgets.HTML()
        self.figure = LiveFigure(_empty_figure())
        self._wanted: Question | None = None
        self._changed = threading.Lock()
        self._thread: threading.Thread | None = None
        for control in (self.machine, self.ranks, self.size, self.delay):
            control.observe(self._ask, names="value")
        super().__init__(
            [
                self.machine,
                widgets.HBox([self.ranks, self.size, self.delay]),
                self.status,
                self.figure,
            ]
        )
        self._ask()

    @property
    def question(self) -> Question:
        """What the controls ask now."""
        return Question(
            self._topologies[self.machine.index or 0],
            self.ranks.value,
            self.size.value,
            1e-6 * self.delay.value,
        )

    def wait(self, timeout_s: float) -> bool:
        """Wait for the calculation in progress.

        Args:
            timeout_s: The longest wait.

        Returns:
            Whether none is in progress any more.
        """
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _ask(self, _change: object = None) -> None:
        with self._changed:
            idle = self._wanted is None
            self._wanted = self.question
            self.status.value = "calculating…"
            if idle:
                self._thread = threading.Thread(target=self._answer_all, daemon=True)
                self._thread.start()

    def _answer_all(self) -> None:
        """Run in the thread: answer until nothing new has been asked."""
        while True:
            question = self._wanted
            assert question is not None
            answer = answer_question(question)
            with self._changed:
                if self._wanted == question:
                    self._draw(answer)
                    self._wanted = None
                    return

    def _draw(self, answer: Answer) -> None:
        with self.figure.batch_update():
            for index, name in enumerate(NAMES):
                curve = self.figure.data[index]
                curve.y = answer.curves[name]
        self.status.value = answer.sentence


def answer_question(question: Question) -> Answer:
    """Predict what the controls ask.

    Args:
        question: What they ask.

    Returns:
        The curves and the sentence.
    """
    machine = SimulatedMachine(question.topology, question.world_size)
    curves: dict[str, list[float]] = {name: [] for name in NAMES}
    for size in _SIZES_BYTES:
        for name, schedule in _schedules(machine, size).items():
            curves[name].append(predict(machine, schedule, size))
    schedules = _schedules(machine, question.num_bytes)
    seconds = {
        name: simulate(
            machine,
            schedule,
            question.num_bytes,
            mean_delay_s=question.mean_delay_s,
        )
        for name, schedule in schedules.items()
    }
    delayed = ", with the delays" if question.mean_delay_s else ""
    return Answer(
        curves,
        f"{_size_text(question.num_bytes)} on {question.world_size:,} GPUs{delayed}: "
        f"<b>{_time_text(seconds['tuned'])}</b> by {schedules['tuned']}, "
        f"{_time_text(seconds['ring'])} by a ring "
        f"({seconds['ring'] / seconds['tuned']:.1f}×). All simulated.",
    )


def _schedules(machine: SimulatedMachine, num_bytes: float) -> dict[str, Schedule]:
    return {
        "ring": ring(machine.world_size),
        "halving": halving(machine.world_size),
        "tuned": tune(machine, machine.world_size, num_bytes),
    }


def _size_text(num_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if num_bytes < 1024:
            return f"{num_bytes:g} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:g} GiB"


def _time_text(seconds: float) -> str:
    return f"{1e6 * seconds:.3g} µs" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"


def _empty_figure() -> go.Figure:
    figure = go.Figure()
    for index, name in enumerate(NAMES):
        figure.add_scatter(
            x=_SIZES_BYTES,
            y=[None] * len(_SIZES_BYTES),
            mode="lines+markers",
            name=name,
            line={"color": colour_of(name, index)},
        )
    styled(figure, title="Predicted time of an all-reduce")
    figure.update_layout(height=380, width=None, autosize=True, margin={"b": 50})
    figure.update_xaxes(title_text="bytes", type="log")
    figure.update_yaxes(title_text="seconds", type="log", exponentformat="power")
    return figure
