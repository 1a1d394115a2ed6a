"""A trained network with all that it needs: from a clip to a class."""

import json
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cocodesign.errors import RecognizerError
from cocodesign.files import write_atomically
from cocodesign.seeding import seeded_globally
from cocodesign.skeleton.fitting import Recipe, fit
from cocodesign.skeleton.layouts import JointLayout
from cocodesign.skeleton.network import FineToCoarse
from cocodesign.skeleton.preparation import prepare_all
from cocodesign.skeleton.sequences import SkeletonDataset, SkeletonSequence

NUM_FRAMES = 32
"""Frames that every clip is resampled to."""

_FORMAT = "cocodesign skeleton recognizer 1"
_NUM_AT_ONCE = 256  # clips that are evaluated together: bounds the memory only


class Recognizer:
    """Tells the class of a clip.

    Args:
        network: A trained network for clips of ``NUM_FRAMES`` frames.
        layout: The joints it was trained on; clips must have the same.
        class_names: Meaning of its scores.
    """

    def __init__(
        self, network: FineToCoarse, layout: JointLayout, class_names: Iterable[str]
    ) -> None:
        self.network = network
        self.layout = layout
        self.class_names = tuple(class_names)
        self._fused = network.fused()

    @classmethod
    def train(
        cls,
        dataset: SkeletonDataset,
        *,
        recipe: Recipe = Recipe(),  # noqa: B008 - a frozen value
        seed: int = 0,
        device: torch.device | str = "cpu",
        report: Callable[[int, float], None] | None = None,
    ) -> "Recognizer":
        """Train a network on all clips of a data set.

        Args:
            dataset: Labelled clips.
            recipe: How to train; the default carries over to other data sets.
            seed: Of weights, order, augmentation and dropout.
            device: Where to train.
            report: Is told every epoch's number and mean loss.

        Returns:
            The recognizer, on the device.
        """
        num_persons = min(2, dataset.num_persons)
        clips = prepare_all(
            dataset.sequences, num_frames=NUM_FRAMES, num_persons=num_persons
        )
        with seeded_globally(seed, "weights"):
            network = FineToCoarse(
                dataset.layout, len(dataset.class_names), num_persons=num_persons
            ).to(device)
            fit(
                network,
                clips.to(device),
                dataset.labels.to(device),
                dataset.layout,
                recipe,
                seed=seed,
                report=report,
            )
        return cls(network, dataset.layout, dataset.class_names)

    @torch.inference_mode()
    def probabilities(
        self, sequences: Iterable[SkeletonSequence]
    ) -> Float32[Tensor, "clip num_classes"]:
        """Return how likely each class is for each clip.

        Args:
            sequences: At least one clip of the recognizer's layout. More persons than
            it
                knows are reduced to those that are seen longest.

        Returns:
            Rows that sum to 1, on the CPU.

        Raises:
            ValueError: If there is no clip, or one has another layout.
        """
        clips = list(sequences)
        for each in clips:
            if each.layout.joints != self.layout.joints:
                raise ValueError(
                    f"{each.name or 'the clip'} has layout {each.layout.name}, the "
                    f"recognizer {self.layout.name}: convert it first"
                )
        prepared = prepare_all(
            clips, num_frames=NUM_FRAMES, num_persons=self.network.num_persons
        )
        device = self.network.head.weight.device
        scores = [self._fused(part.to(device)) for part in prepared.split(_NUM_AT_ONCE)]
        return torch.cat(scores).softmax(dim=1).cpu()

    def classify(self, sequence: SkeletonSequence) -> dict[str, float]:
        """Return the classes of one clip with their probabilities, likeliest first.

        Args:
            sequence: A clip of the recognizer's layout.

        Returns:
            All classes.
        """
        row = self.probabilities([sequence])[0]
        order = row.argsort(descending=True).tolist()
        return {self.class_names[index]: row[index].item() for index in order}

    def save(self, path: Path) -> None:
        """Write weights, layout and class names into one safetensors file.

        Args:
            path: The file to create or replace.
        """
        metadata = {
            "format": _FORMAT,
            "layout": self.layout.to_toml(),
            "class_names": json.dumps(self.class_names),
            "num_persons": str(self.network.num_persons),
            "num_segments": str(self.network.num_segments),
            "features": self.network.features,
            "widths": json.dumps(self.network.widths),
        }
        tensors = {
            name: tensor.cpu().contiguous()
            for name, tensor in self.network.state_dict().items()
        }
        write_atomically(path, safetensors.torch.save(tensors, metadata))

    @classmethod
    def load(cls, path: Path) -> "Recognizer":
        """Read what ``save`` wrote; nothing in the file is executed.

        Args:
            path: The file.

        Returns:
            The recognizer, on the CPU.

        Raises:
            RecognizerError: If the file is missing, damaged or of another format.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata: dict[str, Any] = file.metadata() or {}
                if metadata.get("format") != _FORMAT:
                    raise RecognizerError(f"{path} is not a {_FORMAT!r} file")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            layout = JointLayout.from_toml(metadata["layout"])
            class_names = json.loads(metadata["class_names"])
            network = FineToCoarse(
                layout,
                len(class_names),
                num_persons=int(metadata["num_persons"]),
                num_segments=int(metadata["num_segments"]),
                features=metadata["features"],
                widths=json.loads(metadata["widths"]),
            )
            network.load_state_dict(tensors)
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise RecognizerError(f"{path} cannot be read: {error}") from error
        return cls(network.eval(), layout, class_names)

    def export_onnx(self, path: Path) -> None:
        """Write the network as an ONNX file: ``clips`` in, ``scores`` out.

        ``clips`` are what ``prepare`` gives, any number of them; ``scores`` are those
        before softmax. Layout and class names are in the file's metadata.

        Args:
            path: The file to create or replace.

        Raises:
            RecognizerError: If the packages that write ONNX are not installed.
        """
        if not find_spec("onnx") or not find_spec("onnxscript"):
            raise RecognizerError(
                "writing ONNX needs two packages more: pip install onnx onnxscript"
            )
        network = self.network.fused().cpu()
        shape = (2, 4, NUM_FRAMES, self.layout.num_joints, network.num_persons)
        program = torch.onnx.export(
            network,
            (torch.ones(shape),),
            dynamo=True,
            verbose=False,
            input_names=["clips"],
            output_names=["scores"],
            dynamic_shapes={"clips": {0: torch.export.Dim("clip")}},
        )
        assert program is not None
        model = program.model_proto
        for key, value in (
            ("layout", self.layout.to_toml()),
            ("class_names", json.dumps(self.class_names)),
        ):
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        write_atomically(path, model.SerializeToString())
