"""``cocodesign watch``: detect, track and notice what is abnormal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cocodesign.video.streams import Notice
    from cocodesign.video.watching import WatchedFrame

_SHOWN_ALARMS = 12


def watch(
    sources: Annotated[
        list[str],
        typer.Argument(help="Files, devices such as /dev/video0, or rtsp:// URLs."),
    ],
    *,
    model: Annotated[
        Path | None, typer.Option(help="What is normal; written by --save-model.")
    ] = None,
    learn: Annotated[
        float,
        typer.Option(help="Seconds of normal video to learn from, without --model."),
    ] = 60.0,
    save_model: Annotated[
        Path | None, typer.Option(help="Learn from the first source, write, end.")
    ] = None,
    alarms: Annotated[
        Path | None, typer.Option(help="Append alarms here, one line of JSON each.")
    ] = None,
    thumbnails: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each alarm.")
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(help="Allowed per hour; if left out, as few as can be promised."),
    ] = None,
    classes: Annotated[
        str, typer.Option(help="Classes of COCO that matter, by commas; empty: all.")
    ] = "",
    rate: Annotated[
        float, typer.Option(help="Frames a second that the network looks at.")
    ] = 10.0,
    web: Annotated[bool, typer.Option("--web", help="Show a page as well.")] = False,
    host: Annotated[
        str,
        typer.Option(help="Address of the page; 0.0.0.0 shows it to the network."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the page; 0: any.")] = 8765,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Play files at their own speed.")
    ] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Play files for ever.")] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print alarms only, as lines of JSON.")
    ] = False,
) -> None:
    """Watch streams, and say in one sentence what is strange.

    The first minute of each stream is taken for normal unless --model is given. Ends
    with the streams, or with Ctrl-C.
    """
    import contextlib

    from rich.console import Console
    from rich.live import Live

    from cocodesign.data import fetch_dataset
    from cocodesign.models import open_detector
    from cocodesign.video import AnomalyModel
    from cocodesign.video import watch as watch_streams
    from cocodesign.video.web import WebView

    chosen = tuple(name.strip() for name in classes.split(",") if name.strip())
    network = open_detector(fetch_dataset("coco_detectors"), min_score=0.1)
    if save_model is not None:
        _learn(sources[0], learn, chosen, rate, false_alarms, save_model)
        return
    events = watch_streams(
        sources,
        network,
        model=None if model is None else AnomalyModel.load(model),
        learn_s=learn,
        classes=chosen or None,
        max_rate_hz=rate,
        max_false_alarms_per_hour=false_alarms,
        paced=real_time,
        looped=loop,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(events.close)
        log = None if alarms is None else stack.enter_context(_open_log(alarms))
        page = None
        if web:
            page = stack.enter_context(WebView(sources, host=host, port=port))
            typer.echo(f"page at {page.address}", err=True)
        view = _TerminalView(sources)
        live = None
        if not plain:
            live = stack.enter_context(
                Live(view.render(), console=Console(stderr=True), refresh_per_second=4)
            )
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        for event in events:
            view.take(event)
            if page is not None:
                page.show(event)
            _keep_alarms(event, log, thumbnails, plain=plain)
            if live is not None:
                live.update(view.render())


def _learn(
    source: str,
    learn_s: float,
    classes: tuple[str, ...],
    rate: float,
    false_alarms: float | None,
    path: Path,
) -> None:
    from itertools import takewhile

    from cocodesign.data import fetch_dataset
    from cocodesign.models import open_detector
    from cocodesign.video import (
        AnomalyModel,
        ObjectDetector,
        Observer,
        Tracker,
        open_video,
    )

    network = open_detector(fetch_dataset("coco_detectors"), min_score=0.1)
    detector = ObjectDetector(network, classes=classes or None, max_rate_hz=rate)
    observer = Observer(detector, Tracker())
    with open_video(source) as stream:
        moments = [
            observer.observe(frame)
            for frame in takewhile(lambda each: each.time_s <= learn_s, stream)
        ]
    try:
        learnt = AnomalyModel.fit(moments, max_false_alarms_per_hour=false_alarms)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    learnt.save(path)
    threshold = learnt.threshold
    typer.echo(
        f"wrote {path}: {learnt.normal.duration_s:.0f} s of normal video, threshold "
        f"{threshold.value:.2f}, at most {threshold.false_alarms_per_hour:.0f} s of "
        f"false alarms per hour, from {threshold.num_blocks} s held out"
    )


def _open_log(path: Path) -> TextIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a", encoding="utf-8")


def _keep_alarms(
    event: "WatchedFrame | Notice",
    log: TextIO | None,
    thumbnails: Path | None,
    *,
    plain: bool,
) -> None:
    """Write alarms so that not even a power cut loses them."""
    import os

    from cocodesign.files import write_atomically
    from cocodesign.video.streams import Notice

    if isinstance(event, Notice):
        if plain:
            typer.echo(f"{event.source}: {event.sentence}", err=True)
        return
    for alarm in event.alarms:
        line = alarm.to_json()
        if plain:
            typer.echo(line)
        if log is not None:
            log.write(line + "\n")
            log.flush()
            os.fsync(log.fileno())
        if thumbnails is not None:
            stamp = alarm.raised_at.strftime("%Y%m%dT%H%M%S%f")
            write_atomically(
                thumbnails / f"{stamp}_{alarm.number}.jpg", alarm.thumbnail
            )


class _TerminalView:
    """A table of streams over the newest alarms and notices."""

    def __init__(self, sources: list[str]) -> None:
        from collections import deque

        self._newest: dict[str, WatchedFrame | None] = dict.fromkeys(sources)
        self._lines: deque[str] = deque(maxlen=_SHOWN_ALARMS)

    def take(self, event: "WatchedFrame | Notice") -> None:
        from cocodesign.video.streams import Notice

        if isinstance(event, Notice):
            self._lines.append(f"{event.time_s:9.1f} s  {event.sentence}")
            return
        self._newest[event.source] = event
        for alarm in event.alarms:
            self._lines.append(
                f"{alarm.time_s:9.1f} s  ALARM {alarm.score:.1f}  {alarm.sentence}"
            )

    def render(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("stream", "time", "objects", "score", "latency", "dropped")
        for source, newest in self._newest.items():
            if newest is None:
                table.add_row(source, "waiting", "", "", "", "")
                continue
            judgement = newest.judgement
            table.add_row(
                source,
                f"{newest.moment.time_s:.1f} s",
                str(len(newest.moment.tracks)),
                "learning" if judgement is None else f"{judgement.score:.2f}",
                f"{newest.latency_ms:.0f} ms",
                str(newest.num_dropped),
            )
        lines = [
            Text(line, style="bold red" if "  ALARM " in line else "dim")
            for line in self._lines
        ]
        return Group(table, *lines)
