"""K-FAC as an optimizer that replaces SGD in an ordinary loop."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cocodesign.kfac.preconditioner import Preconditioner


class KFAC(Optimizer):
    r"""Natural-gradient descent with Kronecker-factored Fisher blocks.

    One step on a layer with weight ``W`` (bias as its last column) is

    .. math::
        D = (G + \pi^{-1}\sqrt\lambda I)^{-1} \nabla W (A + \pi\sqrt\lambda I)^{-1},
        \quad V \leftarrow m V + D + w W, \quad W \leftarrow W - \eta V

    with learning rate η, momentum m and weight decay w as in ``torch.optim.SGD``,
    which it equals up to the scale 1/λ as the damping grows. D is shortened where
    the step would change the network's predictions too much (``kl_clip``). Covered are
    linear layers, two-dimensional convolutions in one group and batch normalisation
    (unit-wise). All other trainable parameters, and those shared by several modules,
    get the plain gradient; one warning names them. So does a covered layer until its
    first refresh.

    Sources: Martens & Grosse (2015), arXiv:1503.05671; Grosse & Martens (2016),
    arXiv:1602.01407; empirical Fisher, stale statistics and unit-wise blocks as in
    Osawa et al. (2020), arXiv:2002.06015. Differences: factors are refreshed at a fixed
    interval instead of an adaptive one, but at the steps 0, 1, 2, 4, 8 … before it, as
    the first curvature is outdated soonest; averages are bias-corrected.

    If an inverse fails because the damping is too small for the precision, the layer
    keeps its old inverse and is damped ten times more from then on; a warning says so
    once. Statistics that are not finite are left out. No step makes the host wait for
    the device. The weights of the loss and the model's parameters are the caller's:
    a loss that is not finite gives weights that are not finite, as with SGD.

    Passes count that run while the model is in training mode, with gradients, on the
    steps that refresh the factors; several backward passes before one step add up.
    ``zero_grad`` drops what was collected. ``state_dict`` holds everything, so that
    training resumes to the bit in the middle of an interval.

    Args:
        model: The network to train, with frozen parameters frozen already.
        params: Parameters or parameter groups, all of them of ``model``; a group may
            set its own ``lr``, ``momentum``, ``damping`` and ``weight_decay``. ``None``
            means all trainable parameters in one group.
        lr: Learning rate η ≥ 0.
        momentum: m in [0, 1).
        damping: λ > 0, in the units of a squared gradient of one example's loss.
            It means the same at every batch size.
        fisher_type: How G is estimated; ``"empirical"`` takes the labels of the data
            and no further backward pass.
        kl_clip: κ > 0. All preconditioned gradients are multiplied by one number
            ``min(1, √(κ / Σ η² D·∇W))``. As ``D·∇W = Dᵀ(F + λI)D``, this bounds the
            Kullback-Leibler divergence of the predictions before and after a step
            (without momentum) by κ/2, to second order. ``None`` sets no bound. It is
            meant for the early steps, whose curvature is outdated at once. Source:
            Wu et al. (2017), arXiv:1708.05144, on step-size selection; here with
            ``D·∇W`` for ``DᵀFD``, which is free.
        ema_decay: Weight of the old averages in [0, 1), per refresh.
        factor_interval: Steps ≥ 1 between refreshes of A, G and their inverses.
        num_factor_examples: How many examples ≥ 1 of each mini-batch A and G are
            estimated from, the first ones; ``None`` takes all. The cost of a refresh
            grows with them.
        weight_decay: w ≥ 0, added after preconditioning.
        loss_reduction: Whether the loss is the mean or the sum over the examples.

    Raises:
        ValueError: If a value is out of its range or a parameter is foreign.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> optimizer = KFAC(model, lr=0.1, damping=0.01)
        >>> optimizer.zero_grad()
        >>> model(torch.ones(4, 2)).square().mean().backward()
        >>> optimizer.step()
    """

    def __init__(  # noqa: PLR0913 (the signature of an optimizer)
        self,
        model: nn.Module,
        params: Iterable[Tensor] | Iterable[dict[str, Any]] | None = None,
        *,
        lr: float = 0.1,
        momentum: float = 0.9,
        damping: float = 1e-3,
        fisher_type: Literal["empirical"] = "empirical",
        kl_clip: float | None = 1e-3,
        ema_decay: float = 0.5,
        factor_interval: int = 10,
        num_factor_examples: int | None = None,
        weight_decay: float = 0.0,
        loss_reduction: Literal["mean", "sum"] = "mean",
    ) -> None:
        if fisher_type != "empirical":
            raise ValueError(f"fisher_type must be 'empirical', got {fisher_type!r}")
        if loss_reduction not in ("mean", "sum"):
            raise ValueError(
                f"loss_reduction must be 'mean' or 'sum', got {loss_reduction!r}"
            )
        if not 0 <= ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), got {ema_decay}")
        if factor_interval < 1:
            raise ValueError(
                f"factor_interval must be at least 1, got {factor_interval}"
            )
        if num_factor_examples is not None and num_factor_examples < 1:
            raise ValueError(
                f"num_factor_examples must be at least 1, got {num_factor_examples}"
            )
        if kl_clip is not None and not kl_clip > 0:
            raise ValueError(f"kl_clip must be positive or None, got {kl_clip}")
        self._model_parameters = set(model.parameters())
        trainable = [p for p in model.parameters() if p.requires_grad]
        super().__init__(
            trainable if params is None else params,
            {
                "lr": lr,
                "momentum": momentum,
                "damping": damping,
                "weight_decay": weight_decay,
            },
        )
        self._ema_decay = ema_decay
        self._factor_interval = factor_interval
        self._kl_clip = kl_clip
        self._mean_loss = loss_reduction == "mean"
        self._num_steps = 0
        self._preconditioner = Preconditioner(model, num_factor_examples)
        self._failures = _FailureNotice()
        _warn_of_uncovered(self._preconditioner.uncovered_names())

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters of the model, with their own settings.

        Args:
            param_group: ``params`` and any of ``lr``, ``momentum``, ``damping`` and
                ``weight_decay``.

        Raises:
            ValueError: If a setting is out of its range or a parameter is foreign.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for name, lowest, described in (
            ("lr", 0.0, "at least 0"),
            ("momentum", 0.0, "in [0, 1)"),
            ("weight_decay", 0.0, "at least 0"),
        ):
            if not group[name] >= lowest:
                raise ValueError(f"{name} must be {described}, got {group[name]}")
        if group["momentum"] >= 1:
            raise ValueError(f"momentum must be in [0, 1), got {group['momentum']}")
        if not group["damping"] > 0:
            raise ValueError(
                f"damping must be positive, got {group['damping']}: without it a "
                "factor of fewer examples than features has no inverse"
            )
        if not self._model_parameters.issuperset(group["params"]):
            raise ValueError("KFAC can only train parameters of the model it was given")

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Refresh what is due and move the parameters that have a gradient.

        Args:
            closure: Evaluates the model and returns the loss, as for any optimizer.

        Returns:
            What ``closure`` returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._refresh()
        directions = self._directions()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    direction = directions.get(parameter)
                    if direction is None:
                        direction = parameter.grad
                    self._move(parameter, direction, group)
        self._set_num_steps(self._num_steps + 1)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 (torch)
        """Reset the gradients and drop the statistics collected since the last step.

        Args:
            set_to_none: Whether gradients become ``None`` instead of zeros.
        """
        super().zero_grad(set_to_none)
        self._preconditioner.forget()

    def state_dict(self) -> dict[str, Any]:
        """Return momentum, factors, inverses and the place in the interval."""
        return {**super().state_dict(), "num_steps": self._num_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where another optimizer of an equal model stood.

        Args:
            state_dict: What ``state_dict`` gave.

        Raises:
            ValueError: If it is not from ``KFAC`` or the parameters do not match.
        """
        if "num_steps" not in state_dict:
            raise ValueError("this state_dict is not from KFAC: it has no 'num_steps'")
        super().load_state_dict(state_dict)
        self._preconditioner.forget()
        self._set_num_steps(state_dict["num_steps"])

    def _set_num_steps(self, num_steps: int) -> None:
        self._num_steps = num_steps
        self._preconditioner.collecting = _is_due(num_steps, self._factor_interval)

    def _refresh(self) -> None:
        if not self._preconditioner.collecting:
            return
        dampings = {
            parameter: group["damping"]
            for group in self.param_groups
            for parameter in group["params"]
        }
        self._failures.note(
            self._preconditioner.refresh(
                self.state,
                dampings,
                ema_decay=self._ema_decay,
                mean_loss=self._mean_loss,
            )
        )

    def _directions(self) -> dict[Tensor, Tensor]:
        """Return the preconditioned gradients, no longer than ``kl_clip`` allows."""
        directions = self._preconditioner.directions(self.state)
        if self._kl_clip is None or not directions:
            return directions
        changes = [
            group["lr"] ** 2 * torch.sum(directions[parameter] * parameter.grad)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter in directions
        ]
        change = torch.stack(changes).sum().abs()  # below 0 only by rounding
        scale = (self._kl_clip / change).sqrt().clamp(max=1.0)
        return {key: direction * scale for key, direction in directions.items()}

    def _move(
        self, parameter: Tensor, direction: Tensor, group: dict[str, Any]
    ) -> None:
        if group["weight_decay"]:
            direction = direction.add(parameter, alpha=group["weight_decay"])
        if group["momentum"]:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = direction.clone()
            else:
                state["momentum_buffer"].mul_(group["momentum"]).add_(direction)
            direction = state["momentum_buffer"]
        parameter.add_(direction, alpha=-group["lr"])


class _FailureNotice:
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


def _is_due(num_steps: int, interval: int) -> bool:
    """Say whether the step after ``num_steps`` steps refreshes the statistics."""
    if num_steps < interval:
        return num_steps & (num_steps - 1) == 0  # 0, 1, 2, 4, 8 …
    return num_steps % interval == 0


def _warn_of_uncovered(names: list[str]) -> None:
    if names:
        warnings.warn(
            f"K-FAC gives the plain gradient to {', '.join(names)}: these parameters "
            "are shared, or not those of a Linear, Conv2d (groups=1) or BatchNorm",
            stacklevel=3,
        )
