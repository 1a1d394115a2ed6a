"""Measure collectives: ``torchrun --nproc-per-node 4 -m cocodesign.collectives``.

Every schedule for the ranks at hand is timed beside the all-reduce of the communication
library, and a cost model is fitted, from which the schedules are chosen.
"""

from pathlib import Path
from typing import Annotated

import torch
import torch.distributed as dist
import typer

from cocodesign.collectives.comparison import compare_schedules
from cocodesign.collectives.membership import join_ranks
from cocodesign.files import write_atomically

_SIZES_BYTES = [2**exponent for exponent in range(10, 25, 2)]


def main(
    sizes_bytes: Annotated[
        list[int] | None,
        typer.Option("--size", help="Bytes of a tensor; give it several times."),
    ] = None,
    num_turns: Annotated[
        int, typer.Option("--turns", min=1, help="Measurements of each.")
    ] = 5,
    tier_sizes: Annotated[
        list[int] | None, typer.Option("--tier", help="Ranks of a node.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu (gloo) or cuda (NCCL).")] = "cpu",
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write all measurements here.")
    ] = None,
    limit_s: Annotated[
        float, typer.Option(help="Longest wait for another rank, in seconds.")
    ] = 60.0,
) -> None:
    """Time every all-reduce schedule on the ranks at hand."""
    torch.set_num_threads(1)  # a program's own choice: there is a process for each core
    with join_ranks(limit_s=limit_s, device=device) as communicator:
        if communicator.world_size < 2:
            raise typer.BadParameter(
                "there is one rank only: start it with torchrun --nproc-per-node 2"
            )
        if device.startswith("cuda"):
            torch.cuda.set_device(communicator.rank % torch.cuda.device_count())
        comparison = compare_schedules(
            communicator,
            dist.all_reduce,
            sizes_bytes or _SIZES_BYTES,
            num_turns=num_turns,
            tier_sizes=tier_sizes or (),
            device=device,
        )
        if communicator.rank == 0:
            typer.echo(comparison.summary())
            if json_path:
                write_atomically(json_path, comparison.to_json())


if __name__ == "__main__":
    typer.run(main)
