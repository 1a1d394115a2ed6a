"""Joining an attempt that another process makes of the same run.

A batch scheduler that lost its memory starts a job again while the first one lives.
The second then waits for the first, and shares its record or takes its place.
"""

import time
from pathlib import Path

from cocodesign.errors import RunStoppedError
from cocodesign.results import RECORD_NAME, RunContext, RunRecord, read_record
from cocodesign.runner.lease import read_lease
from cocodesign.runner.stopping import StopRequests

_LOOK_S = 0.5


def wait_for_record(
    run_dir: Path, context: RunContext, stops: StopRequests
) -> RunRecord | None:
    """Wait while another attempt holds a run folder.

    Args:
        run_dir: The run folder.
        context: The run that is wanted.
        stops: Requests to stop waiting.

    Returns:
        The record of that attempt if it finished and was of this very run, else
        ``None``: it is time to try to take its place.

    Raises:
        RunStoppedError: If asked to stop.
    """
    lease = read_lease(run_dir)
    while lease is not None and lease.is_alive():
        if stops.reasons:
            reason = stops.reasons[0]
            raise RunStoppedError(
                f"stopped while another attempt was running in {run_dir}",
                None if isinstance(reason, str) else reason,
            )
        time.sleep(_LOOK_S)
        lease = read_lease(run_dir)
    has_record = (run_dir / RECORD_NAME).exists()
    if lease is None or lease.outcome != "finished" or not has_record:
        return None
    if RunContext.read(run_dir) != context:
        return None
    return read_record(run_dir / RECORD_NAME)
