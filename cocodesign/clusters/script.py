# pyright: strict
"""The script that a scheduler runs: a command, and a note of how it ended.

Schedulers forget ended jobs, sooner (PBS) or later (Slurm), and tell their state late.
So a job itself notes its exit status, in one step, in a file named by its key. The note
of a failure is removed when the job begins, since a job that is preempted begins again;
one of a success makes it end at once, since a scheduler that lost its memory may start
a job that has long been done. The note holds the submission's token as well, because a
scheduler that is set up anew counts its jobs from 1 again.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from cocodesign.clusters.scheduler import Scheduler

STOPPED = 143
"""What a job notes that failed because it was asked to stop: it may begin again."""

# A shell that is asked to stop would end at once, and the scheduler then kills what is
# left of the job; with a trap it waits for the runner, which saves its notebook first.
# Its status then tells that it was stopped, whatever its command makes of the signal.
_SCRIPT = """\
#!/bin/sh
{exports}cd {folder} || exit 1
{setup}key="{key}"
export COCODESIGN_TASK="{task}"
note={notes}/"$key"
mkdir -p {notes}
[ "$(cat "$note" 2>/dev/null)" = "0 {token}" ] && exit 0
rm -f "$note"
trap 'stopped=143' TERM
{command}
status=$?
[ "$status" = 0 ] || status=${{stopped:-$status}}
echo "$status {token}" > "$note.part" && mv "$note.part" "$note"
exit "$status"
"""


def job_script(
    scheduler: Scheduler,
    command: str,
    *,
    folder: Path,
    notes: Path,
    token: str,
    prefix: Sequence[str] = (),
    environment: dict[str, str] | None = None,
) -> str:
    """Return the text of a job's script.

    Args:
        scheduler: The dialect.
        command: Shell code to run. In an array it finds its task's number, from 1, in
            ``$COCODESIGN_TASK``.
        folder: Where it runs, on a file system that all nodes share.
        notes: The folder of the notes on ended jobs, on such a one.
        token: Identifier of the submission.
        prefix: Put before the command, such as a container's start.
        environment: Variables to set.

    Returns:
        The text of a POSIX shell script.
    """
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in sorted((environment or {}).items())
    )
    return _SCRIPT.format(
        exports=exports,
        setup=scheduler.setup,
        token=token,
        folder=shlex.quote(str(folder)),
        notes=shlex.quote(str(notes)),
        key=scheduler.job_key,
        task=f"${{{scheduler.task_variable}:-1}}",
        command=shlex.join([*prefix, "/bin/sh", "-c", command]),
    )
