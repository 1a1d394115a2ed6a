"""Find the target accuracy from the first-order optimizers alone.

``python -m benchmarks.kfac.target`` lets every tuning trial of SGD, LARS and AdamW run
100 steps at full batch and takes the best validation accuracy that any of them reached,
rounded down to half a per cent: what the best tuned first-order optimizer reaches in
about a hundred steps. No second-order optimizer and no test image takes part. The
number then stands in ``protocol.TARGET_ACCURACY``. ``--journal FILE`` keeps finished
trials, so that a run that was killed goes on.
"""

import argparse
import json
import math
from pathlib import Path

from benchmarks.kfac import protocol
from cocodesign.seeding import stream_seed
from cocodesign.studies import Contender, Journal
from cocodesign.studies.race import Race, run_race
from cocodesign.training import keep_freed_memory

_NUM_STEPS = 100
_GRAIN = 0.005


def main() -> None:
    """Run the trials and print the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, help="keep finished trials here")
    path: Path | None = parser.parse_args().journal
    journal = Journal(path) if path else None
    keep_freed_memory()
    task = protocol.load_task()
    race = Race(
        mini_batch_size=protocol.NUM_TRAIN,
        seed=stream_seed(protocol.SEEDS[0], "tuning"),
        split="validation",
        target_accuracy=None,
        max_steps=_NUM_STEPS,
        evaluation_interval=1,
    )
    best: dict[str, float] = {}
    for make in (Contender.adamw, Contender.lars, Contender.sgd):
        contender = make(protocol.NUM_TRIALS, seed=protocol.DESIGN_SEED)
        for setting in contender.settings:
            outcome = journal.find(contender.name, setting, race) if journal else None
            if outcome is None:
                outcome = run_race(task, protocol.build_model, contender, setting, race)
                if journal is not None:
                    journal.add(race, outcome)
            print(outcome.summary, flush=True)
            reached = max(best.get(contender.name, 0.0), outcome.best_accuracy)
            best[contender.name] = reached
    target = math.floor(max(best.values()) / _GRAIN) * _GRAIN
    print(json.dumps({"target_accuracy": round(target, 4), "best": best}))


if __name__ == "__main__":
    main()
