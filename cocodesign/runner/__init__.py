"""Running one notebook: parameters checked, process guarded, outputs kept.

``run_notebook`` turns a notebook and a profile into a run folder with the executed
copy and the record. It uses papermill through the engine ``cocodesign``, which stands
between three processes: the runner (this one), a guard, and the kernel.

Papermill loads the engines of all installed packages when it is imported, so it must
be imported before ``cocodesign.runner.engine`` is; ``attempt`` sees to that.
"""

from cocodesign.runner.attempt import run_notebook
from cocodesign.runner.notebook import read_parameters
from cocodesign.runner.parameters import (
    Parameter,
    parse_assignment,
    resolve_parameters,
)
from cocodesign.runner.progress import Progress
from cocodesign.runner.runs import RunState, list_runs

__all__ = [
    "Parameter",
    "Progress",
    "RunState",
    "list_runs",
    "parse_assignment",
    "read_parameters",
    "resolve_parameters",
    "run_notebook",
]
