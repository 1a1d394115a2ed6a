"""Memory and time from a file on the disk to the first scores of AlexNet.

``python -m benchmarks.compression_memory packed|fp32 FILE`` is one measurement in a
process of its own; the last line is its JSON. Before it starts, the process has
imported everything and has run a tiny model: what is counted is weights and work.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.models import alexnet

from cocodesign.compression import encode_model, load_compressed, prune, quantize
from cocodesign.compression.runtime import PackedLinear

_DENSITY_CONVOLUTIONS, _DENSITY_LINEAR = 0.35, 0.04
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def measure_memory(folder: Path) -> dict[str, Any]:
    """Write AlexNet as fp32 and as ``.ccz`` in both profiles, then load each.

    Args:
        folder: Where the files go.

    Returns:
        ``peak_rss`` over file and packed weights, and seconds to the first scores.
    """
    if not _CLEAR.exists():
        return {"peak_rss": None, "peak_rss_reason": "needs Linux's /proc"}
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        model = alexnet()
    densities = {
        name: _DENSITY_LINEAR if parameter.dim() == 2 else _DENSITY_CONVOLUTIONS
        for name, parameter in model.named_parameters()
        if parameter.dim() > 1
    }
    prune(model, densities)
    torch.save(model.state_dict(), folder / "fp32.pt")
    tensors = quantize(model, num_bits=5)
    files = {"fp32": folder / "fp32.pt"}
    for profile in ("fast", "max"):
        files[profile] = folder / f"{profile}.ccz"
        encode_model(tensors, files[profile], profile=profile)
    runs = {
        name: _in_own_process("fp32" if name == "fp32" else "packed", path)
        for name, path in files.items()
    }
    return {
        "peak_rss": max(runs[each]["peak_over_weights"] for each in ("fast", "max")),
        "peak_rss_runs": runs,
        "first_scores_s": {name: run["first_scores_s"] for name, run in runs.items()},
    }


def _in_own_process(form: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.compression_memory", form, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def _measure_here(form: str, path: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    image = torch.zeros(1, 3, 224, 224)
    _warm_up(image)
    _CLEAR.write_text("5")  # the peak starts from here
    before = _kilobytes("VmRSS")
    start = time.perf_counter()
    if form == "fp32":
        model = alexnet()
        model.load_state_dict(torch.load(path, weights_only=True))
        model.eval()
    else:
        with torch.device("meta"):
            model = alexnet()
        model = load_compressed(path, model)
    with torch.no_grad():
        model(image)
    elapsed_s = time.perf_counter() - start
    peak_bytes = 1024 * (_kilobytes("VmHWM") - before)
    weights = path.stat().st_size + _weight_bytes(model)
    return {
        "first_scores_s": round(elapsed_s, 3),
        "peak_bytes": peak_bytes,
        "file_and_weight_bytes": weights,
        "peak_over_weights": round(peak_bytes / weights, 3),
    }


def _warm_up(image: torch.Tensor) -> None:
    """Run everything once at a small size; the convolutions at their real one."""
    layers = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2)]
    with torch.no_grad():
        tiny = nn.Sequential(*layers, nn.Flatten(), nn.Linear(768, 8)).eval()
        tiny[-1].weight[:, ::2] = 0
        with tempfile.TemporaryDirectory() as name:
            for profile in ("fast", "max"):
                path = Path(name) / f"{profile}.ccz"
                encode_model(quantize(tiny, num_bits=5), path, profile=profile)
                load_compressed(path, tiny)(image)
                tiny[-1] = nn.Linear(768, 8)


def _weight_bytes(model: nn.Module) -> int:
    tensors = sum(each.nbytes for each in model.state_dict().values())
    packed = [each for each in model.modules() if isinstance(each, PackedLinear)]
    return tensors + sum(each.num_bytes for each in packed)


def _kilobytes(field: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith(field))


if __name__ == "__main__":
    print(json.dumps(_measure_here(sys.argv[1], Path(sys.argv[2]))))
