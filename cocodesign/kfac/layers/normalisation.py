"""Layers that scale and shift what they normalised.

Scale γ and shift β belong to features that an example passes once or at many positions;
the gradients of *one example* with respect to them are ``Σ_t g x̂`` and ``Σ_t g``, where
``x̂`` is the normalised input and ``g`` the gradient of the output.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.kfac.factors import widened

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
InstanceNorm = nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d
FeatureNorm = nn.LayerNorm | nn.RMSNorm
Normalisation = BatchNorm | InstanceNorm | nn.GroupNorm | FeatureNorm

# From input and gradient of the output to one row per example for scale and for shift.
ExampleGradients = Callable[
    [Float[Tensor, "batch ..."], Float[Tensor, "batch ..."]],
    tuple[Float[Tensor, "batch features"], Float[Tensor, "batch features"]],
]


def example_gradients(
    module: Normalisation,
    x: Float[Tensor, "batch ..."],
    gradient: Float[Tensor, "batch ..."],
) -> tuple[Float[Tensor, "batch features"], Float[Tensor, "batch features"]]:
    """Return each example's gradients with respect to scale and shift.

    Args:
        module: The layer.
        x: Its input.
        gradient: Gradient with respect to its output.

    Returns:
        ``Σ_t g x̂`` and ``Σ_t g`` in float32 or wider, one row per example; features
        are flattened.
    """
    x, gradient = widened(x), widened(gradient)
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        normalised = _feature_normalised(module, x)
        num_features = normalised.shape[-len(module.normalized_shape) :].numel()
        shape = (len(x), -1, num_features)
        rows = gradient.reshape(shape)
        return (rows * normalised.reshape(shape)).sum(1), rows.sum(1)
    # Layers over channels: plain features have no positions, the last axis then is 1.
    pictures = gradient.reshape(*gradient.shape[:2], -1)
    shift = pictures.sum(2)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        mean, inverse_deviation = _batch_normalisation(module, x)
        products = (pictures * x.reshape(pictures.shape)).sum(2)
        # Σ_t g (x - mean) without a normalised copy of the input.
        return (products - mean * shift) * inverse_deviation, shift
    if isinstance(module, nn.GroupNorm):
        normalised = functional.group_norm(x, module.num_groups, eps=module.eps)
    else:
        normalised = functional.instance_norm(
            x,
            module.running_mean,
            module.running_var,
            use_input_stats=module.training or not module.track_running_stats,
            momentum=0.0,  # this second look must not move the averages
            eps=module.eps,
        )
    return (pictures * normalised.reshape(pictures.shape)).sum(2), shift


def _feature_normalised(module: FeatureNorm, x: Tensor) -> Tensor:
    shape = list(module.normalized_shape)
    if isinstance(module, nn.LayerNorm):
        return functional.layer_norm(x, shape, eps=module.eps)
    return functional.rms_norm(x, shape, eps=module.eps)


def _batch_normalisation(module: BatchNorm, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the layer subtracted and multiplied with in this pass."""
    if module.training or module.running_mean is None or module.running_var is None:
        # In two passes: torch.var_mean takes ten times as long along these axes.
        axes = (0, *range(2, x.ndim))
        mean = x.mean(axes, keepdim=True)
        variance = (x - mean).square_().mean(axes)
        mean = mean.flatten()
    else:
        mean, variance = module.running_mean, module.running_var
    return mean, (variance + module.eps).rsqrt()
