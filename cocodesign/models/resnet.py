"""ResNet-50 as the programme trained it."""

import torchvision
from torch import nn

# In PyTorch's convention: the weight of the newest mini-batch, the programme's decay
# of 0.9 being the weight of the old average.
_NORM_MOMENTUM = 0.1
_NORM_EPSILON = 2e-5
_SCALE_DEVIATION = 0.05


def resnet50(num_classes: int = 1000) -> nn.Module:
    """Return ResNet-50 with the programme's initial weights.

    Convolutions and the head are drawn from He's normal distribution (fan-in), the
    scales of the batch normalisations from N(1, 0.05²), also those at the end of a
    residual branch, which others start at 0; their running statistics keep 0.9 of the
    old, ε is 2e-5. Everything is drawn from torch's global generator: build the network
    inside ``seeding.seeded_globally``.

    Source: Osawa et al. (2019), arXiv:1811.12019, and its released code. Differs from
    the variant that its later runs used (ResNet-50-D): the stem is one convolution of
    7×7 pixels and shortcuts have no average pooling.

    Args:
        num_classes: Number of scores.

    Returns:
        The network, without pretrained weights.
    """
    network = torchvision.models.resnet50(weights=None, num_classes=num_classes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum, module.eps = _NORM_MOMENTUM, _NORM_EPSILON
            nn.init.normal_(module.weight, mean=1.0, std=_SCALE_DEVIATION)
    return network
