"""Jobs on Kubernetes: manifests held against its schema, and a scripted kubectl."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cocodesign.clusters import read_cluster, task_key, workflow_jobs
from cocodesign.clusters.manifest import job_manifest
from cocodesign.errors import ClusterError
from cocodesign.project import find_project
from tests.cluster.clone import Clone, until

PROFILE = find_project(Path(__file__).parent).workflow / "profiles" / "kubernetes"
SCRIPT = Path(__file__).with_name("scripted_kubectl.py")


def manifest(num_tasks: int = 1, gpus: int = 1) -> dict[str, Any]:
    text = job_manifest(
        (PROFILE / "job.yaml").read_text(),
        name="cd-name-0123",
        script=Path("/work/cocodesign/runs/jobs/x.sh"),
        log=Path("/work/cocodesign/runs/jobs/x.log"),
        num_tasks=num_tasks,
        gpus=gpus,
        minutes=30,
    )
    return YAML(typ="safe", pure=True).load(text)


def test_a_manifest_asks_for_tasks_time_and_gpus() -> None:
    spec = manifest(num_tasks=3, gpus=2)["spec"]
    assert (spec["completions"], spec["parallelism"]) == (3, 3)
    assert spec["completionMode"] == "Indexed"
    assert spec["activeDeadlineSeconds"] == 1800
    (container,) = spec["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 2}
    single = manifest(gpus=0)["spec"]
    assert "completions" not in single
    (container,) = single["template"]["spec"]["containers"]
    assert "limits" not in container["resources"]


@pytest.mark.parametrize("num_tasks", [1, 3])
def test_a_manifest_is_of_kubernetes_schema(num_tasks: int) -> None:
    models = pytest.importorskip(
        "kubernetes.client.models", reason="the Kubernetes client is not installed"
    )
    job = manifest(num_tasks)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    check_schema(models, job, "V1Job", "job")


def check_schema(models: Any, value: Any, kind: str, where: str) -> None:
    """Compare a value with the client's model of it: names, types, what is required."""
    if match := re.fullmatch(r"list\[(.*)\]", kind):
        assert isinstance(value, list), where
        for index, each in enumerate(value):
            check_schema(models, each, match[1], f"{where}[{index}]")
    elif match := re.fullmatch(r"dict\(str, (.*)\)", kind):
        assert isinstance(value, dict), where
        for name, each in value.items():
            # A quantity such as 8Gi is a text to the client, and may be a number.
            text = str(each) if "resources" in where else each
            check_schema(models, text, match[1], f"{where}.{name}")
    elif kind in ("str", "int", "bool"):
        assert isinstance(value, {"str": str, "int": int, "bool": bool}[kind]), where
    else:
        model = getattr(models, kind)
        names = {name: field for field, name in model.attribute_map.items()}
        assert set(value) <= set(names), f"{where}: {sorted(set(value) - set(names))}"
        fields = {names[name]: each for name, each in value.items()}
        model(**fields)  # which refuses a missing field that is required
        for field, each in fields.items():
            check_schema(models, each, model.openapi_types[field], f"{where}.{field}")


def test_a_template_that_is_no_job_is_refused() -> None:
    for text in ("", "a: [", "spec: {template: {spec: {containers: []}}}"):
        with pytest.raises(
            ClusterError, match=r"job\.yaml is no job with one container"
        ):
            job_manifest(
                text,
                name="x",
                script=Path("x"),
                log=Path("x"),
                num_tasks=1,
                gpus=0,
                minutes=1,
            )


@pytest.mark.slow
def test_jobs_and_arrays_run_and_are_cancelled(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, state = tmp_path / "programs", tmp_path / "state"
    programs.mkdir()
    state.mkdir()
    program = programs / "kubectl"
    program.write_text(f"#!{sys.executable}\n{SCRIPT.read_text()}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SCRIPTED_KUBECTL_STATE", str(state))
    monkeypatch.setattr("cocodesign.clusters.jobs._LIST_AGE_S", 0.2)
    monkeypatch.setattr("cocodesign.clusters.jobs._LOST_AFTER_S", 0.5)
    cluster = read_cluster(clone.root / "workflow" / "profiles" / "kubernetes")
    assert cluster
    jobs = workflow_jobs(cluster, clone.root)

    def submit(command: str, num_tasks: int = 1) -> str:
        name = "10_Long " + "x" * 80
        return jobs.submit(
            command, name=name, gpus=1, profile="gpu", num_tasks=num_tasks
        )

    array = submit('pwd > "t$COCODESIGN_TASK"; [ "$COCODESIGN_TASK" != 2 ]', 3)
    one = submit('pwd > "one$COCODESIGN_TASK"')
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", one)
    assert len(one) <= 63
    keys = [*(task_key(array, task, 3) for task in (1, 2, 3)), one]
    until(lambda: all(jobs.status(key) != "running" for key in keys))
    assert [jobs.status(key) for key in keys] == [
        *("success", "failed", "success", "success")
    ]
    for name in ("t1", "t2", "t3", "one1"):
        assert (clone.root / name).read_text().strip() == str(clone.root)
    cancelled = submit("sleep 60")
    assert jobs.status(cancelled) == "running"
    jobs.cancel([cancelled])
    until(lambda: jobs.status(cancelled) == "failed")
