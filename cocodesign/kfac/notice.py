"""Warnings that K-FAC gives once."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor


class FailureNotice:
    """Warn once of failed inverses, without waiting for an accelerator.

    On one, the answer travels to the host behind the computation and is looked at
    when the next one comes.
    """

    def __init__(self) -> None:
        self._said = False
        self._answer: Tensor | None = None
        self._arrival: torch.cuda.Event | None = None

    def note(self, failed: Tensor | None) -> None:
        """Take the newest answer; warn if a known one is bad."""
        if failed is None or self._said:
            return
        if failed.is_cuda:
            self._warn_if_failed()
            self._answer = failed.to("cpu", non_blocking=True)
            self._arrival = torch.cuda.Event()
            self._arrival.record()
        else:
            self._answer = failed
            self._warn_if_failed()

    def _warn_if_failed(self) -> None:
        if self._answer is None or (self._arrival and not self._arrival.query()):
            return
        if self._answer:
            self._said = True
            warnings.warn(
                "K-FAC: a factor was not positive definite at this damping; its layer "
                "keeps the old inverse and is damped 10 times more from now on. A "
                "larger damping avoids this. Further failures are not reported.",
                stacklevel=6,
            )


def warn_of_uncovered(names: Sequence[str]) -> None:
    """Name the parameters that get the plain gradient, if there are any."""
    if names:
        warnings.warn(
            f"K-FAC gives the plain gradient to {', '.join(names)}: these parameters "
            "belong to modules that it does not know, or are shared in a way that it "
            "cannot describe",
            stacklevel=3,
        )


def warn_of_no_pass() -> None:
    """Say that the first refresh had nothing to look at."""
    warnings.warn(
        "K-FAC saw no pass of the model before its first step, which is that of SGD "
        "therefore: is the model in training mode, and was the optimizer built before "
        "the first call of a compiled model?",
        stacklevel=5,
    )
