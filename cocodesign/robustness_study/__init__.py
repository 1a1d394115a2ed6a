"""Are small networks easier to fool? Three of them at equal bytes.

::

    pictures     what is learned, chosen by and judged by
    networks     one family, from far too large to hardly enough
    arms         dense, compressed and compact, and how they are made
    experiment   ``compare_arms``: made and judged, seed by seed
    tables       outcomes as metrics and tables of a run record
"""

from cocodesign.robustness_study.arms import Plan
from cocodesign.robustness_study.experiment import Judging, compare_arms, defences_of
from cocodesign.robustness_study.pictures import Pictures, load_pictures
from cocodesign.robustness_study.tables import study_metrics, study_tables

__all__ = [
    "Judging",
    "Pictures",
    "Plan",
    "compare_arms",
    "defences_of",
    "load_pictures",
    "study_metrics",
    "study_tables",
]
