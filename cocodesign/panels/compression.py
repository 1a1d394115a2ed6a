"""The panel of notebook 30: prune, quantize and code a network by sliders.

A compression goes on in a thread of its own, so that the kernel stays free. Every one
leaves a point of accuracy against ratio; the bars show where the last one's bytes are.
"""

import copy
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import nn

from cocodesign.compression import (
    CompressionReport,
    decode_model,
    encode_model,
    quantize,
)
from cocodesign.compression import prune as prune_weights
from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure

_DESCRIPTION = {"description_width": "80px"}


@dataclass(frozen=True)
class Settings:
    """What the sliders say when a compression is started.

    Attributes:
        density: Share of weights to keep.
        num_bits: Bits of a weight before coding.
        method: How the values are chosen.
        profile: How they are coded.
    """

    density: float
    num_bits: int
    method: str
    profile: str

    @property
    def label(self) -> str:
        """The settings in a hover text's length."""
        return (
            f"{self.density:.1%} kept, {self.num_bits} bits, {self.method}, "
            f"{self.profile}"
        )


class CompressionPanel(widgets.VBox):
    """Sliders, a button, points of accuracy against ratio, and bars of bytes.

    Args:
        model: The network; it is not changed.
        validate: Returns a network's accuracy.
    """

    def __init__(
        self, model: nn.Module, validate: Callable[[nn.Module], float]
    ) -> None:
        self._model = model
        self._validate = validate
        self._thread: threading.Thread | None = None
        self._trail: list[tuple[float, float, str]] = []
        self.density = widgets.FloatLogSlider(
            value=0.2,
            min=-2.5,
            max=0,
            step=0.05,
            description="kept",
            tooltip="Share of weights that stay, the largest of all layers",
            readout_format=".3f",
            style=_DESCRIPTION,
        )
        self.num_bits = widgets.IntSlider(
            value=5,
            min=2,
            max=10,
            description="bits",
            tooltip="Bits of a weight before coding",
            style=_DESCRIPTION,
        )
        self.method = widgets.ToggleButtons(
            options=["uniform", "kmeans"],
            description="values",
            tooltips=["Evenly spaced", "Fitted to the weights"],
        )
        self.profile = widgets.ToggleButtons(
            options=["fast", "max"],
            description="coder",
            tooltips=["Decodes at gigabytes per second", "The smaller file"],
        )
        self.run = widgets.Button(
            description="Compress",
            icon="compress",
            button_style="primary",
            tooltip="Prune, quantize and code with these settings",
        )
        self.status = widgets.Label("ready")
        self.figure = LiveFigure(_empty_figure())
        self.run.on_click(self._start)
        super().__init__(
            [
                widgets.HBox([self.density, self.num_bits]),
                widgets.HBox([self.method, self.profile]),
                widgets.HBox([self.run, self.status]),
                self.figure,
            ]
        )

    @property
    def settings(self) -> Settings:
        """What the sliders say now."""
        return Settings(
            density=min(self.density.value, 1.0),
            num_bits=self.num_bits.value,
            method=str(self.method.value),
            profile=str(self.profile.value),
        )

    def wait(self, timeout_s: float) -> bool:
        """Wait for the compression in progress.

        Args:
            timeout_s: The longest wait.

        Returns:
            Whether none is in progress any more.
        """
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _start(self, _button: widgets.Button) -> None:
        self.run.disabled = True
        self.status.value = "compressing…"
        self._thread = threading.Thread(
            target=self._compress, args=(self.settings,), daemon=True
        )
        self._thread.start()

    def _compress(self, settings: Settings) -> None:
        """Run in the thread: compress, measure, draw."""
        try:
            model = copy.deepcopy(self._model)
            prune_weights(model, settings.density)
            tensors = quantize(
                model,
                num_bits=settings.num_bits,
                method="kmeans" if settings.method == "kmeans" else "uniform",
            )
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "panel.ccz"
                report = encode_model(
                    tensors,
                    path,
                    profile="max" if settings.profile == "max" else "fast",
                )
                model.load_state_dict(decode_model(path))
            accuracy = self._validate(model)
            self._draw(report, accuracy, settings)
            self.status.value = (
                f"{report.compression_ratio:.1f}x, {report.file_bytes:,} bytes, "
                f"accuracy {accuracy:.1%}"
            )
        except (ValueError, RuntimeError) as error:  # a thread's error has no cell
            self.status.value = f"failed: {error}"
        finally:
            self.run.disabled = False

    def _draw(
        self, report: CompressionReport, accuracy: float, settings: Settings
    ) -> None:
        self._trail.append((report.compression_ratio, accuracy, settings.label))
        layers = [each for each in report.layers if each.num_levels is not None]
        points, bars = self.figure.data[0], self.figure.data[1]
        with self.figure.batch_update():
            points.x, points.y, points.text = map(tuple, zip(*self._trail, strict=True))
            bars.y = tuple(each.name.removesuffix(".weight") for each in layers)
            bars.x = tuple(each.payload_bytes for each in layers)
            bars.text = tuple(f"{each.bits_per_weight:.2f} bits/w" for each in layers)


def _empty_figure() -> go.Figure:
    figure = make_subplots(
        cols=2, subplot_titles=["accuracy by ratio", "bytes by layer"]
    )
    figure.add_scatter(
        x=[], y=[], mode="markers", marker={"size": 9, "color": colour_of("", 0)}
    )
    figure.add_bar(
        x=[], y=[], orientation="h", marker={"color": colour_of("", 3)}, col=2, row=1
    )
    styled(figure, title="Pruned once, quantized and coded")
    figure.update_layout(
        showlegend=False, height=360, width=None, autosize=True, margin={"b": 50}
    )
    figure.update_xaxes(
        title_text="compression ratio", type="log", range=[0, 3], row=1, col=1
    )
    figure.update_yaxes(
        title_text="accuracy", tickformat=".0%", range=[0, 1.02], row=1, col=1
    )
    figure.update_xaxes(title_text="bytes", rangemode="tozero", row=1, col=2)
    figure.update_yaxes(autorange="reversed", row=1, col=2)
    return figure
