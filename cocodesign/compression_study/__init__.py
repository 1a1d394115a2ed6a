"""How small AlexNet becomes before it loses accuracy: the study of notebook 30.

::

    small_alexnet  AlexNet without the copies that its pooling makes of small pictures
    pictures       grey pictures as AlexNet sees them
    alexnet_study  per seed: train, compress, choose by validation, judge by test
    tables         the study as metrics and tables of a run record
"""

from cocodesign.compression_study.alexnet_study import Outcome, study_alexnet
from cocodesign.compression_study.pictures import Pictures
from cocodesign.compression_study.tables import study_metrics, study_tables

__all__ = ["Outcome", "Pictures", "study_alexnet", "study_metrics", "study_tables"]
