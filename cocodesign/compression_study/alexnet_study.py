"""The study of notebook 30: AlexNet on small pictures, dense and compressed.

For every seed a network is trained; from it one copy is compressed (``shrinking``) and
one goes on training, dense, for as many steps. Validation pictures choose the
compressed file; the test pictures are looked at once, by the dense network and by the
chosen file, from which torchvision's AlexNet then runs.
"""

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import AlexNet, alexnet

from cocodesign.compression.model_codec import encode_model
from cocodesign.compression.quantized import QuantizedTensor
from cocodesign.compression.report import CompressionReport
from cocodesign.compression.runtime import PackedLinear, load_compressed
from cocodesign.compression.shrinking import Point, shrink, smallest, train
from cocodesign.compression_study.pictures import Pictures, accuracy, enlarge
from cocodesign.compression_study.small_alexnet import (
    FIRST_LINEAR,
    SmallAlexNet,
    expanded,
)
from cocodesign.seeding import seeded_globally

_LEARNING_RATE = 4e-4
_STAGE_LEARNING_RATE = 8e-4  # validation liked more than for the dense network


@dataclass(frozen=True)
class Outcome:
    """What one seed gave.

    Attributes:
        seed: Of weights and mini-batches.
        dense_validation: Accuracy of the dense network on the validation pictures.
        dense_test: On the test pictures.
        compressed_test: Of the network that ran from the chosen file.
        points: All compressed networks.
        chosen: The one that validation chose.
        file: Report of its file, of torchvision's architecture.
        dense: The network that was not compressed.
        fc_s: Seconds of the fully connected layers for one picture on one thread, by
            form: ``packed``, ``fp32``.
    """

    seed: int
    dense_validation: float
    dense_test: float
    compressed_test: float
    points: tuple[Point, ...]
    chosen: Point
    file: CompressionReport
    dense: nn.Module
    fc_s: Mapping[str, float]

    @property
    def summary(self) -> str:
        """One line."""
        return (
            f"seed {self.seed}: {self.file.compression_ratio:.0f}x "
            f"({self.file.file_bytes:,} bytes), test accuracy "
            f"{self.dense_test:.2%} dense, {self.compressed_test:.2%} compressed"
        )


def study_alexnet(
    pictures: Pictures,
    folder: Path,
    *,
    seeds: Sequence[int],
    num_steps: int,
    num_stage_steps: int,
    densities: Sequence[float],
    prices: Sequence[float],
) -> Iterator[Outcome | Point]:
    """Train, compress, and judge, one seed after the other.

    Args:
        pictures: What to learn, choose by and judge by. Training runs where they are;
            the file runs on the CPU.
        folder: Gets ``alexnet-<seed>.ccz``, the chosen files.
        seeds: One network each.
        num_steps: Training steps of the dense network before compression.
        num_stage_steps: Steps of each stage; the dense one goes on for all of them.
        densities: Share of weights kept after each stage, falling.
        prices: λ of the quantization, tried after each stage.

    Yields:
        Every point as it is made, and after its last one the seed's outcome.
    """
    device = pictures.train[0].device
    for seed in seeds:
        found: list[Point] = []
        with seeded_globally(seed, "alexnet"):
            model = SmallAlexNet(pictures.num_classes).to(device)
            batches = pictures.batches(seed)
            train(model, batches, num_steps, learning_rate=_LEARNING_RATE)
            dense = copy.deepcopy(model)
            for _ in densities:
                train(dense, batches, num_stage_steps, learning_rate=_LEARNING_RATE)
            shrink(
                model,
                pictures.batches(seed + 1_000_000),
                pictures.validate,
                densities=densities,
                prices=prices,
                num_steps=num_stage_steps,
                learning_rate=_STAGE_LEARNING_RATE,
                profile="fast",  # quick to weigh; the chosen file is coded by "max"
                report=found.append,
            )
        yield from found
        yield _judge(seed, dense, found, pictures, folder)


def _judge(
    seed: int,
    dense: SmallAlexNet,
    points: Sequence[Point],
    pictures: Pictures,
    folder: Path,
) -> Outcome:
    """Choose a file by validation, then look at the test pictures once."""
    dense_validation = pictures.validate(dense)
    chosen = smallest(points, dense_validation) or max(
        points, key=lambda point: point.accuracy
    )
    path = folder / f"alexnet-{seed}.ccz"
    file = encode_model(_expanded_tensors(chosen.tensors), path)
    with torch.device("meta"):
        running = alexnet(num_classes=pictures.num_classes)
    load_compressed(path, running)
    test = tuple(each.cpu() for each in pictures.test)
    return Outcome(
        seed=seed,
        dense_validation=dense_validation,
        dense_test=accuracy(dense, *pictures.test),
        compressed_test=accuracy(running, *test),
        points=tuple(points),
        chosen=chosen,
        file=file,
        dense=dense,
        fc_s=_time_linear_layers(running, test[0][:32]),
    )


def _expanded_tensors(
    tensors: Mapping[str, QuantizedTensor | Tensor],
) -> dict[str, QuantizedTensor | Tensor]:
    first = tensors[FIRST_LINEAR]
    assert isinstance(first, QuantizedTensor)  # a matrix always is
    symbols = expanded({FIRST_LINEAR: first.symbols}, spread=False)[FIRST_LINEAR]
    return {**tensors, FIRST_LINEAR: replace(first, symbols=symbols)}


@torch.no_grad()
def _time_linear_layers(model: AlexNet, images: Tensor) -> dict[str, float]:
    """Time packed and dense linear layers on the activations of some pictures."""
    num_threads = torch.get_num_threads()
    inputs = model.avgpool(model.features(enlarge(images))).flatten(1)
    stacks = {"packed": model.classifier, "fp32": _dense_copy(model.classifier)}
    best = dict.fromkeys(stacks, float("inf"))
    torch.set_num_threads(1)
    try:
        for _ in range(3):
            for name, stack in stacks.items():
                start = time.perf_counter()
                for row in inputs:
                    stack(row[None])
                elapsed_s = (time.perf_counter() - start) / len(inputs)
                best[name] = min(best[name], elapsed_s)
    finally:
        torch.set_num_threads(num_threads)
    return best


def _dense_copy(classifier: nn.Sequential) -> nn.Sequential:
    """Return layers of the same sizes; what their weights are makes no difference."""
    return nn.Sequential(
        *(
            nn.Linear(each.in_features, each.out_features)
            if isinstance(each, PackedLinear)
            else each
            for each in classifier.children()
        )
    ).eval()
