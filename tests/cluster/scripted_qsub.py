"""qsub, qstat and qdel, as far as the project uses them, for PBS and Grid Engine.

Installed under these three names, it runs jobs on this machine, one process group
each. It refuses every option that the real program does not have.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ.get("SCRIPTED_QSUB_STATE", "nowhere"))
IS_PBS = os.environ.get("SCRIPTED_QSUB_DIALECT") == "pbs"

# Options that the project uses; all of them take a value.
PBS_OPTIONS = {"-N", "-j", "-o", "-J", "-q", "-P", "-l", "-r"}
AGE_OPTIONS = {"-N", "-j", "-o", "-t", "-g", "-l", "-r", "-S"}


def qsub(arguments: list[str]) -> str:
    *words, script = arguments
    pairs = list(zip(words[::2], words[1::2], strict=True))
    for name, value in pairs:
        if name not in (PBS_OPTIONS if IS_PBS else AGE_OPTIONS):
            sys.exit(f"qsub: illegal option {name} {value}")
    options = dict(pairs)
    if not re.match("[A-Za-z]", options["-N"]):
        sys.exit(f"qsub: illegal -N value {options['-N']}")
    number = sum(1 for _ in STATE.glob("*.job")) + 1
    tasks = _tasks(options.get("-J" if IS_PBS else "-t"))
    (STATE / f"{number}.job").write_text(json.dumps(options))
    for task in tasks:
        _start(number, task, script, options["-o"])
    if IS_PBS:
        return f"{number}[].server" if tasks != [None] else f"{number}.server"
    kind, span = ("job", "") if tasks == [None] else ("job-array", ".1-9:1")
    return f'Your {kind} {number}{span} ("{options["-N"]}") has been submitted'


def qstat(arguments: list[str]) -> str:
    assert arguments[0] == ("-t" if IS_PBS else "-u")
    alive = [path.stem for path in STATE.glob("*.pid") if is_alive(path)]
    if IS_PBS:
        names = [re.sub(r"_(\d+)", r"[\1]", stem) + ".server" for stem in alive]
        return json.dumps({"Jobs": {name: {"job_state": "R"} for name in names}})
    rows = [stem.partition("_") for stem in alive]
    return f"""<job_info><queue_info>{
        "".join(
            f"<job_list><JB_job_number>{number}</JB_job_number><state>r</state>"
            f"<tasks>{task}</tasks></job_list>"
            for number, _, task in rows
        )
    }</queue_info></job_info>"""


def qdel(numbers: list[str]) -> str:
    for path in STATE.glob("*.pid"):
        if path.stem.partition("_")[0] in numbers and is_alive(path):
            # Grid Engine kills, PBS asks first.
            group = int(path.read_text())
            os.killpg(group, signal.SIGTERM if IS_PBS else signal.SIGKILL)
    return ""


def _tasks(span: str | None) -> list[int | None]:
    if span is None:
        return [None]
    first, _, last = span.partition("-")
    assert int(last) > int(first), "an array of one task is refused"
    return list(range(int(first), int(last) + 1))


def _start(number: int, task: int | None, script: str, log: str) -> None:
    key = str(number) if task is None else f"{number}_{task}"
    if IS_PBS:
        brackets = "" if task is None else f"[{task}]"
        facts = {"PBS_JOBID": f"{number}{brackets}.server"}
        facts |= {} if task is None else {"PBS_ARRAY_INDEX": str(task)}
    else:
        facts = {"JOB_ID": str(number), "SGE_TASK_ID": str(task or "undefined")}
    with Path(log).open("a") as stream:
        process = subprocess.Popen(
            ["/bin/sh", script],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=Path.home(),  # as a login shell on a node
            env={**os.environ, **facts},
            start_new_session=True,
        )
    (STATE / f"{key}.pid").write_text(str(process.pid))


def is_alive(path: Path) -> bool:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{path.read_text()}/stat").read_text()
        return stat[stat.rindex(")") + 2] not in "ZX"
    return False


if __name__ == "__main__":
    action = {"qsub": qsub, "qstat": qstat, "qdel": qdel}[Path(sys.argv[0]).name]
    sys.stdout.write(f"{action(sys.argv[1:])}\n")
