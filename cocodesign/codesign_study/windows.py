"""One small network as a concept bank and as a detector of people.

The network was trained on pictures of 64 × 64 pixels. In a frame its convolutions run
once over everything; every window of 4 × 4 features is then a picture.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional
from torchvision.ops import nms

from cocodesign.codesign_study.concepts import (
    CONCEPTS,
    NOTHING,
    PERSON,
    PICTURE_PX,
    prepare,
)
from cocodesign.events.banks import BankOutput, Concept
from cocodesign.events.wordnet import WordNet
from cocodesign.models import ConvNet
from cocodesign.models.detection import Detections

Frame = UInt8[Tensor, "height width 3"]

WIDTHS = (32, 64, 128)
_PATCH_PX = 4
_CELL_PX = 4 * _PATCH_PX  # what a feature stands for: two stages more that halve
_WINDOW = PICTURE_PX // _CELL_PX
_LEAST_SCORE = 0.5
_SAME_OVERLAP = 0.3
_PERSON_SHAPE = (0.4, 0.85)  # width and height of a person over those of a window


def build_network() -> ConvNet:
    """Return the untrained network; its weights come from torch's global generator."""
    return ConvNet(len(CONCEPTS), in_channels=3, widths=WIDTHS, patch_size=_PATCH_PX)


@torch.inference_mode()
def recognise_windows(
    network: ConvNet, frame: Frame
) -> tuple[Float[Tensor, "row column concept"], Float[Tensor, " feature"]]:
    """Recognise concepts in every window of a frame.

    Args:
        network: As ``build_network`` gives it, trained, in evaluation mode.
        frame: At least as large as a window.

    Returns:
        Probabilities, window starts 16 pixels apart, and the mean features.
    """
    features = network.features(prepare(frame[None]))
    # Away from the frame's edge a window sees what is around it; pictures saw zeros.
    pooled = functional.avg_pool2d(features, _WINDOW, stride=1)[0].permute(1, 2, 0)
    return network.head(pooled).softmax(-1), features[0].mean((1, 2))


class WindowBank:
    """The network as a concept bank: the surest window of each concept.

    Args:
        network: See ``recognise_windows``.
        wordnet: Gives the concepts' meanings.
    """

    name = "codesign"
    num_features = WIDTHS[-1]

    def __init__(self, network: ConvNet, wordnet: WordNet) -> None:
        self._network = network
        self.concepts: Sequence[Concept] = [
            Concept(name, wordnet.senses(name)[0].name)
            for name in CONCEPTS
            if name != CONCEPTS[NOTHING]
        ]

    def __call__(self, frame: Frame) -> BankOutput:
        """Recognise the concepts anywhere in a frame."""
        scores, features = recognise_windows(self._network, frame)
        return BankOutput(scores.flatten(0, 1).amax(0)[NOTHING + 1 :], features)


class PeopleFinder:
    """The network as a detector of people, and of nothing else.

    Args:
        network: See ``recognise_windows``.
        min_score: Of a window that shows a person.
    """

    def __init__(self, network: ConvNet, *, min_score: float = _LEAST_SCORE) -> None:
        self._network = network
        self._min_score = min_score

    def detect(self, frame: Frame) -> Detections:
        """Find people about as high as a window."""
        scores = recognise_windows(self._network, frame)[0][..., PERSON]
        rows, columns = torch.nonzero(scores >= self._min_score, as_tuple=True)
        centres = torch.stack([columns, rows], 1) * float(_CELL_PX) + PICTURE_PX / 2
        half = torch.tensor(_PERSON_SHAPE) * PICTURE_PX / 2
        boxes = torch.cat([centres - half, centres + half], 1)
        found = scores[rows, columns]
        best = nms(boxes, found, _SAME_OVERLAP)
        return Detections(
            boxes[best], found[best], torch.zeros(len(best), dtype=torch.int64)
        )
