"""What ``keep_freed_memory`` saves: full-batch steps of SGD in fresh processes.

``python -m benchmarks.kfac.memory [--keep]`` prints the median seconds of a step.
"""

import statistics
import subprocess
import sys
import time

import torch
from torch.nn.functional import cross_entropy

from benchmarks.kfac import protocol
from cocodesign.training import keep_freed_memory

_NUM_STEPS = 6


def step_time_ratio(*, rounds: int) -> float:
    """Return the seconds of a step that keeps freed memory over one that does not."""
    seconds: dict[str, list[float]] = {"--keep": [], "": []}
    for _ in range(rounds):
        for option, values in seconds.items():
            command = [sys.executable, "-m", "benchmarks.kfac.memory", option]
            done = subprocess.run(
                [each for each in command if each],
                capture_output=True,
                text=True,
                check=True,
            )
            values.append(float(done.stdout.split()[-1]))
    kept, returned = (statistics.median(values) for values in seconds.values())
    return round(kept / returned, 4)


def main() -> None:
    """Time some steps on random pictures."""
    if "--keep" in sys.argv:
        keep_freed_memory()
    pictures = torch.randn(protocol.NUM_TRAIN, 1, 28, 28)
    labels = torch.randint(10, (protocol.NUM_TRAIN,))
    model = protocol.build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    seconds = []
    for _ in range(_NUM_STEPS):
        started = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(model(pictures), labels).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    print(statistics.median(seconds[1:]))


if __name__ == "__main__":
    main()
