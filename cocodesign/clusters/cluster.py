"""What a site asks of a job: its scheduler, the options of its submit command.

A cluster is a folder of ``workflow/profiles`` with two files: ``config.yaml`` for
Snakemake and ``cluster.toml``, read here::

    scheduler = "slurm"
    options = ["--partition=gpu", "--gres=gpu:{gpus}", "--time={minutes}"]
    least_gpus = 1      # a job gets at least so many
    prefix = []         # such as ["apptainer", "exec", "--nv", "cocodesign.sif"]
    python = ""         # the jobs' Python, such as that of a container

    [minutes]           # a job's limit, by the notebooks' profile
    smoke = 10

In the options ``{gpus}`` stands for the job's GPUs, ``{minutes}`` for its time limit
and ``{hms}`` for the same as hours:minutes:seconds.
"""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from cocodesign.clusters.manifest import TEMPLATE_NAME
from cocodesign.clusters.scheduler import SCHEDULER_NAMES, SchedulerName
from cocodesign.errors import ClusterError
from cocodesign.results import PROFILES

SETTINGS_NAME = "cluster.toml"
_PLACEHOLDERS = {"gpus", "minutes", "hms"}


@dataclass(frozen=True)
class Cluster:
    """How jobs are asked for at one site.

    Attributes:
        scheduler: The scheduler's dialect.
        options: Options of its submit command, with placeholders.
        minutes: Time limit of a job in minutes, by the notebooks' profile.
        least_gpus: GPUs that a job gets even if its notebook needs fewer.
        prefix: Put before the job's command, such as a container's start.
        python: The jobs' Python; the submitting one if empty.
        manifest: The template of a Kubernetes job, the file ``job.yaml``.
    """

    scheduler: SchedulerName
    options: tuple[str, ...]
    minutes: Mapping[str, int]
    least_gpus: int = 0
    prefix: tuple[str, ...] = ()
    python: str = ""
    manifest: str = ""

    def submit_options(self, *, gpus: int, profile: str) -> list[str]:
        """Fill in the placeholders of the options.

        Args:
            gpus: The GPUs that the notebook needs.
            profile: The notebooks' profile.

        Returns:
            The options.

        Example:
            >>> site = Cluster("pbs", ("-l", "ngpus={gpus},walltime={hms}"), {"gpu": 9})
            >>> site.submit_options(gpus=2, profile="gpu")
            ['-l', 'ngpus=2,walltime=00:09:00']
        """
        minutes = self.minutes[profile]
        values = {
            "gpus": max(gpus, self.least_gpus),
            "minutes": minutes,
            "hms": f"{minutes // 60:02}:{minutes % 60:02}:00",
        }
        return [option.format(**values) for option in self.options]


def read_cluster(folder: Path) -> Cluster | None:
    """Read a cluster's settings.

    Args:
        folder: A folder of ``workflow/profiles``.

    Returns:
        The settings; ``None`` if the folder has none, as for this machine itself.

    Raises:
        ClusterError: If the file is malformed; the message names file and key.
    """
    path = folder / SETTINGS_NAME
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path} cannot be read: {error}") from error
    known = {each.name for each in fields(Cluster)} - {"manifest"}
    if unknown := sorted(set(settings) - known):
        raise ClusterError(
            f"{path}: unknown {', '.join(unknown)}; known are "
            f"{', '.join(sorted(known))}"
        )
    scheduler = _scheduler(path, settings.get("scheduler"))
    return Cluster(
        scheduler=scheduler,
        options=_strings(path, settings, "options"),
        minutes=_minutes(path, settings.get("minutes")),
        least_gpus=_natural(path, "least_gpus", settings.get("least_gpus", 0)),
        prefix=_strings(path, settings, "prefix"),
        python=_string(path, "python", settings.get("python", "")),
        manifest=_manifest(folder) if scheduler == "kubernetes" else "",
    )


def _manifest(folder: Path) -> str:
    path = folder / TEMPLATE_NAME
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path} cannot be read: {error}") from error


def _scheduler(path: Path, value: object) -> SchedulerName:
    if value not in SCHEDULER_NAMES:
        raise ClusterError(
            f"{path}: scheduler must be one of {', '.join(SCHEDULER_NAMES)}, "
            f"got {value!r}"
        )
    return cast("SchedulerName", value)


def _strings(path: Path, settings: dict[str, Any], key: str) -> tuple[str, ...]:
    value = settings.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ClusterError(f"{path}: {key} must be a list of texts, got {value!r}")
    for text in value if key == "options" else ():
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        except ValueError as error:
            raise ClusterError(f"{path}: option {text!r}: {error}") from error
        if not names <= _PLACEHOLDERS:
            raise ClusterError(
                f"{path}: option {text!r} has a placeholder that is none of "
                f"{', '.join(sorted(_PLACEHOLDERS))}"
            )
    return tuple(value)


def _string(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ClusterError(f"{path}: {key} must be a text, got {value!r}")
    return value


def _minutes(path: Path, value: object) -> dict[str, int]:
    if not isinstance(value, dict) or set(value) != set(PROFILES):
        raise ClusterError(
            f"{path}: [minutes] must give a limit for each of {', '.join(PROFILES)}, "
            f"got {value!r}"
        )
    return {name: _natural(path, f"minutes.{name}", value[name]) for name in PROFILES}


def _natural(path: Path, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ClusterError(f"{path}: {key} must be an integer ≥ 0, got {value!r}")
    return value
