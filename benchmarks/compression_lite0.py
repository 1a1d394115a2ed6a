"""EfficientNet-Lite0's ImageNet weights as ``.ccz`` files, without any retraining.

Nothing is learned from pictures: every layer is allowed the same error relative to its
weights (``budget.relative_importance``), and one price of a bit makes the file as small
as was asked. Twenty ImageNet photographs with labels tell whether it still recognises;
since twenty are few, parts of them tell how often the best class stayed the same.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cocodesign.compression import decode_model, encode_model, quantize
from cocodesign.compression.budget import price_for_bytes, relative_importance
from cocodesign.data import fetch_dataset
from cocodesign.errors import DataUnavailableError
from cocodesign.models import EfficientNetLite
from cocodesign.models.efficientnet import prepare

RATIOS = (5.0, 7.0, 9.0)
_PARTS = 3  # of each side: a photograph's parts overlap by half
_BATCH = 10


def find_lite0() -> Path | None:
    """Return the file of the network's weights, or ``None`` if it cannot be had."""
    try:
        (weights,) = fetch_dataset("efficientnet_lite0").glob("*.pth")
    except DataUnavailableError:
        return None
    return weights


def measure_lite0(weights: Path, folder: Path, *, quick: bool) -> dict[str, Any]:
    """Code the network at several ratios and let it look at photographs.

    Args:
        weights: From ``find_lite0``.
        folder: Where the files go.
        quick: Only the middle ratio.

    Returns:
        ``lite0``, one entry per ratio asked for, and what it recognised before; the
        reason instead where the photographs cannot be had.
    """
    try:
        photos = sorted(fetch_dataset("imagenet_photos").glob("imagenet_*"))
    except DataUnavailableError as error:
        return {"lite0": None, "lite0_reason": str(error)}
    network = EfficientNetLite.load(weights)
    whole, parts = _views(photos, network.input_px)
    labels = torch.tensor([int(photo.stem.split("_")[-1]) for photo in photos])
    before = _best_classes(network, parts)
    right_before = int((_best_classes(network, whole) == labels).sum())
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = []
    for ratio in RATIOS[1:2] if quick else RATIOS:
        report = _encode(state, folder / "lite0.ccz", ratio)
        network.load_state_dict(decode_model(folder / "lite0.ccz"))
        agreement = (_best_classes(network, parts) == before).double().mean()
        found.append(
            {
                "ratio": round(report.compression_ratio, 2),
                "file_bytes": report.file_bytes,
                "photos_right": int((_best_classes(network, whole) == labels).sum()),
                "same_class": round(float(agreement), 4),
            }
        )
    return {
        "lite0": found,
        "lite0_photos": len(photos),
        "lite0_photos_right_before": right_before,
        "lite0_views": len(parts),
    }


def _encode(state: dict[str, Tensor], path: Path, ratio: float):
    importance = relative_importance(state)
    total = sum(tensor.nbytes for tensor in state.values())
    stored = sum(2 * t.numel() for name, t in state.items() if name not in importance)
    table = 24 * len(state)  # names, shapes, steps
    price = price_for_bytes(state, importance, total / ratio - stored - table)
    return encode_model(quantize(state, price=price, importance=importance), path)


def _views(photos: list[Path], size_px: int) -> tuple[Tensor, Tensor]:
    """Return each photograph's middle, and overlapping parts of half its sides."""
    whole, parts = [], []
    for photo in photos:
        frame = torch.from_numpy(np.array(Image.open(photo).convert("RGB")))
        whole.append(prepare(frame, size_px))
        height, width = frame.shape[0] // 2, frame.shape[1] // 2
        for row in range(_PARTS):
            for column in range(_PARTS):
                top, left = row * height // 2, column * width // 2
                part = frame[top : top + height, left : left + width].contiguous()
                parts.append(prepare(part, size_px))
    return torch.cat(whole), torch.cat(parts)


@torch.inference_mode()
def _best_classes(network: EfficientNetLite, pictures: Tensor) -> Tensor:
    return torch.cat([network(part)[0].argmax(1) for part in pictures.split(_BATCH)])
