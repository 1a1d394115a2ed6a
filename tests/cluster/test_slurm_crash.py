"""A crash of Slurm's daemons; a Slurm of its own, since it may leave a GPU taken."""

import pytest

from benchmarks.local_slurm import LocalSlurm
from tests.cluster.clone import LONG_WORK, PATIENCE_S, Clone, processes_in, until

pytestmark = [pytest.mark.slow]


def test_a_crash_of_the_daemons_loses_no_run_and_does_none_twice(
    clone: Clone, slurm: LocalSlurm
) -> None:
    clone.add_notebook("11_first", LONG_WORK)
    process = clone.start("reproduce", "--profile", "smoke", "--cluster", "slurm")
    run = clone.root / "runs" / "11_first-smoke"
    until((run / "begun").exists)
    slurm.kill("slurmctld")
    slurm.kill("slurmd")
    slurm.start("slurmctld")
    slurm.start("slurmd")
    # Slurm may have forgotten the job and kill it, or start it a second time.
    slurm.recover()
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output + clone.log()
    # Its table may show a job for minutes that the crash ended: processes do not lie.
    until(lambda: not processes_in(clone.root))
    assert (run / "ends").read_text() == "x"
    assert (run / "record.json").exists()
