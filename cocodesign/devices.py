"""Which device computes."""

import torch


def choose_device(name: str = "auto") -> torch.device:
    """Turn a notebook's or a command's ``device`` into a device.

    Args:
        name: ``auto`` for a CUDA device if there is one and the CPU if not, or
            whatever ``torch.device`` reads, such as ``cpu`` or ``cuda:1``.

    Returns:
        The device.

    Raises:
        ValueError: If the name is no device, or a CUDA device that is not there.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device must be auto, cpu or cuda[:N], got {name!r}"
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {name!r} is not here, torch sees {torch.cuda.device_count()} CUDA "
            "devices: take auto or cpu"
        )
    return device
