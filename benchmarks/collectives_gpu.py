"""What the simulator of the collectives assumes of a GPU, measured on one.

* ``sum_bytes_per_s``: adding what was received, for messages of 1 MiB and 64 MiB;
* ``inversion_flops_per_s``: Cholesky inversion of the factors of ResNet-50's large
  layers, counted as n³, as the simulator does;
* ``seconds_per_image``: forward and backward pass of ResNet-50 on 32 images;
* ``predicted_step_ms``: a simulated step of K-FAC on 4,096 such GPUs with these rates.

With two GPUs or more, also every schedule over NCCL beside NCCL's own all-reduce
(``schedules``); with one there is nobody to talk to, and it is ``None``. ``--quick``
takes small sizes, also on a CPU. The last line is one JSON object.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional
from torchvision.models import resnet18, resnet50

from benchmarks.measurement import Timings, parse_arguments, report, wait_for
from cocodesign.collectives.comparison import Comparison
from cocodesign.collectives.launching import launch_ranks
from cocodesign.collectives.topology import modern
from cocodesign.devices import choose_device
from cocodesign.kfac.assignment import inversion_cost
from cocodesign.kfac.inverse import damped_inverse
from cocodesign.studies.step_times import Accelerator, count_volumes, simulate_step

_ROUNDS = 7
_LIMIT_S = 120.0


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    device = choose_device("auto")
    inversion = {
        str(size): inversion_rate(size, device)
        for size in ((256,) if quick else (512, 1024, 2304, 4608))
    }
    largest_rate = list(inversion.values())[-1]
    seconds_per_image = pass_seconds(device, quick=quick)
    results = {
        "device": str(device),
        "quick": quick,
        "sum_bytes_per_s": {
            str(size): sum_rate(size, device)
            for size in ((1 << 20,) if quick else (1 << 20, 1 << 26))
        },
        "inversion_flops_per_s": inversion,
        "seconds_per_image": seconds_per_image,
        "predicted_step_ms": predicted_step_ms(seconds_per_image, largest_rate),
        "schedules": compare_over_nccl(),
    }
    report(results, json_path=arguments.json)


def sum_rate(num_bytes: int, device: torch.device) -> float:
    """Return the bytes per second of adding a message to a buffer."""
    buffer = torch.zeros(num_bytes // 4, device=device)
    message = torch.ones_like(buffer)
    return num_bytes / time_calls(lambda: buffer.add_(message), device)


def inversion_rate(size: int, device: torch.device) -> float:
    """Return n³ over the seconds of inverting a damped factor."""
    rows = torch.randn(size, size, device=device)
    factor = rows @ rows.T / size
    damping = torch.tensor(0.1, device=device)
    seconds = time_calls(lambda: damped_inverse(factor, damping), device)
    return inversion_cost(size) / seconds


def pass_seconds(device: torch.device, *, quick: bool) -> float:
    """Return the seconds per image of a forward and a backward pass."""
    num_images, side = (2, 64) if quick else (32, 224)
    network = (resnet18() if quick else resnet50()).to(device)
    images = torch.randn(num_images, 3, side, side, device=device)
    labels = torch.zeros(num_images, dtype=torch.long, device=device)

    def do_passes() -> None:
        network.zero_grad()
        functional.cross_entropy(network(images), labels).backward()

    return time_calls(do_passes, device) / num_images


def predicted_step_ms(seconds_per_image: float, inversion_flops_per_s: float) -> float:
    """Return the simulated step of K-FAC on 4,096 GPUs, nodes of 8."""
    with torch.device("meta"):
        volumes = count_volumes(resnet50())
    times = simulate_step(
        volumes,
        modern(),
        Accelerator(seconds_per_image, inversion_flops_per_s),
        4096,
        images_per_rank=32,
        refresh_fraction=0.1,
    )
    return round(1e3 * times.total_s, 3)


def compare_over_nccl() -> dict[str, object] | None:
    """Time all schedules on the GPUs of this machine, if there are several."""
    world_size = min(torch.cuda.device_count(), 8)
    if world_size < 2:
        return None
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "result.json"
        launch_ranks(
            ["-m", "cocodesign.collectives", "--device", "cuda", "--json", str(path)],
            world_size=world_size,
            limit_s=_LIMIT_S,
            log_dir=Path(name) / "logs",
        )
        comparison = Comparison.from_json(path.read_text(encoding="utf-8"))
    return {
        "num_ranks": world_size,
        "summary": comparison.summary(),
        "choices": comparison.choices,
        "vs_nccl_all_reduce": comparison.library_ratios(),
    }


def time_calls(call: Callable[[], object], device: torch.device) -> float:
    """Return the median seconds of a call, the device's work included."""
    seconds: list[float] = []
    for number in range(_ROUNDS + 2):
        wait_for(device)
        start = time.perf_counter()
        call()
        wait_for(device)
        if number >= 2:  # the first ones choose algorithms and allocate
            seconds.append(time.perf_counter() - start)
    return Timings(tuple(seconds)).median_s


if __name__ == "__main__":
    main()
