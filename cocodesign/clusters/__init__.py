"""Batch schedulers: Slurm, PBS and Grid Engine, as jobs and arrays of jobs.

A ``Cluster`` says what a site asks of a job, ``Jobs`` submits, looks and cancels. For
Snakemake, ``python -m cocodesign.clusters`` does the same for one job at a time. All of
this starts in a few milliseconds, as Snakemake calls it for every job every few
seconds.
"""

from cocodesign.clusters.cluster import Cluster, read_cluster
from cocodesign.clusters.jobs import Jobs, JobStatus, task_key, workflow_jobs
from cocodesign.clusters.scheduler import job_number, scheduler

__all__ = [
    "Cluster",
    "JobStatus",
    "Jobs",
    "job_number",
    "read_cluster",
    "scheduler",
    "task_key",
    "workflow_jobs",
]
