"""``cocodesign compress`` and ``decompress``: weights to a ``.ccz`` file and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

Weights = Annotated[
    Path,
    typer.Argument(metavar="WEIGHTS", help="A state dictionary: .pt, .safetensors."),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The file to write.")]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODULE:NAME",
        help="What builds the network, such as torchvision:alexnet.",
    ),
]


def compress(
    weights: Weights,
    out: Out = None,
    *,
    model: ModelName = None,
    ratio: Annotated[
        float | None, typer.Option(help="Make the file this many times smaller.")
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(help="Lose at most this many points of accuracy on EXAMPLES."),
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Bits of every weight before coding.")
    ] = None,
    density: Annotated[
        float, typer.Option(help="Share of weights to keep, by magnitude.")
    ] = 1.0,
    examples: Annotated[
        Path | None,
        typer.Option(help=".safetensors with inputs and labels, to weigh the drop."),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="max: smallest file; fast: fastest to decode.")
    ] = "max",
) -> None:
    """Compress a network into a .ccz file, and report on every layer.

    Give one of --ratio, --max-drop and --bits. Nothing is trained: for ratios beyond
    about 10 prune while training, with cocodesign.compression.Pruner.
    """
    from cocodesign.compression import encode_model, quantize

    goals = [each is not None for each in (ratio, max_drop, bits)]
    if sum(goals) != 1:
        raise typer.BadParameter("give exactly one of --ratio, --max-drop and --bits")
    if profile not in ("fast", "max"):
        raise typer.BadParameter(f"--profile must be fast or max, got {profile}")
    chosen: Literal["fast", "max"] = "fast" if profile == "fast" else "max"
    state = _read_weights(weights)
    _prune(state, density)
    typer.echo(f"{weights}: {len(state)} tensors, choosing steps…", err=True)
    if bits is not None:
        tensors = quantize(state, num_bits=bits, vector_bits=None)
    else:
        from cocodesign.compression.budget import relative_importance

        importance = relative_importance(state)
        if ratio is not None:
            price = _price_of_ratio(state, importance, ratio)
        else:
            judge = _judge(model, examples)
            assert max_drop is not None  # the only goal left
            price = _price_of_drop(state, importance, judge, max_drop)
        tensors = quantize(state, price=price, importance=importance)
    target = out or weights.with_suffix(".ccz")
    typer.echo("coding…", err=True)
    report = encode_model(tensors, target, profile=chosen)
    typer.echo(str(report))
    typer.echo(f"written to {target}", err=True)


def decompress(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .ccz file.")],
    out: Out = None,
    *,
    model: ModelName = None,
    input_shape: Annotated[
        str | None,
        typer.Option(metavar="N,C,H,W", help="Shape of an input, for .onnx."),
    ] = None,
) -> None:
    """Write a .ccz file's weights as .safetensors, .pt or .onnx (needs --model)."""
    from cocodesign.compression import decode_model

    target = out or file.with_suffix(".safetensors")
    state = decode_model(file)
    if target.suffix == ".safetensors":
        from safetensors.torch import save

        from cocodesign.files import write_atomically

        write_atomically(target, save(state))
    elif target.suffix == ".pt":
        _save_pt(state, target)
    elif target.suffix == ".onnx":
        if model is None or input_shape is None:
            raise typer.BadParameter(".onnx needs --model and --input-shape")
        _export_onnx(_build(model), state, input_shape, target)
    else:
        raise typer.BadParameter(
            f"--out must end in .safetensors, .pt or .onnx, got {target.name}"
        )
    typer.echo(f"written to {target}", err=True)


def _read_weights(path: Path) -> "dict[str, Tensor]":
    import pickle  # noqa: TID251 - only the name of the exception that torch raises

    import torch

    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise typer.BadParameter(f"{path} cannot be read: {error}") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise typer.BadParameter(
            f"{path} is no file of plain weights ({type(error).__name__}): save "
            "model.state_dict(), not the model"
        ) from error
    if isinstance(content, dict):
        content = content.get("state_dict", content)
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise typer.BadParameter(f"{path} holds no state dictionary")
    return content


def _prune(state: "dict[str, Tensor]", density: float) -> None:
    from cocodesign.compression.pruning import choose_masks

    if not 0 < density <= 1:
        raise typer.BadParameter(f"--density must be in (0, 1], got {density}")
    if density < 1:
        matrices = {
            name: tensor
            for name, tensor in state.items()
            if tensor.dim() > 1 and tensor.is_floating_point()
        }
        for name, mask in choose_masks(matrices, density, {}).items():
            state[name] = state[name] * mask


def _price_of_ratio(
    state: "dict[str, Tensor]", importance: dict[str, float], ratio: float
) -> float:
    from cocodesign.compression.budget import price_for_bytes

    if ratio <= 1:
        raise typer.BadParameter(f"--ratio must be above 1, got {ratio}")
    total = sum(tensor.nbytes for tensor in state.values())
    # Vectors are stored in 16 bits; the table takes about 24 bytes a tensor.
    vectors = sum(t.numel() * 2 for name, t in state.items() if name not in importance)
    left = total / ratio - vectors - 24 * len(state) - 40
    try:
        return price_for_bytes(state, importance, left)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _price_of_drop(
    state: "dict[str, Tensor]",
    importance: dict[str, float],
    judge: "Callable[[dict[str, Tensor]], float]",
    max_drop: float,
) -> float:
    from cocodesign.compression import quantize
    from cocodesign.compression.budget import price_for_accuracy
    from cocodesign.compression.quantization import dequantized

    def accuracy_at(price: float) -> float:
        tensors = quantize(state, price=price, importance=importance)
        accuracy = judge(dequantized(tensors))
        typer.echo(f"  price {price:.1e}: accuracy {accuracy:.2%}", err=True)
        return accuracy

    before = judge(state)
    typer.echo(f"accuracy before: {before:.2%}", err=True)
    try:
        return price_for_accuracy(accuracy_at, before - max_drop / 100)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _judge(
    model: str | None, examples: Path | None
) -> "Callable[[dict[str, Tensor]], float]":
    """Return what measures the accuracy of weights on the examples."""
    if model is None or examples is None:
        raise typer.BadParameter("--max-drop needs --model and --examples")
    network = _build(model)
    content = _read_weights(examples)
    if set(content) != {"inputs", "labels"}:
        raise typer.BadParameter(
            f"{examples} must hold inputs and labels, it holds {sorted(content)}"
        )

    def accuracy(state: "dict[str, Tensor]") -> float:
        import torch

        network.load_state_dict(state)
        network.eval()
        with torch.no_grad():
            scores = [network(part) for part in content["inputs"].float().split(100)]
        hits = torch.cat(scores).argmax(1) == content["labels"]
        return float(hits.double().mean())

    return accuracy


def _build(name: str) -> "nn.Module":
    """Build a network from ``module:name``; ``torchvision:`` means its models."""
    import importlib

    module_name, _, attribute = name.partition(":")
    if module_name == "torchvision":
        module_name = "torchvision.models"
    try:
        return getattr(importlib.import_module(module_name), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise typer.BadParameter(
            f"--model {name} builds no network without arguments: {error}"
        ) from error


def _save_pt(state: "dict[str, Tensor]", target: Path) -> None:
    import io

    import torch

    from cocodesign.files import write_atomically

    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(target, buffer.getvalue())


def _export_onnx(
    network: "nn.Module", state: "dict[str, Tensor]", input_shape: str, target: Path
) -> None:
    import tempfile

    import torch

    from cocodesign.files import write_atomically

    try:
        shape = [int(size) for size in input_shape.split(",")]
        network.load_state_dict(state)
    except (ValueError, RuntimeError) as error:
        raise typer.BadParameter(str(error)) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network.eval(),
            (torch.zeros(shape),),
            path,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
        write_atomically(target, path.read_bytes())
