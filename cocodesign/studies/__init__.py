"""Studies: comparisons that need many trainings.

``compare_convergence`` asks how many steps and seconds several optimizers take to a
target accuracy, each with settings that were tuned by the same budget::

    designs      settings, and the box that they are drawn from
    contenders   an optimizer with the settings that may be chosen for it
    task         what is learned, the examples that choose and those that judge
    outcomes     what was measured, and honest ratios of it
    race         one training to the target, with its clock
    rules        what is the same for every contender
    journal      finished trainings, from which an interrupted study goes on
    comparison   all outcomes, and their ratios
    convergence  the comparison's making: tune every contender, then race it
    tables       the comparison as metrics and tables of a run record

``examine_kfac`` looks closer at what it chose::

    large_batch  what the largest mini-batch costs in accuracy; when statistics move
    step_parts   where a step's time goes
    examination  both, as metrics and tables

``load_task`` reads a data set that fits into memory, or ImageNet (``folder_task``).
"""

from cocodesign.studies.contenders import Contender
from cocodesign.studies.convergence import compare_convergence
from cocodesign.studies.examination import examine_kfac
from cocodesign.studies.folder_task import load_task
from cocodesign.studies.journal import Journal
from cocodesign.studies.rules import Rules
from cocodesign.studies.tables import comparison_metrics, comparison_tables

__all__ = [
    "Contender",
    "Journal",
    "Rules",
    "compare_convergence",
    "comparison_metrics",
    "comparison_tables",
    "examine_kfac",
    "load_task",
]
