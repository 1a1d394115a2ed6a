"""The one training loop, and what a run of it needs.

A training is a model, an optimizer, a ``BatchStream``, possibly a learning-rate
schedule, and callbacks that look on and may stop it. ``save_checkpoint`` puts all of
its state into one file, from which it continues to the bit.
"""

from cocodesign.training.batches import BatchStream
from cocodesign.training.checkpoint import load_checkpoint, save_checkpoint
from cocodesign.training.evaluation import evaluate
from cocodesign.training.loop import Step, train
from cocodesign.training.memory import keep_freed_memory
from cocodesign.training.schedules import warmup_polynomial

__all__ = [
    "BatchStream",
    "Step",
    "evaluate",
    "keep_freed_memory",
    "load_checkpoint",
    "save_checkpoint",
    "train",
    "warmup_polynomial",
]
