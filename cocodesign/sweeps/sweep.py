"""A sweep: a notebook, a profile, a grid, and a run folder for every point.

A sweep owns no state but its run folders: a point is done when its folder holds a
record with its parameters. So a sweep that was interrupted goes on when it is called
again, and one with more values runs the new points only.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocodesign.errors import RecordError
from cocodesign.files import write_atomically
from cocodesign.results import RECORD_NAME, RunContext, RunRecord, read_record
from cocodesign.runner.notebook import load_notebook, read_parameters, read_profile
from cocodesign.runner.parameters import Value, resolve_parameters
from cocodesign.sweeps.grid import Axis, grid_points, point_name, read_axes

SWEEP_NAME = "sweep.json"


@dataclass(frozen=True)
class SweepPoint:
    """One run of a sweep.

    Attributes:
        name: The name of its run folder.
        overrides: The axes' values by parameter.
        parameters: All parameters, except ``run_dir``.
        run_dir: The run folder.
    """

    name: str
    overrides: Mapping[str, Value]
    parameters: Mapping[str, Value]
    run_dir: Path

    def record(self) -> RunRecord | None:
        """Return the point's record, ``None`` if it has none of these parameters."""
        try:
            context = RunContext.read(self.run_dir)
            record = read_record(self.run_dir / RECORD_NAME)
        except RecordError:
            return None
        made = dict(context.parameters) if context else {}
        made.pop("run_dir", None)
        return record if made == dict(self.parameters) else None


@dataclass(frozen=True)
class Sweep:
    """A planned sweep; ``plan_sweep`` makes one.

    Attributes:
        notebook: The notebook.
        profile: The profile whose values hold outside the axes.
        axes: The grid.
        folder: Holds the run folders.
        points: The runs, the last axis fastest.
        datasets: The data sets that the notebook reads.
        num_gpus: The GPUs that it needs.
    """

    notebook: Path
    profile: str
    axes: tuple[Axis, ...]
    folder: Path
    points: tuple[SweepPoint, ...]
    datasets: tuple[str, ...]
    num_gpus: int

    def missing(self) -> list[SweepPoint]:
        """Return the points without a record."""
        return [point for point in self.points if point.record() is None]

    def records(self) -> Iterator[tuple[SweepPoint, RunRecord | None]]:
        """Yield every point with its record, ``None`` where there is none yet."""
        for point in self.points:
            yield point, point.record()

    def write(self) -> None:
        """Write ``sweep.json``, which says what the folder holds."""
        facts = {
            "notebook": self.notebook.stem,
            "profile": self.profile,
            "axes": {axis.name: list(axis.values) for axis in self.axes},
        }
        text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.folder / SWEEP_NAME, text)


def plan_sweep(
    notebook: Path, axes: Sequence[str], *, profile: str, folder: Path
) -> Sweep:
    """Read a grid and check every value before anything runs.

    Args:
        notebook: The notebook.
        axes: Texts such as ``damping=1e-3,1e-2`` and ``seed=0..4``.
        profile: The profile whose values hold outside the axes.
        folder: Where the run folders go.

    Returns:
        The sweep.

    Raises:
        NotebookError: If the notebook lacks what the runner needs.
        ParameterError: If a name, a value or the profile is refused.
        SweepError: If the grid is malformed.
    """
    declared = read_parameters(notebook)
    of_profile = read_profile(notebook, profile)
    grid = read_axes(axes, declared)
    facts = load_notebook(notebook).metadata.get("cocodesign", {})
    points = []
    for overrides in grid_points(grid):
        name = point_name(overrides)
        parameters = resolve_parameters(declared, of_profile, overrides)
        del parameters["run_dir"]
        points.append(SweepPoint(name, overrides, parameters, folder / name))
    return Sweep(
        notebook=notebook,
        profile=profile,
        axes=grid,
        folder=folder,
        points=tuple(points),
        datasets=tuple(facts.get("datasets", ())),
        num_gpus=facts.get("gpus", {}).get(profile, 0),
    )
