"""Named random streams from one seed.

Two streams of one seed are independent, and a new consumer of randomness does not
shift the numbers of the old ones: a stream depends on the seed and its own name.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream_seed(seed: int, stream: str) -> int:
    """Derive the seed of a named stream.

    Args:
        seed: The run's seed, any integer.
        stream: The stream's name, such as ``"batches"``.

    Returns:
        The first 63 bits of the SHA-256 of both.

    Example:
        >>> stream_seed(0, "batches") == stream_seed(0, "batches")
        True
        >>> stream_seed(0, "batches") == stream_seed(0, "weights")
        False
    """
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def random_stream(
    seed: int, stream: str, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a fresh generator for a named stream.

    Args:
        seed: The run's seed.
        stream: The stream's name.
        device: Where the generator's numbers are drawn.

    Returns:
        A generator that nothing else shares.

    Example:
        >>> a = torch.rand(2, generator=random_stream(7, "noise"))
        >>> b = torch.rand(2, generator=random_stream(7, "noise"))
        >>> torch.equal(a, b)
        True
    """
    generator = torch.Generator(device=device)
    generator.manual_seed(stream_seed(seed, stream))
    return generator


@contextmanager
def seeded_globally(seed: int, stream: str) -> Iterator[None]:
    """Seed PyTorch's global generators inside a ``with`` block, then restore them.

    For code that takes no generator, above all the initialisation of modules.

    Args:
        seed: The run's seed.
        stream: The stream's name.

    Yields:
        Nothing.

    Example:
        >>> with seeded_globally(0, "weights"):
        ...     first = torch.nn.Linear(2, 2).weight
        >>> with seeded_globally(0, "weights"):
        ...     second = torch.nn.Linear(2, 2).weight
        >>> torch.equal(first, second)
        True
    """
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(seed, stream))
        yield
