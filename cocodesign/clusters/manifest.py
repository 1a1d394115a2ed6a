"""A Kubernetes job from a site's template, ``job.yaml`` beside its ``cluster.toml``.

The template says what is the site's own: image, volumes, node selector, resources. The
project fills in the job's name, its script, its tasks, its time limit and its GPUs. The
clone must be on a volume that is mounted at the same path in all pods, and where the
jobs are submitted from.
"""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cocodesign.clusters.scheduler import KUBERNETES_LABEL
from cocodesign.errors import ClusterError

TEMPLATE_NAME = "job.yaml"
_GPU = "nvidia.com/gpu"


def job_manifest(
    template: str,
    *,
    name: str,
    script: Path,
    log: Path,
    num_tasks: int,
    gpus: int,
    minutes: int,
) -> str:
    """Fill in a template.

    Args:
        template: The text of a ``batch/v1`` job with one container.
        name: The job's name, lower case.
        script: What the container runs, a POSIX shell script.
        log: Where its output goes, beside what ``kubectl logs`` shows.
        num_tasks: The number of pods that must succeed.
        gpus: GPUs of each pod; none are asked for if 0.
        minutes: The job's time limit.

    Returns:
        The job as YAML.

    Raises:
        ClusterError: If the template is no such job.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    try:
        job: dict[str, Any] = yaml.load(template)
        spec = job["spec"]
        (container,) = spec["template"]["spec"]["containers"]
    except (YAMLError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(
            f"{TEMPLATE_NAME} is no job with one container: {error!r}"
        ) from error
    label, _, value = KUBERNETES_LABEL.partition("=")
    metadata = job.setdefault("metadata", {})
    metadata["name"] = name
    metadata.setdefault("labels", {})[label] = value
    spec["activeDeadlineSeconds"] = 60 * minutes
    if num_tasks > 1:
        spec["completionMode"] = "Indexed"
        spec["completions"] = spec["parallelism"] = num_tasks
    if gpus:
        limits = container.setdefault("resources", {}).setdefault("limits", {})
        limits[_GPU] = gpus
    container["command"] = ["/bin/sh", "-c", 'exec /bin/sh "$0" >>"$1" 2>&1']
    container["args"] = [str(script), str(log)]
    variable = {"name": "COCODESIGN_JOB", "value": name}
    container.setdefault("env", []).append(variable)
    stream = io.StringIO()
    yaml.dump(job, stream)
    return stream.getvalue()
