"""Networks as ONNX files, run by ONNX Runtime.

On a CPU that takes a half to a third of PyTorch's time: ONNX Runtime folds batch
normalisation into convolutions and chooses its memory layout once, on loading.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cocodesign.errors import DataFormatError
from cocodesign.files import write_atomically


class OnnxNetwork:
    """An ONNX file as a function of tensors.

    Args:
        path: The file.
        num_threads: Threads of a single call; ``None`` takes every core.

    Raises:
        DataFormatError: If ONNX Runtime cannot load the file.
    """

    def __init__(self, path: Path, *, num_threads: int | None = None) -> None:
        import onnxruntime  # here: trainings on a cluster do without it
        import onnxruntime.capi.onnxruntime_pybind11_state as failures

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads or 0
        # Threads that spin between two frames would take a core from the decoder.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except (
            failures.Fail,
            failures.InvalidGraph,
            failures.InvalidProtobuf,
            failures.NoSuchFile,
            failures.NotImplemented,
        ) as error:
            raise DataFormatError(
                f"{path} is no network for ONNX Runtime: {error}"
            ) from error
        self.input_names = tuple(each.name for each in self._session.get_inputs())
        self.output_names = tuple(each.name for each in self._session.get_outputs())

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs.

        Args:
            inputs: One tensor per entry of ``input_names``, on the CPU.

        Returns:
            One tensor per entry of ``output_names``.

        Raises:
            ValueError: If there are more or fewer inputs.
        """
        if len(inputs) != len(self.input_names):
            raise ValueError(
                f"the network takes {', '.join(self.input_names)}; got {len(inputs)} "
                "inputs"
            )
        feed = {
            name: value.numpy()
            for name, value in zip(self.input_names, inputs, strict=True)
        }
        return tuple(torch.from_numpy(each) for each in self._session.run(None, feed))


def export_onnx(
    module: nn.Module,
    example_inputs: Sequence[Tensor],
    path: Path,
    *,
    batched: bool = False,
) -> None:
    """Write a module as an ONNX file.

    Args:
        module: It is switched to evaluation for the export and back afterwards.
        example_inputs: Inputs of the shapes and types that the file will take.
        path: The file; it appears only when it is complete.
        batched: Whether the file takes any number of examples along the first axis; it
            then takes exactly one input.

    Raises:
        ValueError: If ``batched`` is asked of a module with more than one input.
    """
    if batched and len(example_inputs) != 1:
        raise ValueError(
            f"batched export takes one example input, got {len(example_inputs)}"
        )
    dynamic = ({0: torch.export.Dim.DYNAMIC},) if batched else None
    with _evaluating(module), _quiet(), tempfile.TemporaryDirectory() as folder:
        partial = Path(folder) / "network.onnx"
        torch.onnx.export(
            module,
            tuple(example_inputs),
            partial,
            dynamo=True,
            dynamic_shapes=dynamic,
            external_data=False,
            verbose=False,
        )
        write_atomically(path, partial.read_bytes())


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(was_training)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress off the terminal; its errors are exceptions."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
