"""Damaged and hostile ``.ccz`` files: each decodes exactly or raises, and nothing else.

``python -m benchmarks.compression_hostile NUM`` tries that many files in one process,
whose memory is limited so that a decoder without bounds dies; the last line is JSON.
Half of the files get a correct SHA-256 after the damage: then the decoder's own checks
stand alone, and what they let through counts as decoded, not as wrong.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cocodesign.compression import decode_model, encode_model, quantize
from cocodesign.errors import CorruptBitstreamError

_HEADER_BYTES = 37
_SPARE_BYTES = 1 << 30


def try_hostile_files(num: int) -> dict[str, Any]:
    """Run the trials in a process of their own.

    Args:
        num: How many files.

    Returns:
        Counts; ``hostile_failures`` must be 0.
    """
    command = [sys.executable, "-m", "benchmarks.compression_hostile", str(num)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        return {
            "hostile_files": num,
            "hostile_failures": num,
            "hostile_reason": f"exit {result.returncode}: {result.stderr[-400:]}",
        }
    return json.loads(result.stdout.splitlines()[-1])


def _try_here(num: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    refused = decoded = wrong = 0
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.ccz"
        originals = _originals(path)
        _limit_memory()
        for number in range(num):
            content, weights = originals[number % len(originals)]
            hostile, sealed = _damaged(content, rng, sealed=number % 2 == 1)
            path.write_bytes(hostile)
            try:
                found = decode_model(path)
            except CorruptBitstreamError:
                refused += 1
                continue
            decoded += 1
            exact = found.keys() == weights.keys() and all(
                torch.equal(found[key], weights[key]) for key in weights
            )
            wrong += not sealed and not exact
    return {
        "hostile_files": num,
        "hostile_failures": wrong,
        "hostile_refused": refused,
        "hostile_decoded": decoded,
    }


def _originals(path: Path) -> list[tuple[bytes, dict[str, torch.Tensor]]]:
    """Return some files and what they decode to."""
    generator = torch.Generator().manual_seed(0)
    kept = torch.rand(24, 60, generator=generator) < 0.2
    state = {
        "a.weight": torch.randn(24, 60, generator=generator) * kept,
        "b.weight": torch.randn(6, 4, 3, 3, generator=generator),
        "b.bias": torch.randn(6, generator=generator),
    }
    found = []
    for profile in ("fast", "max"):
        for method in ("uniform", "kmeans"):
            tensors = quantize(state, num_bits=5, method=method)
            encode_model(tensors, path, profile=profile)
            found.append((path.read_bytes(), decode_model(path)))
    return found


def _damaged(
    content: bytes, rng: np.random.Generator, *, sealed: bool
) -> tuple[bytes, bool]:
    kind = rng.integers(4)
    damaged = bytearray(content)
    if kind == 0:
        damaged = damaged[: rng.integers(len(damaged))]
    elif kind == 1:
        for _ in range(rng.integers(1, 9)):
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
    elif kind == 2:
        start = rng.integers(_HEADER_BYTES, len(damaged))
        length = rng.integers(1, 20)
        damaged[start : start + length] = rng.bytes(rng.integers(0, 20))
    else:
        damaged = bytearray(rng.bytes(rng.integers(0, 600)))
        if sealed:
            damaged[:5] = content[:5]
    if sealed and len(damaged) > _HEADER_BYTES:
        body = bytes(damaged[_HEADER_BYTES:])
        return content[:5] + hashlib.sha256(body).digest() + body, True
    return bytes(damaged), False


def _limit_memory() -> None:
    status = Path("/proc/self/status").read_text().splitlines()
    used = next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
    limit = 1024 * used + _SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    print(json.dumps(_try_here(int(sys.argv[1]))))
