"""The price of a bit that meets a goal: a number of bytes, or an accuracy.

All search λ by bisection on a logarithmic scale: a higher price makes a smaller and
less accurate network.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from cocodesign.compression.rate_distortion import choose_step

_LOWEST, _HIGHEST = 1e-12, 1.0  # of the prices that are tried
_SAMPLE = 1 << 13  # weights of a tensor that its bits are estimated from
_BYTE_ROUNDS, _FILE_ROUNDS, _ACCURACY_ROUNDS = 14, 10, 8


def relative_importance(state: Mapping[str, Tensor]) -> dict[str, float]:
    """Let each tensor's squared error count relative to its squared weights.

    What is left to assume where no examples tell how much the loss minds: every layer
    minds the same noise-to-signal ratio, so that a weight of a small layer matters more
    than one of a large layer.

    Args:
        state: Weights by name.

    Returns:
        One over the sum of squares, for every matrix or kernel that is not zero.
    """
    found = {}
    for name, tensor in state.items():
        if tensor.dim() > 1 and tensor.is_floating_point():
            energy = float(tensor.double().square().sum())
            if energy:
                found[name] = 1 / energy
    return found


def price_for_bytes(
    state: Mapping[str, Tensor], importance: Mapping[str, float], budget_bytes: float
) -> float:
    """Find the lowest price at which matrices and kernels fit into a budget.

    Bits are estimated from some of the weights, by the entropy of their symbols: coding
    in profile ``max`` usually takes less.

    Args:
        state: Weights by name.
        importance: From ``relative_importance``: the tensors that are quantized.
        budget_bytes: What they may take together.

    Returns:
        The price.

    Raises:
        ValueError: If not even the highest price reaches the budget.
    """
    samples = {}
    for name in importance:
        flat = state[name].detach().float().cpu().reshape(-1)
        sample = flat[:: max(1, flat.numel() // _SAMPLE)]
        if sample.any():
            samples[name] = sample, flat.numel() / sample.numel()

    def num_bytes(price: float) -> float:
        return sum(
            choose_step(sample, importance[name], price).rate_bits * scale / 8
            for name, (sample, scale) in samples.items()
        )

    if num_bytes(_HIGHEST) > budget_bytes:
        raise ValueError(
            f"quantization cannot reach {budget_bytes:,.0f} bytes: allow more, or prune"
        )
    return _bisect(lambda price: num_bytes(price) <= budget_bytes, _BYTE_ROUNDS)[1]


def price_for_file(bytes_at: Callable[[float], int], most_bytes: float) -> float:
    """Find the lowest price at which a file is small enough, by writing it.

    Args:
        bytes_at: Quantizes at a price, codes, and returns the bytes of the file.
        most_bytes: The bound.

    Returns:
        The price.

    Raises:
        ValueError: If not even the highest price reaches the bound.

    Example:
        >>> price = price_for_file(lambda price: int(100 / (1e-3 + price)), 10_000)
        >>> 0.009 < price < 0.0095
        True
    """
    least = bytes_at(_HIGHEST)
    if least > most_bytes:
        raise ValueError(
            f"quantization cannot reach {most_bytes:,.0f} bytes, at least {least:,}: "
            "allow more, or prune"
        )
    return _bisect(lambda price: bytes_at(price) <= most_bytes, _FILE_ROUNDS)[1]


def price_for_accuracy(
    accuracy_at: Callable[[float], float], least_accuracy: float
) -> float:
    """Find the highest price that keeps an accuracy.

    Args:
        accuracy_at: Quantizes at a price and returns the accuracy.
        least_accuracy: The bound, a fraction.

    Returns:
        The price.

    Raises:
        ValueError: If not even the lowest price keeps it.

    Example:
        >>> price = price_for_accuracy(lambda price: 0.9 - price, 0.8)
        >>> 0.05 < price <= 0.1
        True
    """
    if accuracy_at(_LOWEST) < least_accuracy:
        raise ValueError(
            f"no quantization keeps an accuracy of {least_accuracy:.2%}: allow a "
            "larger drop"
        )
    return _bisect(lambda price: accuracy_at(price) < least_accuracy, _ACCURACY_ROUNDS)[
        0
    ]


def _bisect(is_high: Callable[[float], bool], num_rounds: int) -> tuple[float, float]:
    """Return prices below and above the place where ``is_high`` becomes true."""
    low, high = _LOWEST, _HIGHEST
    for _ in range(num_rounds):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if is_high(middle) else (middle, high)
    return low, high
