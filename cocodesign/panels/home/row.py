"""One notebook's row: its question, its last runs, a button, progress and log."""

import time
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import ipywidgets as widgets

from cocodesign.panels.home.background import BackgroundRun
from cocodesign.panels.home.markup import badge, notebook_link, styled
from cocodesign.panels.home.states import (
    EXECUTED_NAME,
    LastRun,
    NotebookFacts,
    RunProgress,
    Status,
    read_progress,
)

_MARKS: dict[Status, str] = {
    "running": "▶",
    "finished": "✓",
    "failed": "✗",
    "dead": "☠",
    "recorded": "▪",
}
_COLOURS: dict[Status, str | None] = {
    "running": "#0B5CAD",
    "finished": "#1B7F4B",
    "failed": "#B3261E",
    "dead": "#8E24AA",
    "recorded": "#4E6E5D",
}
_WORDS: dict[Status, str] = {
    "running": "running since",
    "finished": "finished, started",
    "failed": "failed, started",
    "dead": "killed without a word, started",
    "recorded": "record of",
}
_COLUMNS = "minmax(0, 5fr) minmax(0, 4fr) 150px 92px"


class NotebookRow(widgets.VBox):
    """A notebook, and what can be done with it.

    Args:
        facts: The notebook.
        start: Called with notebook and profile to start a run.
        stop: Called with the notebook to stop the run that was started here.
        place: Where JupyterLab shows the notebooks; no link if ``None``.

    Attributes:
        states: Its last run at every profile.
        profile: The profile of the next run.
        button: Runs it, or stops the run.
        bar: Cells that are done.
        status: The cell that is running, or how the run ended.
        output: What was printed last.
    """

    def __init__(
        self,
        facts: NotebookFacts,
        *,
        start: Callable[[str, str], None],
        stop: Callable[[str], None],
        place: Path | None,
    ) -> None:
        self._facts = facts
        self._start = start
        self._stop = stop
        self._is_running = False
        self._progress = _ProgressReader()
        name = f"<b>{escape(facts.name)}</b>"
        if place is not None:
            name = notebook_link(facts.name, place)
        title = f"{name}<br><small>{escape(facts.question)}</small>"
        self.states = widgets.HTML()
        self.profile = widgets.Dropdown(
            options=facts.profiles,
            description="profile",
            tooltip=f"Whose values the next run of {facts.name} takes",
            style={"description_width": "44px"},
            layout=widgets.Layout(width="146px"),
        )
        self.button = widgets.Button(layout=widgets.Layout(width="88px"))
        self.bar = widgets.IntProgress(
            bar_style="info",
            tooltip="Cells that are done",
            layout=widgets.Layout(width="180px", flex="0 0 auto"),
        )
        self.status = widgets.HTML(layout=widgets.Layout(flex="1 1 auto"))
        self.output = widgets.HTML()
        self.button.on_click(self._click)
        self._offer("Run", tooltip=f"Run {facts.name} in the background")
        head = widgets.GridBox(
            [widgets.HTML(styled(title)), self.states, self.profile, self.button],
            layout=widgets.Layout(
                grid_template_columns=_COLUMNS, align_items="flex-start", width="100%"
            ),
        )
        self._line = widgets.HBox([self.bar, self.status])
        for each in (self._line, self.bar, self.output):
            _set_visible(each, visible=False)
        super().__init__(
            [head, self._line, self.output],
            layout=widgets.Layout(
                border_bottom="1px solid var(--jp-border-color2, #DDD)",
                padding="4px 0",
            ),
        )

    def show(self, last: Sequence[LastRun], started: BackgroundRun | None) -> None:
        """Show what became of the notebook.

        Args:
            last: Its newest run at every profile.
            started: The last run that was started here, if any.
        """
        self.states.value = styled(
            "".join(map(_state_badge, last)) or "<small>not run yet</small>"
        )
        running = [each for each in last if each.status == "running"]
        if started is not None and started.is_alive:
            self._show_progress(started.run_dir, running, started)
        elif running:
            self._show_foreign(running[-1])
        else:
            self._show_end(last, started)

    def _show_progress(
        self, run_dir: Path, running: Sequence[LastRun], started: BackgroundRun
    ) -> None:
        self._is_running = True
        own = next((each for each in running if _is_in(each, run_dir)), None)
        if started.was_stopped:
            self._offer("Stopping", icon="hourglass-half", disabled=True)
            self._say("saving what there is…")
            return
        self._offer("Stop", icon="stop", tooltip=f"Stop the run of {self._facts.name}")
        self._draw_progress(run_dir, own)

    def _show_foreign(self, running: LastRun) -> None:
        run = running.run
        assert run is not None
        where = f"process {run.pid} on {run.host}"
        self._is_running = False
        self._offer("Run", disabled=True, tooltip=f"{where} runs it: stop it there")
        self._draw_progress(run.run_dir, running)

    def _draw_progress(self, run_dir: Path, running: LastRun | None) -> None:
        progress = self._progress.read(run_dir) if running else None
        if progress is None:
            self._say("starting…")
            return
        assert running is not None
        assert running.run is not None
        self.bar.max, self.bar.value = progress.num_cells, progress.num_done
        _set_visible(self.bar, visible=True)
        seconds = time.time() - running.run.started
        number = min(progress.num_done + 1, progress.num_cells)
        text = f"{running.profile}, cell {number} of {progress.num_cells}"
        text += f", {seconds:.0f} s"
        self._say(f"{text}: {progress.title}" if progress.title else text)
        self._print("\n".join(progress.tail))

    def _show_end(self, last: Sequence[LastRun], started: BackgroundRun | None) -> None:
        self._is_running = False
        self._offer("Run", tooltip=f"Run {self._facts.name} in the background")
        _set_visible(self.bar, visible=False)
        newest = max(last, key=lambda each: each.when, default=None)
        if started is not None and started.status:
            how = "stopped" if started.was_stopped else "failed"
            self._say(f"{started.profile}: {how}; kept in {started.run_dir.name}")
            self._print(started.last_words())
        elif newest is not None and newest.status in ("failed", "dead"):
            assert newest.run is not None
            self._say(
                f"{newest.profile}: {_WORDS[newest.status]} {_time(newest.when)}; kept "
                f"in {newest.run.run_dir.name}"
            )
            self._print(newest.run.message)
        else:
            self._say("")
            self._print("")

    def _offer(
        self,
        text: str,
        *,
        icon: str = "play",
        tooltip: str = "",
        disabled: bool = False,
    ) -> None:
        self.button.description = text
        self.button.icon = icon
        self.button.tooltip = tooltip
        self.button.disabled = disabled

    def _say(self, text: str) -> None:
        self.status.value = styled(f'<span role="status">{escape(text)}</span>')
        _set_visible(self._line, visible=bool(text))

    def _print(self, text: str) -> None:
        self.output.value = styled(
            f'<pre class="log" role="log" tabindex="0">{escape(text)}</pre>'
        )
        _set_visible(self.output, visible=bool(text))

    def _click(self, _button: widgets.Button) -> None:
        self.button.disabled = True  # until the next look
        if self._is_running:
            self._stop(self._facts.name)
        else:
            self._start(self._facts.name, str(self.profile.value))


class _ProgressReader:
    """Reads a run's progress, again only when its executed notebook has changed."""

    def __init__(self) -> None:
        self._stamp: tuple[Path, int] | None = None
        self._progress: RunProgress | None = None

    def read(self, run_dir: Path) -> RunProgress | None:
        """Return how far a run has come, ``None`` before its first saving."""
        executed = run_dir / EXECUTED_NAME
        stamp = (executed, executed.stat().st_mtime_ns) if executed.exists() else None
        if stamp != self._stamp:
            self._progress = read_progress(run_dir)
            self._stamp = stamp
        return self._progress


def _state_badge(last: LastRun) -> str:
    text = f"{_MARKS[last.status]} {last.profile}"
    if last.duration_s is not None:
        text += f" {_duration(last.duration_s)}"
    title = f"{_WORDS[last.status]} {_time(last.when)}"
    if last.run is not None and last.run.message:
        title += f": {last.run.message.partition(chr(10))[0]}"
    return badge(text, _COLOURS[last.status], title=title)


def _is_in(last: LastRun, run_dir: Path) -> bool:
    return last.run is not None and last.run.run_dir == run_dir


def _time(when: str) -> str:
    return f"{when[:16].replace('T', ' ')} UTC"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"


def _set_visible(widget: widgets.DOMWidget, *, visible: bool) -> None:
    widget.layout.display = None if visible else "none"
