"""Banks and concept spaces from the data sets that hold their weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from cocodesign.events.banks import CocoBank, Concept, ConceptBank, ImageNetBank
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.wordnet import WordNet
from cocodesign.models import TextEncoder

BankName = Literal["imagenet", "coco"]
BANK_NAMES: tuple[BankName, ...] = get_args(BankName)

_LITE0_WEIGHTS = "efficientnet-lite0-57934424.pth"


def open_banks(
    names: Sequence[str],
    folder_of: Callable[[str], Path],
    *,
    num_threads: int | None = None,
) -> list[ConceptBank]:
    """Open banks.

    Args:
        names: ``imagenet`` or ``coco``, at least one.
        folder_of: Gives the folder of a data set, such as ``fetch_dataset``.
        num_threads: Of each network; ``None`` takes every core.

    Returns:
        The banks, in the order of the names.

    Raises:
        ValueError: If there is no such bank.
    """
    if not names or not set(names) <= set(BANK_NAMES):
        raise ValueError(f"banks are {', '.join(BANK_NAMES)}; got {list(names)}")
    wordnet = WordNet(folder_of("wordnet"))
    banks: list[ConceptBank] = []
    for name in names:
        if name == "imagenet":
            weights = folder_of("efficientnet_lite0") / _LITE0_WEIGHTS
            synsets = folder_of("imagenet_synsets") / "synsets.txt"
            banks.append(
                ImageNetBank(weights, synsets, wordnet, num_threads=num_threads)
            )
        else:
            folder = folder_of("coco_detectors")
            banks.append(CocoBank(folder, wordnet, num_threads=num_threads))
    return banks


def open_space(
    concepts: Sequence[Concept],
    folder_of: Callable[[str], Path],
    *,
    cache: Path | None = None,
) -> ConceptSpace:
    """Put concepts into the space of MiniLM and WordNet.

    Args:
        concepts: Those of an index.
        folder_of: Gives the folder of a data set, such as ``fetch_dataset``.
        cache: A folder that keeps the vectors.

    Returns:
        The space.
    """
    return ConceptSpace.build(
        concepts,
        WordNet(folder_of("wordnet")),
        TextEncoder(folder_of("minilm")),
        cache=cache,
    )
