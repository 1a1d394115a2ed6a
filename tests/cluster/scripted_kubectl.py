"""kubectl, as far as the project uses it: create, get and delete jobs, all here.

It runs a job's containers as processes on this machine, one process group a pod.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

STATE = Path(os.environ.get("SCRIPTED_KUBECTL_STATE", "nowhere"))


def create(path: str) -> str:
    job = YAML(typ="safe", pure=True).load(Path(path).read_text())
    name, spec = job["metadata"]["name"], job["spec"]
    (STATE / f"{name}.json").write_text(json.dumps(job))
    (container,) = spec["template"]["spec"]["containers"]
    facts = {each["name"]: each["value"] for each in container["env"]}
    is_indexed = spec.get("completionMode") == "Indexed"
    for index in range(spec.get("completions", 1)):
        of_pod = {"JOB_COMPLETION_INDEX": str(index)} if is_indexed else {}
        process = subprocess.Popen(
            [*container["command"], *container["args"]],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **facts, **of_pod},
            start_new_session=True,
        )
        (STATE / f"{name}.{index}.pid").write_text(str(process.pid))
    return f"job.batch/{name}"


def get(label: str) -> str:
    key, _, value = label.partition("=")
    items = []
    for path in STATE.glob("*.json"):
        job = json.loads(path.read_text())
        assert job["metadata"]["labels"][key] == value
        alive = any(map(is_alive, STATE.glob(f"{path.stem}.*.pid")))
        end = [] if alive else [{"type": "Complete", "status": "True"}]
        job["status"] = {"conditions": end}
        items.append(job)
    return json.dumps({"items": items})


def delete(name: str) -> str:
    for path in STATE.glob(f"{name}.*.pid"):
        if is_alive(path):
            os.killpg(int(path.read_text()), signal.SIGTERM)
    (STATE / f"{name}.json").unlink()
    return f'job.batch "{name}" deleted'


def is_alive(path: Path) -> bool:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{path.read_text()}/stat").read_text()
        return stat[stat.rindex(")") + 2] not in "ZX"
    return False


def main(arguments: list[str]) -> str:
    match arguments:
        case ["--request-timeout=30s", "create", "-o", "name", "-f", path]:
            return create(path)
        case ["--request-timeout=30s", "get", "jobs", "-l", label, "-o", "json"]:
            return get(label)
        case ["--request-timeout=30s", "delete", "job", "--wait=false", name]:
            return delete(name)
    sys.exit(f"error: unknown command {arguments}")


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1:])}\n")
