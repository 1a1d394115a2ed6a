"""``cocodesign events``: index videos, search them by words and examples, submit."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cocodesign.events import EventKit
    from cocodesign.events.collection import Collection
    from cocodesign.events.med import ExperimentId
    from cocodesign.events.trials import Trials

app = typer.Typer(
    help="Events in video: index a collection once, then search it in no time.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

VIDEO_SUFFIXES = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"}

Index = Annotated[Path, typer.Argument(help="The folder that `events index` wrote.")]
Share = Annotated[
    float,
    typer.Option(
        help="How often the event is expected among the clips.", min=1e-6, max=0.99
    ),
]


@app.command()
def index(
    videos: Annotated[
        list[Path],
        typer.Argument(
            help="Videos, folders of videos, or a MED clip table (.csv with ClipID "
            "and MEDIA_FILE)."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="The folder of the index.")],
    bank: Annotated[
        list[str] | None,
        typer.Option(help="What to recognise: imagenet, coco [both]."),
    ] = None,
    interval: Annotated[
        float, typer.Option(help="Seconds between the frames looked at.", min=0.01)
    ] = 2.0,
) -> None:
    """Recognise concepts in videos. Call it again to go on or to add videos.

    A clip is named after its file, or as the clip table says. One that cannot be
    decoded is kept and reported; it will rank last.
    """
    from cocodesign.data import fetch_dataset
    from cocodesign.events.index import build_index
    from cocodesign.events.opening import BANK_NAMES, open_banks

    clips = _find_clips(videos)
    names = bank or list(BANK_NAMES)
    if unknown := sorted(set(names) - set(BANK_NAMES)):
        raise typer.BadParameter(
            f"no bank {', '.join(unknown)}: {', '.join(BANK_NAMES)}"
        )
    banks = open_banks(names, fetch_dataset, num_threads=1)
    with typer.progressbar(length=len(clips), label="clips") as bar:
        found = build_index(
            out,
            clips,
            banks,
            interval_s=interval,
            num_workers=os.cpu_count() or 1,
            on_clip=lambda _clip: bar.update(1),
        )
    num_frames = sum(len(clip.times_s) for clip in found.clips)
    typer.echo(f"{out}: {len(found.clips)} clips, {num_frames} frames")
    for clip in found.clips:
        if clip.error:
            typer.echo(f"{clip.id}: {clip.error}", err=True)


@app.command()
def search(
    folder: Index,
    event: Annotated[
        str, typer.Argument(help="The event in words, or an event kit (.toml).")
    ],
    *,
    like: Annotated[
        list[str] | None, typer.Option(help="Id of a clip that shows the event.")
    ] = None,
    unlike: Annotated[
        list[str] | None, typer.Option(help="Id of a clip that does not.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many clips to show.", min=1)] = 10,
    why: Annotated[
        bool, typer.Option("--why", help="Also frames and concepts each rests on.")
    ] = False,
    share: Share = 0.01,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON per clip.")
    ] = False,
) -> None:
    """Rank the clips of an index for an event.

    Shown are the probability, the clip, and its file. Probabilities depend on
    `--share`; ranks do not.
    """
    kit = _kit_of(event)
    collection = _open_collection(folder)
    try:
        answer = collection.search(
            kit, examples=like or (), rejected=unlike or (), share=share
        )
    except ValueError as error:  # a clip that is not there
        raise typer.BadParameter(str(error)) from error
    if not as_json:
        strongest = answer.detector.zero_shot.strongest(collection.space, 8)
        typer.echo(f"concepts: {', '.join(name for name, _ in strongest)}")
    for hit in answer.hits[:top]:
        evidence = collection.explain(answer, hit.clip.id) if why else ()
        if as_json:
            line = {
                "clip": hit.clip.id,
                "path": hit.clip.path,
                "probability": round(hit.probability, 4),
                "score": None if math.isnan(hit.score) else round(hit.score, 4),
                "error": hit.clip.error,
                "evidence": [asdict(each) for each in evidence],
            }
            typer.echo(json.dumps(line))
            continue
        typer.echo(f"{hit.probability:6.1%}  {hit.clip.id}  {hit.clip.path}")
        for each in evidence:
            shown = ", ".join(f"{name} {part:.0%}" for name, part in each.concepts)
            typer.echo(f"        {each.time_s:8.1f} s  {shown or 'features only'}")


@app.command()
def kits(
    write: Annotated[
        Path | None, typer.Option(help="Write them as files into this folder.")
    ] = None,
) -> None:
    """List the built-in event kits, or write them to start one of your own from."""
    from cocodesign.events.composed import stamp_kits, write_kits

    if write is not None:
        write_kits(write)
        typer.echo(f"wrote {len(stamp_kits())} kits into {write}")
        return
    for kit in stamp_kits():
        typer.echo(f"{kit.id}  {kit.name}")


@app.command()
def score(
    folder: Index,
    trials: Annotated[
        Path, typer.Argument(help="A MED trial index: TrialID, ClipID, EventID.")
    ],
    *,
    kits: Annotated[Path, typer.Option(help="A folder of event kits (.toml).")],
    reference: Annotated[
        Path | None, typer.Option(help="The answers: TrialID, Targ. Scores them.")
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(help="Positive examples: a CSV with EventID and ClipID."),
    ] = None,
    submit: Annotated[
        str | None,
        typer.Option(help="Write a submission of this EXPID, such as TT_MED17_…_1."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the submission.")] = Path(),
) -> None:
    """Answer the trials of a MED task, and score or submit the answers.

    Clips of the trials that the index lacks are reported, and rank last.
    """
    import numpy as np

    from cocodesign.events.med import ExperimentId, read_med
    from cocodesign.events.scoring import mean_average_precision, score_trials

    if reference is None and submit is None:
        raise typer.BadParameter("give --reference, --submit or both")
    try:
        experiment = ExperimentId.parse(submit) if submit else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    task = read_med(trials, reference)
    collection = _open_collection(folder)
    by_event, seconds = _answer(
        collection, _kits_by_id(kits, task.event_ids), _read_examples(examples)
    )
    known = {clip.id for clip in collection.index.clips}
    if absent := [name for name in task.clip_ids if name not in known]:
        typer.echo(f"not in the index, ranked last: {', '.join(absent)}", err=True)
    grid = np.array(
        [
            [by_event[event].get(name, np.nan) for event in task.event_ids]
            for name in task.clip_ids
        ]
    )
    scores = task.scores_from_grid(grid)
    if reference is not None:
        scored = score_trials(task, scores)
        if not scored:
            raise typer.BadParameter(f"{reference} has no positive trial")
        for event, each in scored.items():
            typer.echo(
                f"{event}  AP {each.average_precision:.4f}  "
                f"infAP {each.inferred_average_precision:.4f}  "
                f"minNDC {each.min_ndc:.4f}  Pmiss@6% {each.miss_rate:.4f}"
            )
        typer.echo(f"mAP  {mean_average_precision(scored):.4f}")
    if experiment is not None:
        _submit(out, experiment, task, scores, seconds)


def _find_clips(videos: list[Path]) -> dict[str, Path]:
    from cocodesign.events.med import read_clips

    clips: dict[str, Path] = {}
    for given in videos:
        if given.suffix == ".csv":
            found = {
                each.id: given.parent / each.media_file for each in read_clips(given)
            }
        elif given.is_dir():
            files = sorted(
                path
                for path in given.rglob("*")
                if path.suffix.lower() in VIDEO_SUFFIXES
            )
            found = {
                path.relative_to(given).with_suffix("").as_posix(): path
                for path in files
            }
        elif given.is_file():
            found = {given.stem: given}
        else:
            raise typer.BadParameter(f"{given} does not exist")
        if twice := sorted(set(found) & set(clips)):
            raise typer.BadParameter(f"two clips are called {twice[0]}")
        clips |= found
    if not clips:
        raise typer.BadParameter(
            f"no video here; known suffixes: {', '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return clips


def _kit_of(event: str) -> "EventKit":
    from cocodesign.events import EventKit

    if event.endswith(".toml"):
        return EventKit.read(Path(event))
    if not event.strip():
        raise typer.BadParameter("the event has no words")
    return EventKit("query", event)


def _open_collection(folder: Path) -> "Collection":
    from cocodesign.data import fetch_dataset
    from cocodesign.events.collection import Collection
    from cocodesign.events.index import ClipIndex
    from cocodesign.events.opening import open_space

    index = ClipIndex(folder)
    space = open_space(index.concepts, fetch_dataset, cache=folder)
    try:
        return Collection(index, space)
    except ValueError as error:  # too few clips could be decoded
        raise typer.BadParameter(str(error)) from error


def _kits_by_id(folder: Path, events: tuple[str, ...]) -> "dict[str, EventKit]":
    from cocodesign.events.kits import read_kits

    found = {kit.id: kit for kit in read_kits(folder)}
    if missing := [event for event in events if event not in found]:
        raise typer.BadParameter(f"{folder} has no kit for {', '.join(missing)}")
    return {event: found[event] for event in events}


def _read_examples(path: Path | None) -> dict[str, list[str]]:
    from cocodesign.events.med import read_table

    examples: dict[str, list[str]] = {}
    if path is not None:
        for row in read_table(path, ("EventID", "ClipID")):
            examples.setdefault(row["EventID"], []).append(row["ClipID"])
    return examples


def _answer(
    collection: "Collection",
    kits: "Mapping[str, EventKit]",
    examples: Mapping[str, list[str]],
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Search for every event; return scores by clip, and the seconds it took."""
    import time

    scores: dict[str, dict[str, float]] = {}
    seconds: dict[str, float] = {}
    for event, kit in kits.items():
        started = time.perf_counter()
        try:
            answer = collection.search(kit, examples=examples.get(event, ()))
        except ValueError as error:  # an example that is not there or not decoded
            raise typer.BadParameter(f"{event}: {error}") from error
        scores[event] = {hit.clip.id: hit.score for hit in answer.hits}
        seconds[event] = time.perf_counter() - started
    return scores, seconds


def _submit(
    folder: Path,
    experiment: "ExperimentId",
    task: "Trials",
    scores: "NDArray[np.float32]",
    seconds: Mapping[str, float],
) -> None:
    from cocodesign.events.med import write_submission

    path = write_submission(
        folder,
        experiment,
        task,
        scores,
        description="Zero-shot from concepts, fused with examples and adapted to the "
        "collection (cocodesign).",
        detection_s=seconds,
        search_s=seconds,
    )
    typer.echo(f"wrote {path}")
