"""Micro-batched convolution: the fastest way through a mini-batch in little memory.

A convolution of N examples may run in parts, each with the algorithm that is fastest
for its size and fits into the workspace that is left. Batch normalisation, the loss
and the optimizer still see the whole mini-batch: training stays what it is.

::

    problem, division       what is computed, and in which parts           (pure)
    planner, pareto         the fastest division, and the fronts           (pure)
    sharing, budget         several kernels, or a whole step, in one memory (pure)
    frugality               good divisions from few timings                (pure)
    plan                    a plan as a file                               (pure)
    algorithms              direct, matrix, Winograd, Fourier, NNPACK
    execution, measurement  running a division; time and scratch memory
    timings                 measurements kept on disk
    operators, layers       planned layers in a model
    planning, step          plans of a convolution, a model, a training step
    comparison              what is gained, side by side; deepbench: on which layers
"""

from cocodesign.microbatch.deepbench import window_layers
from cocodesign.microbatch.layers import apply_plan
from cocodesign.microbatch.model_planning import plan_model
from cocodesign.microbatch.plan import MicroBatchPlan
from cocodesign.microbatch.planning import plan_convolution
from cocodesign.microbatch.problem import ConvProblem

__all__ = [
    "ConvProblem",
    "MicroBatchPlan",
    "apply_plan",
    "plan_convolution",
    "plan_model",
    "window_layers",
]
