"""K-FAC as an optimizer that replaces SGD in an ordinary loop."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, overload

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from cocodesign.collectives import Communicator, local_communicator
from cocodesign.kfac.blocks import CurvatureBlock, WeightSharing
from cocodesign.kfac.descent import check_group, clip_, move_
from cocodesign.kfac.division import Division
from cocodesign.kfac.estimation import Estimation
from cocodesign.kfac.notice import FailureNotice, warn_of_no_pass, warn_of_uncovered
from cocodesign.kfac.observation import Observer
from cocodesign.kfac.preconditioner import Preconditioner
from cocodesign.kfac.sampling import FisherType, Loss, exact_vectors, sampled_vectors
from cocodesign.kfac.schedule import FixedInterval, Pace, StaleSchedule
from cocodesign.seeding import random_stream, stream_seed


class KFAC(Optimizer):
    r"""Natural-gradient descent with Kronecker-factored Fisher blocks.

    One step on a layer with weight ``W`` (bias as its last column) is

    .. math::
        D = (G + \pi^{-1}\sqrt\lambda I)^{-1} \nabla W (A + \pi\sqrt\lambda I)^{-1},
        \quad V \leftarrow m V + D + w W, \quad W \leftarrow W - \eta V

    with learning rate η, momentum m and weight decay w as in ``torch.optim.SGD``,
    which it equals up to the scale 1/λ as the damping grows. D is shortened where
    the step would change the network's predictions too much (``kl_clip``).

    **Covered** are linear layers, convolutions of all kinds (in groups, transposed),
    embeddings, multi-head attention, LSTM, GRU and plain recurrent layers by Kronecker
    products; batch, layer, group, instance and RMS normalisation feature by feature;
    each also if its parameters are shared with others of its kind. All other trainable
    parameters get the plain gradient; one warning names them. So does a covered layer
    until its first refresh. Attention and recurrent layers compute refresh steps from
    their defining equations instead of a fused kernel: equal up to rounding.

    **Which passes count.** Those that run while the model is in training mode, with
    gradients, on the steps that refresh something; several backward passes before one
    step add up. ``zero_grad`` drops what was collected. The first axis of a layer's
    input counts the examples (the second inside ``torch.nn``'s transformer layers that
    are not ``batch_first``). A use of a weight without its module, such as
    ``F.linear(x, embedding.weight)``, is not seen.

    **Numerics.** If an inverse fails because the damping is too small for the
    precision, the layer keeps its old inverse and is damped ten times more from then
    on; a warning says so once. Statistics that are not finite are left out. A loss that
    is not finite gives weights that are not finite, as with SGD. No step makes the host
    wait for the device, but for one transfer on each step that refreshes anything under
    a ``StaleSchedule``. ``state_dict`` holds everything, so that training resumes to
    the bit in the middle of an interval.

    Sources: Martens & Grosse (2015), arXiv:1503.05671; Grosse & Martens (2016),
    arXiv:1602.01407; empirical Fisher, stale statistics and unit-wise blocks as in
    Osawa et al. (2020), arXiv:2002.06015. Difference: averages are bias-corrected.

    Args:
        model: The network to train, with frozen parameters frozen already. Of a
            compiled model, build the optimizer before its first call.
        params: Parameters or parameter groups, all of them of ``model``; a group may
            set its own ``lr``, ``momentum``, ``damping`` and ``weight_decay``, and a
            schedule may change them from step to step. ``None`` means all trainable
            parameters in one group.
        lr: Learning rate η ≥ 0.
        momentum: m in [0, 1).
        damping: λ > 0, in the units of a squared gradient of one example's loss.
            It means the same at every batch size.
        fisher_type: How G is estimated. ``"empirical"`` takes the labels of the data
            and no further backward pass; ``"monte_carlo"`` draws labels from the
            predictions, one backward pass more on a refresh step; ``"exact"`` takes the
            expectation over labels, one pass more per class. The last two need
            ``observe`` in the loop.
        weight_sharing: How the positions that share a weight become a Kronecker
            product: ``"expand"`` takes them for independent, ``"reduce"`` averages
            inputs and sums gradients over them first. Embeddings are always expanded.
        kl_clip: κ > 0. All preconditioned gradients are multiplied by one number
            ``min(1, √(κ / Σ η² D·∇W))``. As ``D·∇W = Dᵀ(F + λI)D``, this bounds the
            Kullback-Leibler divergence of the predictions before and after a step
            (without momentum) by κ/2, to second order. ``None`` sets no bound. It is
            meant for the early steps, whose curvature is outdated at once. Source:
            Wu et al. (2017), arXiv:1708.05144, on step-size selection; here with
            ``D·∇W`` for ``DᵀFD``, which is free.
        ema_decay: Weight of the old averages in [0, 1), per refresh.
        factor_interval: Steps ≥ 1 between refreshes of A, G and their inverses, which
            also happen at the steps 0, 1, 2, 4, 8 … before the first interval has
            passed; or a ``StaleSchedule``, by which every statistic finds its own.
        num_factor_examples: How many examples ≥ 1 of each mini-batch A and G are
            estimated from, the first ones; ``None`` takes all. The cost of a refresh
            grows with them.
        weight_decay: w ≥ 0, added after preconditioning.
        loss_reduction: Whether the loss is the mean or the sum over the examples.
        generator: Draws the labels of ``"monte_carlo"``, on the model's device; its
            state is part of ``state_dict``. ``None`` makes one with a fixed seed.
        grad_scaler: The scaler of the loss, if there is one: the statistics are divided
            by its scale, which the gradients are not before ``scaler.step``.
        communicator: The ranks, each with an equal share of the mini-batch; ``None``
            means this process alone. The step is that of one rank with all examples;
            all ranks make it together, as they call ``state_dict`` together. Gradients
            are averaged here, unless the model is a ``DistributedDataParallel``, which
            does it. Batch normalisation sees shares only.
        num_workers: How many ranks hold the inverses of each block, a divisor of their
            number: with all (``None``) no direction is sent, 1 needs the least memory.
            KAISA (Pauloski et al. 2021, arXiv:2107.01739) calls them COMM-OPT and
            MEM-OPT, and what is between HYBRID-OPT.

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
        fisher_type: FisherType = "empirical",
        weight_sharing: WeightSharing = "expand",
        kl_clip: float | None = 1e-3,
        ema_decay: float = 0.5,
        factor_interval: int | StaleSchedule = 10,
        num_factor_examples: int | None = None,
        weight_decay: float = 0.0,
        loss_reduction: Literal["mean", "sum"] = "mean",
        generator: torch.Generator | None = None,
        grad_scaler: GradScaler | None = None,
        communicator: Communicator | None = None,
        num_workers: int | None = None,
    ) -> None:
        self._communicator = communicator or local_communicator()
        self._num_workers = num_workers
        self._averages = not isinstance(model, DistributedDataParallel)
        if isinstance(model, DistributedDataParallel):
            if loss_reduction == "sum":
                raise ValueError(
                    "DistributedDataParallel divides a sum over the examples by the "
                    "number of ranks: take loss_reduction='mean'"
                )
            model = model.module
        self._estimation = Estimation(
            fisher_type=fisher_type,
            weight_sharing=weight_sharing,
            kl_clip=kl_clip,
            ema_decay=ema_decay,
            schedule=FixedInterval(factor_interval)
            if isinstance(factor_interval, int)
            else factor_interval,
            num_factor_examples=num_factor_examples,
            loss_reduction=loss_reduction,
        )
        trainable = [p for p in model.parameters() if p.requires_grad]
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "damping": damping,
            "weight_decay": weight_decay,
        }
        if generator is None:
            # Ranks see different examples, and draw different labels for them.
            rank = self._communicator.rank
            stream = f"fisher/{rank}" if rank else "fisher"
            generator = random_stream(0, stream, next(model.parameters()).device)
        self._generator, self._grad_scaler = generator, grad_scaler
        uncovered = self._start(
            model, trainable if params is None else params, defaults
        )
        warn_of_uncovered(uncovered)

    @property
    def num_steps(self) -> int:
        """How many steps were made."""
        return self._num_steps

    @property
    def blocks(self) -> Mapping[str, CurvatureBlock]:
        """What was learned of each layer, by the name of its weight; to look at."""
        return self._preconditioner.blocks

    @property
    def paces(self) -> dict[str, Pace]:
        """When each statistic is refreshed, by its name.

        A name is that of a parameter and of the statistic: ``"conv.weight/A"``, ``/G``,
        or ``/F`` for a unit-wise block. Those with ``pace.is_due(optimizer.num_steps)``
        are refreshed by the next step.
        """
        return {name: each.pace for name, each in self._preconditioner.statistics()}

    @property
    def skipped_fraction(self) -> float:
        """Which part of the refreshes of an interval of 1 was saved, in [0, 1]."""
        paces = self.paces.values()
        if not paces or not self._num_steps:
            return 0.0
        num_refreshes = sum(pace.num_refreshes for pace in paces)
        return 1 - num_refreshes / (self._num_steps * len(paces))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters of the model, with their own settings.

        Parameters that were frozen before are covered from now on.

        Args:
            param_group: ``params`` and any of ``lr``, ``momentum``, ``damping`` and
                ``weight_decay``.

        Raises:
            ValueError: If a setting is out of its range or a parameter is foreign.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        check_group(group)
        if not set(self._model.parameters()).issuperset(group["params"]):
            raise ValueError("KFAC can only train parameters of the model it was given")
        warn_of_uncovered(self._preconditioner.cover_unfrozen())
        self._set_num_steps(self._num_steps)

    def observe(
        self, scores: Float[Tensor, "batch ..."], loss: Loss = "cross_entropy"
    ) -> None:
        """Collect the Fisher of the predictions; call it before ``loss.backward()``.

        On a step that refreshes statistics this backpropagates sampled or exact
        vectors; on any other, and for the empirical Fisher, it does nothing. With
        gradient accumulation it belongs after every forward pass.

        Args:
            scores: What the loss is computed from, with the graph of its forward pass;
                classes along axis 1.
            loss: ``torch.nn.functional.cross_entropy``, the labels of which may be
                soft, or ``mse_loss``.

        Raises:
            ValueError: If the exact Fisher is asked of scores with positions.
        """
        kind, is_mean = self._estimation.fisher_type, self._estimation.is_mean
        if kind == "empirical" or not self._observer.is_on:
            return
        if kind == "exact":
            self._num_vectors = scores[0].numel()
            vectors = exact_vectors(scores, loss, mean_loss=is_mean)
        else:
            drawn = sampled_vectors(scores, loss, self._generator, mean_loss=is_mean)
            vectors = iter((drawn,))
        self._observer.backpropagate(scores, vectors)

    @torch.no_grad()
    def mark_half(self) -> None:
        """Keep the first half's gradient; project that of the second onto it.

        Called between the backward passes of two halves of a mini-batch, whose
        gradients add up as for gradient accumulation, this turns the next step into one
        of Fisher-orthogonal projection: what distinguishes the halves is used where it
        says something that their mean does not (``cocodesign.kfac.projection``)::

            (loss(first_half) / 2).backward()
            optimizer.mark_half()
            (loss(second_half) / 2).backward()
            optimizer.step()
        """
        self._half = {
            parameter: parameter.grad.clone()
            for parameter in self._all_parameters()
            if parameter.grad is not None
        }

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

        Raises:
            RuntimeError: If statistics are due that need ``observe``, and it was not
                called.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if self._observer.has_unobserved:
            raise RuntimeError(
                f"fisher_type={self._estimation.fisher_type!r} needs the predictions: "
                "call optimizer.observe(scores) between the forward pass and "
                "loss.backward(); it does nothing on steps that refresh nothing"
            )
        if self._averages:
            self._average_gradients()
        if self._observer.is_on:
            self._refresh()
        directions = self._directions()
        for group in self.param_groups:
            move_(group, directions, self.state)
        self._half = {}
        self._set_num_steps(self._num_steps + 1)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 (torch)
        """Reset the gradients and drop the statistics collected since the last step.

        Args:
            set_to_none: Whether gradients become ``None`` instead of zeros.
        """
        super().zero_grad(set_to_none)
        self._observer.forget()
        self._half = {}

    def state_dict(self) -> dict[str, Any]:
        """Return momentum, statistics, inverses, paces and the generator's state."""
        return {
            **super().state_dict(),
            "num_steps": self._num_steps,
            "blocks": self._preconditioner.state_dict(),
            "generator": self._division.gathered(self._generator.get_state()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where another optimizer of an equal model stood.

        Args:
            state_dict: What ``state_dict`` gave.

        Raises:
            ValueError: If it is not from ``KFAC`` or the parameters do not match.
        """
        if "num_steps" not in state_dict or "blocks" not in state_dict:
            raise ValueError("this state_dict is not from KFAC: it has no 'blocks'")
        self._preconditioner.load_state_dict(state_dict["blocks"])
        super().load_state_dict(state_dict)
        self._set_generator(state_dict["generator"].cpu(), state_dict["num_steps"])
        self._observer.forget()
        self._set_num_steps(state_dict["num_steps"])

    def _set_generator(
        self, states: UInt8[Tensor, "ranks numbers"], num_steps: int
    ) -> None:
        """Go on with this rank's generator; a rank that is new begins another one."""
        rank = self._communicator.rank
        if rank < len(states):
            self._generator.set_state(states[rank].clone())  # a view would crash it
        else:
            self._generator.manual_seed(stream_seed(num_steps, f"fisher/{rank}"))

    def __deepcopy__(self, memo: dict[int, Any]) -> "KFAC":
        """Return a twin that trains the copy of the model; copy both in one call."""
        twin = KFAC.__new__(KFAC)
        memo[id(self)] = twin
        twin._estimation = self._estimation
        twin._communicator, twin._averages = self._communicator, self._averages
        twin._num_workers = self._num_workers
        twin._generator = self._generator.clone_state()
        twin._grad_scaler = copy.deepcopy(self._grad_scaler, memo)
        model = copy.deepcopy(self._model, memo)
        twin._start(model, copy.deepcopy(self.param_groups, memo), self.defaults)
        twin.load_state_dict(copy.deepcopy(self.state_dict()))
        return twin

    def _start(
        self,
        model: nn.Module,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        defaults: dict[str, Any],
    ) -> list[str]:
        """Set up what is bound to one model; return the names that are not covered."""
        self._model = model
        self._observer = Observer(
            model,
            num_factor_examples=self._estimation.num_factor_examples,
            is_empirical=self._estimation.is_empirical,
        )
        device = next(model.parameters()).device
        self._division = Division(self._communicator, self._num_workers, device)
        self._preconditioner = Preconditioner(
            model, self._observer, self._estimation.weight_sharing, self._division
        )
        self._num_steps = 0
        self._num_vectors = 1
        self._half: dict[Tensor, Tensor] = {}
        self._failures = FailureNotice()
        uncovered = self._preconditioner.cover_unfrozen()
        super().__init__(params, defaults)
        return uncovered

    def _set_num_steps(self, num_steps: int) -> None:
        self._num_steps = num_steps
        self._preconditioner.plan(num_steps, set(self._all_parameters()))

    def _all_parameters(self) -> Iterator[Tensor]:
        for group in self.param_groups:
            yield from group["params"]

    def _refresh(self) -> None:
        dampings = {
            parameter: group["damping"]
            for group in self.param_groups
            for parameter in group["params"]
        }
        failed = self._preconditioner.refresh(
            dampings,
            step=self._num_steps,
            schedule=self._estimation.schedule,
            ema_decay=self._estimation.ema_decay,
            rescale=self._rescale,
        )
        self._failures.note(failed)
        blocks = self.blocks.values()
        if self._num_steps == 0 and blocks and not any(b.is_ready for b in blocks):
            warn_of_no_pass()

    def _average_gradients(self) -> None:
        """Make the gradients those of all ranks, where the model has not done it."""
        gradients = [each.grad for each in self._all_parameters()]
        known = [each for each in gradients if each is not None]
        self._division.average_gradients_(
            [*known, *self._half.values()], divides=self._estimation.is_mean
        )

    def _rescale(self, num_examples: int) -> float | Tensor:
        """Return what makes squared gradients those of single examples' losses."""
        if not self._estimation.is_empirical:
            return float(self._num_vectors)
        divisor = num_examples if self._estimation.is_mean else 1
        return divisor**2 / self._loss_scale() ** 2

    def _loss_scale(self) -> float | Tensor:
        """Return what the loss was multiplied with, still on the device."""
        if self._grad_scaler is None:
            return 1.0
        device = next(self._all_parameters()).device
        return self._grad_scaler.scale(torch.ones((), device=device))

    def _directions(self) -> dict[Tensor, Tensor]:
        """Return the preconditioned gradients, no longer than ``kl_clip`` allows."""
        directions = self._preconditioner.directions(
            _gradient, self._half_difference if self._half else None
        )
        if self._estimation.kl_clip is not None and directions:
            clip_(directions, self.param_groups, self._estimation.kl_clip)
        return directions

    def _half_difference(self, parameter: Tensor) -> Tensor | None:
        """Return half the difference between the two halves' gradients."""
        if parameter.grad is None:
            return None
        half = self._half.get(parameter)
        return -parameter.grad if half is None else 2 * half - parameter.grad


def _gradient(parameter: Tensor) -> Tensor | None:
    return parameter.grad
