"""Sweeps: a notebook over a grid of parameters, as runs, a table and a picture.

``plan_sweep`` checks the whole grid before anything runs, ``run_here`` and
``run_on_cluster`` run what is missing of it, ``sweep_table`` collects the records and
``draw_sweep`` shows them as parallel coordinates.
"""

from cocodesign.sweeps.execution import run_here, run_on_cluster
from cocodesign.sweeps.sweep import Sweep, SweepPoint, plan_sweep
from cocodesign.sweeps.table import sweep_table, write_table
from cocodesign.sweeps.view import draw_sweep

__all__ = [
    "Sweep",
    "SweepPoint",
    "draw_sweep",
    "plan_sweep",
    "run_here",
    "run_on_cluster",
    "sweep_table",
    "write_table",
]
