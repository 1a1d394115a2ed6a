"""Concept banks: what can be recognised in a frame, and what it means.

A bank is anything with the three members of ``ConceptBank``. Two are here; a CLIP whose
weights the user has becomes a third by a class of twenty lines; nothing else changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cocodesign.errors import DataFormatError
from cocodesign.events.wordnet import WordNet
from cocodesign.models import EfficientNetLite, OnnxNetwork, export_onnx, open_detector
from cocodesign.models.detection import COCO_CLASSES
from cocodesign.models.efficientnet import NUM_CLASSES, prepare

Frame = UInt8[Tensor, "height width 3"]

# Where the commonest meaning of a name is not the object that the detector finds.
_COCO_SENSES: Mapping[str, str] = {
    "banana": "n07753592",  # the fruit, not the tree
    "broccoli": "n07714990",
    "cake": "n07628870",  # baked, not of soap
    "carrot": "n07730207",
    "keyboard": "n03085013",  # of a computer, not of a piano
    "kite": "n03621473",  # not a fraudulent check
    "microwave": "n03761084",  # the oven, not the wave
    "mouse": "n03793489",  # of a computer
    "orange": "n07747607",
    "potted plant": "n00017222",
    "remote": "n04074963",
    "skis": "n04228054",
    "sports ball": "n02779435",
    "stop sign": "n06794110",
    "tie": "n03815615",
    "toaster": "n04442312",  # not who proposes a toast
    "toilet": "n04446521",  # the bowl, not the room
    "traffic light": "n06874185",
    "train": "n04468005",
    "wine glass": "n04592099",
}


@dataclass(frozen=True)
class Concept:
    """Something that a bank recognises.

    Attributes:
        name: One or a few words.
        synset: Its meaning in WordNet, ``None`` where there is none.
    """

    name: str
    synset: str | None = None


@dataclass(frozen=True)
class BankOutput:
    """What a bank says about one frame.

    Attributes:
        scores: One per concept, 0 to 1.
        features: A description for classifiers; may be empty.
    """

    scores: Float[Tensor, " concepts"]
    features: Float[Tensor, " features"]


@runtime_checkable
class ConceptBank(Protocol):
    """Recognises concepts in frames.

    Attributes:
        name: Of the bank; an index remembers it.
        concepts: What it recognises, in the order of its scores.
        num_features: Length of its description of a frame, 0 if it has none.
    """

    name: str
    concepts: Sequence[Concept]
    num_features: int

    def __call__(self, frame: Frame) -> BankOutput:
        """Recognise the concepts of one frame."""
        ...


class ImageNetBank:
    """ImageNet's 1000 classes by EfficientNet-Lite0, with its 1280 features.

    Args:
        weights: The published weights of Lite0. The first call writes an ONNX file
            beside them.
        synsets: The classes' synsets, one a line.
        wordnet: Gives the classes' names.
        num_threads: Of the network; ``None`` takes every core.

    Raises:
        DataFormatError: If a file is not what it should be.
    """

    name = "imagenet"
    num_features = 1280

    def __init__(
        self,
        weights: Path,
        synsets: Path,
        wordnet: WordNet,
        *,
        num_threads: int | None = None,
    ) -> None:
        names = synsets.read_text(encoding="utf-8").split()
        if len(names) != NUM_CLASSES:
            raise DataFormatError(f"{synsets} names {len(names)} classes, not 1000")
        self.concepts: Sequence[Concept] = [
            Concept(wordnet.synset(each).words[0], each) for each in names
        ]
        self._network, self._input_px = _open_lite0(weights, num_threads)

    @torch.inference_mode()
    def __call__(self, frame: Frame) -> BankOutput:
        """Recognise ImageNet's classes in the middle square of a frame."""
        scores, features = self._network(prepare(frame, self._input_px))
        return BankOutput(scores[0].softmax(0), features[0])


class CocoBank:
    """COCO's 80 classes by NanoDet: the surest box of each class.

    Args:
        folder: Holds ``nanodet.json`` and ``nanodet.bin``.
        wordnet: Gives the classes' meanings.
        num_threads: Of the network; ``None`` takes every core.

    Raises:
        DataFormatError: If the files are not NanoDet.
    """

    name = "coco"
    num_features = 0

    def __init__(
        self, folder: Path, wordnet: WordNet, *, num_threads: int | None = None
    ) -> None:
        self.concepts: Sequence[Concept] = [
            Concept(each, _coco_sense(each, wordnet)) for each in COCO_CLASSES
        ]
        self._detector = open_detector(folder, "nanodet", num_threads=num_threads)

    def __call__(self, frame: Frame) -> BankOutput:
        """Recognise COCO's classes anywhere in a frame."""
        return BankOutput(self._detector.score_classes(frame), torch.zeros(0))


def _open_lite0(
    weights: Path, num_threads: int | None
) -> tuple[Callable[[Tensor], tuple[Tensor, ...]], int]:
    exported = weights.with_suffix(".onnx")
    if not exported.is_file():
        network = EfficientNetLite.load(weights)
        side = network.input_px
        export_onnx(network, [torch.zeros(1, 3, side, side)], exported)
    return OnnxNetwork(exported, num_threads=num_threads), 224


def _coco_sense(name: str, wordnet: WordNet) -> str | None:
    if name in _COCO_SENSES:
        return _COCO_SENSES[name]
    senses = wordnet.senses(name)
    return senses[0].name if senses else None
