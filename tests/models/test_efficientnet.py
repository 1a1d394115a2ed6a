"""EfficientNet-Lite and its input."""

import numpy as np
import pytest
import torch

from cocodesign.errors import DataFormatError
from cocodesign.models import EfficientNetLite
from cocodesign.models.efficientnet import prepare


@pytest.mark.parametrize(
    ("variant", "num_parameters"), [("lite0", 4_652_008), ("lite2", 6_092_072)]
)
def test_has_the_published_number_of_parameters(variant, num_parameters):
    network = EfficientNetLite(variant)
    assert sum(each.numel() for each in network.parameters()) == num_parameters


def test_scores_are_linear_in_the_features():
    network = EfficientNetLite().eval()
    with torch.no_grad():
        scores, features = network(torch.randn(2, 3, 64, 64))
    torch.testing.assert_close(scores, network._fc(features))


def test_the_input_is_the_middle_of_the_frame():
    frame = torch.zeros(100, 300, 3, dtype=torch.uint8)
    frame[:, 100:200] = 255
    assert prepare(frame, 50).unique().tolist() == [1.0]
    assert prepare(frame.transpose(0, 1).contiguous(), 50).unique().tolist() == [1.0]


def test_refuses_a_file_of_other_weights(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"x": torch.zeros(1)}, path)
    with pytest.raises(DataFormatError, match="EfficientNet-lite2"):
        EfficientNetLite.load(path, "lite2")


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["lite0", "lite2"])
def test_recognises_real_photographs(variant, cached):
    image = pytest.importorskip("PIL.Image")
    folder, photos = cached(f"efficientnet_{variant}"), cached("imagenet_photos")
    (weights,) = folder.glob("*.pth")
    network = EfficientNetLite.load(weights, variant)
    right = 0
    for path in sorted(photos.glob("imagenet_*")):
        frame = torch.from_numpy(np.array(image.open(path).convert("RGB")))
        with torch.inference_mode():
            scores, _ = network(prepare(frame, network.input_px))
        right += scores.argmax().item() == int(path.stem.split("_")[-1])
    assert right >= 18  # of twenty
