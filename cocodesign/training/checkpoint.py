"""All state of a training in one file.

The file is a line with the format's name and version, a line with the SHA-256 of the
rest, and the rest as ``torch.save`` writes it. It is replaced atomically, its digest
is compared before anything is decoded, and decoding accepts tensors and plain
values only.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cocodesign.errors import CheckpointError
from cocodesign.files import write_atomically
from cocodesign.training.batches import ResumableStream

_MAGIC = b"cocodesign checkpoint 2"


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: Optimizer,
    batches: ResumableStream,
    schedule: LRScheduler | None = None,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Write the state of a training between two calls of ``train``.

    Besides the arguments' state this keeps torch's global random state, which dropout
    uses, of the CPU and of every CUDA device.

    Args:
        path: The file to create or replace.
        model: The model.
        optimizer: Its optimizer.
        batches: The mini-batches, with their place in the epoch.
        schedule: The learning-rate schedule, if there is one.
        progress: What the caller wants back, of plain values.
    """
    stream = io.BytesIO()
    torch.save(
        {
            "optimizer_type": type(optimizer).__name__,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "batches": batches.state_dict(),
            "schedule": None if schedule is None else schedule.state_dict(),
            "progress": dict(progress or {}),
            "random_state": torch.get_rng_state(),
            "cuda_random_states": torch.cuda.get_rng_state_all()
            if torch.cuda.is_available()
            else [],
        },
        stream,
    )
    payload = stream.getvalue()
    digest = hashlib.sha256(payload).hexdigest().encode()
    write_atomically(path, b"\n".join((_MAGIC, digest, payload)))


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: Optimizer,
    batches: ResumableStream,
    schedule: LRScheduler | None = None,
) -> dict[str, Any]:
    """Continue a training from a file, to the bit on the same kind of machine.

    The arguments must be built as they were for the saved training; the file is
    compared with them before anything is changed.

    Args:
        path: What ``save_checkpoint`` wrote.
        model: Receives the parameters and buffers, on its own device.
        optimizer: Receives the optimizer's state.
        batches: Receives the place in the epoch.
        schedule: Receives the schedule's state; given exactly if one was saved.

    Returns:
        The ``progress`` that was saved.

    Raises:
        CheckpointError: If the file is missing, damaged, or of another training.
    """
    state = _read(path)
    difference = _difference(state, model, optimizer, batches, schedule)
    if difference:
        raise CheckpointError(f"{path} is of another training: {difference}")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    batches.load_state_dict(state["batches"])
    if schedule is not None:
        schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["random_state"])
    # A file of a machine with other devices leaves the random state of these alone.
    if len(state["cuda_random_states"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda_random_states"])
    return state["progress"]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    magic, _, rest = content.partition(b"\n")
    if magic != _MAGIC:
        raise CheckpointError(
            f"{path} is not a checkpoint of this version: its first line is not "
            f"{_MAGIC.decode()!r}"
        )
    digest, _, payload = rest.partition(b"\n")
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise CheckpointError(
            f"{path} is damaged: its content does not have the digest that it states; "
            "continue from an older checkpoint"
        )
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)


def _difference(
    state: dict[str, Any],
    model: nn.Module,
    optimizer: Optimizer,
    batches: ResumableStream,
    schedule: LRScheduler | None,
) -> str | None:
    """Say in what a saved training differs from the one it is loaded into."""
    saved_shapes = _shapes(state["model"])
    shapes = _shapes(model.state_dict())
    if saved_shapes != shapes:
        names = sorted({name for name, _ in set(saved_shapes) ^ set(shapes)})
        return f"the models differ in {', '.join(names)}"
    if state["optimizer_type"] != type(optimizer).__name__:
        return f"its optimizer is {state['optimizer_type']}"
    saved_sizes = [len(group["params"]) for group in state["optimizer"]["param_groups"]]
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    if saved_sizes != sizes:
        return f"its parameter groups have {saved_sizes} parameters, not {sizes}"
    own = batches.state_dict()
    for name in ("num_examples", "mini_batch_size"):
        if state["batches"][name] != own[name]:
            return f"its {name} is {state['batches'][name]}, not {own[name]}"
    if (state["schedule"] is None) != (schedule is None):
        return "only one of the two has a learning-rate schedule"
    return None


def _shapes(tensors: dict[str, torch.Tensor]) -> list[tuple[str, torch.Size]]:
    return [(name, tensor.shape) for name, tensor in tensors.items()]
