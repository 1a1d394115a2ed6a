"""A rank that dies or hangs ends the job in time, and is named."""

import time
from pathlib import Path

import pytest

from cocodesign.collectives.launching import launch_ranks
from cocodesign.errors import RankFailedError

PROGRAM = str(Path(__file__).parent / "rank_program.py")

# Imports of torch by all processes and torchrun's own start, on a busy machine.
SLACK_S = 30.0


@pytest.mark.distributed
@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "cause"),
    [
        ("die", "rank 1 was killed by SIGKILL"),
        ("raise", "rank 1 failed: ArithmeticError: rank 1 divided by zero"),
        ("hang", r"rank 1 died or gave no sign for 3 s"),
    ],
)
def test_names_the_rank_that_failed_and_why(
    task: str, cause: str, tmp_path: Path
) -> None:
    started_s = time.monotonic()
    with pytest.raises(RankFailedError, match=cause) as caught:
        launch_ranks(
            [PROGRAM, task, str(tmp_path)], world_size=3, limit_s=120, log_dir=tmp_path
        )
    assert str(tmp_path) in str(caught.value)
    assert time.monotonic() - started_s < SLACK_S + 10


@pytest.mark.distributed
@pytest.mark.slow
def test_ends_ranks_that_all_hang_and_tells_what_they_said(tmp_path: Path) -> None:
    said: list[tuple[int, str]] = []
    started_s = time.monotonic()
    with pytest.raises(RankFailedError, match="did not end within 15 s") as caught:
        launch_ranks(
            [PROGRAM, "sleep", str(tmp_path)],
            world_size=2,
            limit_s=15,
            log_dir=tmp_path,
            report=lambda rank, line: said.append((rank, line)),
        )
    assert time.monotonic() - started_s < SLACK_S
    assert sorted(said) == [(0, "rank 0 is here"), (1, "rank 1 is here")]
    assert "rank 1 last said 'rank 1 is here'" in str(caught.value)


@pytest.mark.distributed
@pytest.mark.slow
def test_says_what_kept_torchrun_from_starting(tmp_path: Path) -> None:
    with pytest.raises(RankFailedError, match="rank 0 ended with status 2"):
        launch_ranks(
            [str(tmp_path / "absent.py")], world_size=1, limit_s=60, log_dir=tmp_path
        )


def test_refuses_no_ranks_and_no_time(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got 0 and 5\.0"):
        launch_ranks(["x.py"], world_size=0, limit_s=5.0, log_dir=tmp_path)
    with pytest.raises(ValueError, match="got 2 and 0"):
        launch_ranks(["x.py"], world_size=2, limit_s=0, log_dir=tmp_path)
