"""Studies: comparisons that need many trainings.

``compare_convergence`` asks how many steps and seconds several optimizers take to a
target test accuracy, each with settings that were tuned by the same budget::

    task         examples and labels, and the validation split
    contenders   an optimizer with the settings that may be chosen for it
    outcomes     what was measured, and honest ratios of it
    race         one training to the target, with its clock
    rules        what is the same for every contender
    comparison   all outcomes, and their ratios
    convergence  the comparison's making: tune every contender, then race it
    tables       the comparison as metrics and tables of a run record
"""

from cocodesign.studies.comparison import Comparison
from cocodesign.studies.contenders import Contender, Setting
from cocodesign.studies.convergence import compare_convergence
from cocodesign.studies.rules import Rules
from cocodesign.studies.tables import comparison_metrics, comparison_tables
from cocodesign.studies.task import Task

__all__ = [
    "Comparison",
    "Contender",
    "Rules",
    "Setting",
    "Task",
    "compare_convergence",
    "comparison_metrics",
    "comparison_tables",
]
