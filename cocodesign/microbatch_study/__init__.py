"""What micro-batching gains on this machine.

::

    layers    forward passes of single layers under workspace limits
    steps     whole training steps in the memory of torch's own
    trials    mini-batches divided and layers cut over real ranks
    here      the trials on two processes of this machine
"""

from cocodesign.microbatch_study.here import DistributionTrials, distribute_here
from cocodesign.microbatch_study.layers import LayerStudy, study_layers
from cocodesign.microbatch_study.steps import StepStudy, study_step

__all__ = [
    "DistributionTrials",
    "LayerStudy",
    "StepStudy",
    "distribute_here",
    "study_layers",
    "study_step",
]
