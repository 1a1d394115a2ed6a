"""What is fixed before anything is measured.

The task is the first 12,000 training images of Fashion-MNIST, judged on the 6,000
behind them while settings are chosen and on the test set in the races. Random erasing,
part of the programme's recipe, changes the training images for every optimizer, and the
network, chosen for its speed on a CPU, is small: so that nobody learns the 12,000
images by heart within a hundred steps, where accuracy would tell of regularisation.

Network and erasing were settled on validation images in trials that included K-FAC, so
read the ratios as those of a task that suits it. What the others gave: with a third
stage of 64 channels K-FAC was at a training loss of 0.06 after 40 steps and stayed at
86 %, where first-order optimizers reached 87 % in 100; with this network but no erasing
AdamW reached 85 % in 100 steps, and two tuning trials of K-FAC ended at 84.6 and 84.9 %
after 150.
"""

import dataclasses

from cocodesign.data import load_dataset
from cocodesign.kfac import StaleSchedule
from cocodesign.models import ConvNet
from cocodesign.studies import Contender, Rules
from cocodesign.studies.task import MemoryTask

NUM_TRAIN = 12_000
NUM_VALIDATION = 6_000
# Full batch, the hardest, first.
MINI_BATCH_SIZES = (NUM_TRAIN, NUM_TRAIN // 2, NUM_TRAIN // 8, NUM_TRAIN // 32)
# An evaluation costs as much as some thousand examples of training.
EVALUATION_INTERVALS = (1, 1, 2, 5)
SEEDS = (0, 1, 2)
NUM_TRIALS = 8
DESIGN_SEED = 0
PEERS_INTERVAL = 10  # steps between refreshes of every second-order peer

# Ours, fixed before the races by validation images; the ablation in the report shows
# what they change.
FACTOR_INTERVAL = 10
NUM_FACTOR_EXAMPLES = 1_000

# `python -m benchmarks.kfac.target` finds it: in 100 steps at full batch the best of
# all trials, one of AdamW, classified 84.4 % of the validation images rightly.
TARGET_ACCURACY = 0.84
MAX_STEPS = 150
PEERS_MAX_STEPS = 80  # of second-order peers, whose steps are dear


def build_model() -> ConvNet:
    """Return the network, with weights from torch's global generator."""
    return ConvNet(widths=(16, 32), patch_size=4)


def load_task(*, quick: bool = False) -> MemoryTask:
    """Return the task, or a corner of it; the data must be there already."""
    dataset = load_dataset("fashion_mnist", download=False)
    if quick:
        task = MemoryTask.of_images(
            dataset, NUM_TRAIN // 8, NUM_VALIDATION // 8, erases=True
        )
        few = slice(NUM_VALIDATION // 8)
        return dataclasses.replace(
            task,
            test_examples=task.test_examples[few],
            test_labels=task.test_labels[few],
        )
    return MemoryTask.of_images(dataset, NUM_TRAIN, NUM_VALIDATION, erases=True)


def make_rules(*, quick: bool = False) -> Rules:
    """Return what is the same for every contender."""
    if quick:  # tries that everything runs
        return Rules(0.5, (NUM_TRAIN // 32, NUM_TRAIN // 8), (4, 4), (0,), max_steps=12)
    return Rules(
        target_accuracy=TARGET_ACCURACY,
        mini_batch_sizes=MINI_BATCH_SIZES,
        evaluation_intervals=EVALUATION_INTERVALS,
        seeds=SEEDS,
        max_steps=MAX_STEPS,
    )


def our_contender(
    num_trials: int,
    *,
    factor_interval: int | StaleSchedule = FACTOR_INTERVAL,
    num_factor_examples: int | None = NUM_FACTOR_EXAMPLES,
) -> Contender:
    """Return K-FAC as it races, or with other refreshes."""
    return Contender.kfac(
        num_trials,
        seed=DESIGN_SEED,
        factor_interval=factor_interval,
        num_factor_examples=num_factor_examples,
    )
