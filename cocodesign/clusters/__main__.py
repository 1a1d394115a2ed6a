"""One job at a time for Snakemake's executor ``cluster-generic``.

::

    python -m cocodesign.clusters submit FOLDER PROFILE NAME GPUS SCRIPT
    python -m cocodesign.clusters status FOLDER KEY

``FOLDER`` is the cluster's folder of ``workflow/profiles``; the current folder is the
clone. ``submit`` prints the job's key, ``status`` one of ``running``, ``success`` and
``failed``.
"""

import sys
from pathlib import Path

from cocodesign.clusters.cluster import read_cluster
from cocodesign.clusters.jobs import workflow_jobs
from cocodesign.errors import ClusterError


def main(arguments: list[str]) -> str:
    """Do what the arguments say.

    Args:
        arguments: As in the module's docstring.

    Returns:
        What to print.

    Raises:
        ClusterError: If the scheduler refuses, or the folder is no cluster's.
    """
    action, folder, *rest = arguments
    cluster = read_cluster(Path(folder))
    if cluster is None:
        raise ClusterError(f"{folder} has no cluster.toml")
    jobs = workflow_jobs(cluster, Path.cwd())
    if action == "status":
        (key,) = rest
        return jobs.status(key)
    profile, name, gpus, script = rest
    # Snakemake may remove its script before the job begins: the job gets its content.
    # It also calls the Python of this machine, which a container does not have.
    text = Path(script).read_text(encoding="utf-8")
    command = text.replace(sys.executable, jobs.python)
    return jobs.submit(command, name=name, gpus=int(gpus), profile=profile)


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))  # noqa: T201 - the answer to Snakemake
    except ClusterError as error:
        sys.exit(f"error: {error}")
