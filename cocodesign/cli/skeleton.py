"""``cocodesign skeleton``: train, judge and use a recognizer of actions."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cocodesign.skeleton import JointLayout, SkeletonDataset, SkeletonSequence

app = typer.Typer(
    help="Actions from skeletons: train, judge and use a Fine-to-Coarse network.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    str,
    typer.Argument(
        help="A data set's folder or file in its original format, or pose_kit, which "
        "is fetched."
    ),
]
Model = Annotated[Path, typer.Argument(help="What `skeleton train` wrote.")]
Format = Annotated[
    str | None, typer.Option(help="Format of the data; recognised if left out.")
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the clips [60].", min=1)]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda[:N].")]
YDown = Annotated[bool, typer.Option("--y-down", help="y grows downwards.")]


@app.command()
def layouts(
    names: Annotated[
        list[str] | None, typer.Argument(help="Print these as TOML files.")
    ] = None,
) -> None:
    """List the joint layouts, or print some to start one of your own from."""
    from cocodesign.skeleton.layouts import layout_names, load_layout

    for name in names or []:
        typer.echo(_layout(name).to_toml())
    if not names:
        for layout in map(load_layout, layout_names()):
            typer.echo(f"{layout.name:14} {layout.title}")


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    *,
    format: Format = None,
    epochs: Epochs = None,
    seed: Annotated[int, typer.Option(help="Decides what chance decides.")] = 0,
    device: Device = "auto",
) -> None:
    """Train a recognizer on all clips of a data set."""
    from cocodesign.devices import choose_device
    from cocodesign.skeleton import Recognizer
    from cocodesign.skeleton.fitting import Recipe

    dataset = _read(data, format)
    typer.echo(f"{dataset.name}: {len(dataset)} clips, {dataset.layout.title}")
    recipe = Recipe() if epochs is None else Recipe(num_epochs=epochs)
    with typer.progressbar(length=recipe.num_epochs, label="epochs") as bar:
        recognizer = Recognizer.train(
            dataset,
            recipe=recipe,
            seed=seed,
            device=choose_device(device),
            report=lambda _epoch, _loss: bar.update(1),
        )
    recognizer.save(out)
    typer.echo(f"wrote {out}")


@app.command()
def evaluate(
    data: Data,
    *,
    format: Format = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 5,
    epochs: Epochs = None,
    variant: Annotated[
        str, typer.Option(help="fine_to_coarse, or an ablation such as flat.")
    ] = "fine_to_coarse",
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also with joints and limbs missing.")
    ] = False,
    inner: Annotated[
        bool,
        typer.Option(
            "--inner", help="Judge on parts of the training clips, to choose settings."
        ),
    ] = False,
    device: Device = "auto",
) -> None:
    """Train and judge by the data set's own protocol; the last line is JSON."""
    from cocodesign.devices import choose_device
    from cocodesign.skeleton.evaluation import cross_validate
    from cocodesign.skeleton.fitting import Recipe
    from cocodesign.skeleton.protocols import inner_folds, official_folds
    from cocodesign.skeleton.variants import VARIANTS, Variant

    chosen: Variant | None = next((n for n in VARIANTS if n == variant), None)
    if chosen is None:
        raise typer.BadParameter(f"no variant {variant!r}: {', '.join(VARIANTS)}")
    dataset = _read(data, format)
    folds = official_folds(dataset)
    found = cross_validate(
        dataset,
        seeds=range(seeds),
        folds=inner_folds(folds) if inner else folds,
        variant=chosen,
        recipe=Recipe() if epochs is None else Recipe(num_epochs=epochs),
        damages=None if robustness else {},
        device=choose_device(device),
        report=lambda line: typer.echo(line, err=True),
    )
    interval = found.clip_interval()
    summary = {
        "dataset": found.dataset,
        "variant": found.variant,
        "folds": "inner" if inner else "official",
        "parameters": found.num_parameters,
        "accuracy": interval.value,
        "interval_95": [interval.low, interval.high],
        "accuracy_by_seed": list(found.accuracies()),
        "loss_without": {name: list(found.losses(name)) for name in found.damages},
    }
    typer.echo(json.dumps(summary))


@app.command()
def classify(
    model: Model,
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Clips: .jsonl frames, .skeleton, .json, .pkl, or folders."
        ),
    ],
    *,
    top: Annotated[int, typer.Option(help="How many classes to show.", min=1)] = 3,
    layout: Annotated[
        str | None,
        typer.Option(help="Layout of .jsonl files, if not the recognizer's."),
    ] = None,
    y_down: YDown = False,
) -> None:
    """Say what is done in skeleton files."""
    from cocodesign.skeleton import Recognizer
    from cocodesign.skeleton.conversion import convert

    recognizer = Recognizer.load(model)
    given = _layout(layout) if layout else recognizer.layout
    for file in files:
        for clip in _clips(file, given, y_down=y_down):
            same = clip.layout.joints == recognizer.layout.joints
            classes = recognizer.classify(
                clip if same else convert(clip, recognizer.layout)
            )
            best = [f"{name} {p:.1%}" for name, p in list(classes.items())[:top]]
            typer.echo(f"{clip.name}: {', '.join(best)}")


@app.command()
def stream(
    model: Model,
    *,
    window: Annotated[int, typer.Option(help="Frames of a clip.", min=2)] = 64,
    hop: Annotated[int, typer.Option(help="Frames between answers.", min=1)] = 8,
    y_down: YDown = False,
) -> None:
    """Classify frames from the standard input; one line of JSON per answer.

    A frame is a line: a list of persons, each a list of joints [x, y], [x, y, z] or
    null. A line that is no frame ends the command.
    """
    from cocodesign.skeleton import Recognizer
    from cocodesign.skeleton.readers.frames import parse_frame
    from cocodesign.skeleton.stream import RecognizerStream

    recognizer = Recognizer.load(model)
    answers = RecognizerStream(recognizer, window_frames=window, hop_frames=hop)
    for number, line in enumerate(sys.stdin):
        frame = parse_frame(line, recognizer.layout, y_down=y_down)
        classes = answers.push(frame)
        if classes is not None:
            answer, probability = next(iter(classes.items()))
            result = {"frame": number, "class": answer, "probability": probability}
            print(json.dumps(result), flush=True)


@app.command()
def export(
    model: Model,
    out: Annotated[Path, typer.Argument(help="The .onnx file to write.")],
) -> None:
    """Write a recognizer's network as ONNX."""
    from cocodesign.skeleton import Recognizer

    Recognizer.load(model).export_onnx(out)
    typer.echo(f"wrote {out}")


def _read(data: str, format: str | None) -> "SkeletonDataset":
    from cocodesign.data import dataset_names, fetch_dataset
    from cocodesign.skeleton.reading import FORMATS, SkeletonFormat, read_skeletons

    chosen: SkeletonFormat | None = next((n for n in FORMATS if n == format), None)
    if format is not None and chosen is None:
        raise typer.BadParameter(f"no format {format!r}: {', '.join(FORMATS)}")
    path = Path(data)
    if not path.exists() and data in dataset_names():
        path = fetch_dataset(data)
    return read_skeletons(path, format=chosen)


def _layout(name: str) -> "JointLayout":
    from cocodesign.skeleton import load_layout

    try:
        return load_layout(name)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from error


def _clips(
    file: Path, layout: "JointLayout", *, y_down: bool
) -> "list[SkeletonSequence]":
    from cocodesign.skeleton import read_skeletons
    from cocodesign.skeleton.readers.frames import read_frames

    if file.suffix == ".jsonl":
        return [read_frames(file, layout, y_down=y_down)]
    return list(read_skeletons(file).sequences)
