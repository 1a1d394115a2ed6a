from pathlib import Path

import pytest

from cocodesign.training.__main__ import parse_job
from cocodesign.training.job import TrainingJob, launch_training


def test_arguments_bring_the_job_to_another_process() -> None:
    job = TrainingJob(
        dataset="synthetic",
        optimizer="sgd",
        num_steps=7,
        learning_rate=1e-3,
        checkpoint="a folder/with spaces.pt",
    )
    assert parse_job(job.to_arguments()) == job
    assert parse_job([]) == TrainingJob()


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_steps", 0), ("mini_batch_size", -1), ("checkpoint_interval", 0)],
)
def test_refuses_numbers_below_one(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
        TrainingJob(**{name: value})


def test_refuses_unknown_names_on_the_command_line() -> None:
    with pytest.raises(Exception, match="optimizer"):
        parse_job(["--optimizer=adam"])
    with pytest.raises(ValueError, match=r"limit_s must be positive, got 0\.0"):
        parse_job(["--limit-s=0"])


def test_refuses_ranks_that_cannot_share_the_mini_batch(tmp_path: Path) -> None:
    job = TrainingJob(mini_batch_size=512)
    with pytest.raises(ValueError, match="512 cannot be shared equally by 3 ranks"):
        launch_training(job, world_size=3, limit_s=60, log_dir=tmp_path)
