"""The layers joined in one run, the study of notebook 90: trained, compressed, used.

::

    concepts   pictures of people and things on frames of a real video
    windows    one small network as a concept bank and as a detector of people
    camera     an HD stream and clips of moments that the network never saw
    training   to a target: with or without K-FAC and a micro-batch plan
    file       the trained network as a file, compressed or not
    terminal   what the file gives in the video part and in the events part
    pipeline   all of it, and all of it but one
    ablation   the runs beside one another, as metrics and tables of a record
"""

from cocodesign.codesign_study.ablation import Ablation
from cocodesign.codesign_study.pipeline import Pipeline, Setting

__all__ = ["Ablation", "Pipeline", "Setting"]
