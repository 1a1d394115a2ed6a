"""``cocodesign plan``: divide the mini-batches of a network's convolutions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import nn

    from cocodesign.microbatch import MicroBatchPlan

_MIB = 1 << 20


def plan(
    network: Annotated[
        str, typer.Argument(help="A network of torchvision, such as resnet18.")
    ],
    *,
    mini_batch: Annotated[
        int, typer.Option("--mini-batch", "-n", min=1, help="Examples per step.")
    ] = 32,
    size: Annotated[
        int, typer.Option(min=1, help="Height and width of the pictures, in pixels.")
    ] = 224,
    workspace: Annotated[
        float | None,
        typer.Option(min=0, help="The most scratch memory of a convolution, in MiB."),
    ] = None,
    step: Annotated[
        float | None,
        typer.Option(min=0, help="The most that a training step allocates, in MiB."),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(help="Which parts: undivided, power_of_two or all."),
    ] = "power_of_two",
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Write the plan here, as JSON.")
    ] = None,
) -> None:
    """Measure a network's convolutions here and plan the fastest micro-batches.

    Timings are kept in the user's cache folder, so that a second plan is quick.
    """
    import platformdirs
    import torch

    from cocodesign.files import write_atomically
    from cocodesign.microbatch import plan_model
    from cocodesign.microbatch.timings import Timings

    if policy not in ("undivided", "power_of_two", "all"):
        raise typer.BadParameter(f"there is no policy {policy!r}: see --help")
    if workspace is not None and step is not None:
        raise typer.BadParameter("give --workspace or --step, not both")
    torch.set_num_threads(threads)
    model = _network(network)
    folder = platformdirs.user_cache_path("cocodesign") / "timings"
    found = plan_model(
        model,
        torch.zeros(mini_batch, 3, size, size),
        workspace_limit_bytes=None if workspace is None else int(workspace * _MIB),
        step_limit_bytes=None if step is None else int(step * _MIB),
        policy=policy,
        timings=Timings(folder),
    )
    _print_plan(found)
    if out is not None:
        write_atomically(out, found.to_json())
        typer.echo(f"plan: {out}")


def _network(name: str) -> "nn.Module":
    import torchvision

    if name not in torchvision.models.list_models():
        raise typer.BadParameter(
            f"torchvision has no network {name!r}; it has alexnet, resnet18, vgg11 and "
            "others, see torchvision.models.list_models()"
        )
    return torchvision.models.get_model(name, weights=None).train()


def _print_plan(found: "MicroBatchPlan") -> None:
    from rich.console import Console
    from rich.table import Table

    columns = ("layer", "convolution", "pass", "parts", "workspace", "time")
    table = Table(*columns, box=None)
    for layer in found.layers:
        for direction, division in layer.divisions.items():
            table.add_row(
                layer.name,
                layer.problem.label,
                direction,
                str(division),
                f"{division.workspace_bytes / _MIB:.1f} MiB",
                f"{division.time_s * 1e3:.1f} ms",
            )
    console = Console()
    console.print(table)
    console.print(f"all convolutions of a step: {found.time_s * 1e3:.0f} ms")
    if found.predicted_peak_bytes is not None:
        peak = found.predicted_peak_bytes / _MIB
        console.print(f"predicted peak of a step: {peak:.1f} MiB")
