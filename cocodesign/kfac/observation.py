"""What the passes of a model show: hooks on its modules, and what they feed."""

import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from cocodesign.kfac.blocks import CurvatureBlock
from cocodesign.kfac.coverage import Feed, Feeds
from cocodesign.kfac.layers import attend, recur

# What of a block is due: names of its statistics.
Due = Mapping[CurvatureBlock, frozenset[str]]


class Observer:
    """Collects the inputs and gradients of the blocks that are due.

    Attributes:
        due: What is collected. While it is empty, a hook costs one comparison. Passes
            in evaluation mode or without gradients never count.
        is_on: Whether anything is due.

    Args:
        model: The model that is watched.
        num_factor_examples: How many examples of a pass are looked at, from the first
            on; ``None`` means all.
        is_empirical: Whether the gradients of the loss itself are collected, instead of
            those that ``backpropagate`` makes.
    """

    def __init__(
        self, model: nn.Module, *, num_factor_examples: int | None, is_empirical: bool
    ) -> None:
        self._model = model
        self._some = slice(num_factor_examples)
        self._is_empirical = is_empirical
        self._feeds: Feeds = {}
        self._unobserved: list[_Use] = []
        self._num_observations = 0
        self.watch_for({})
        self._handles: list[RemovableHandle] = []
        # The hooks go with the optimizer: the next one may train the same model.
        weakref.finalize(self, _remove, self._handles)

    @property
    def has_unobserved(self) -> bool:
        """Whether a pass of this step waits for ``backpropagate``."""
        return bool(self._unobserved)

    def feed(self, feeds: Feeds) -> None:
        """Watch these modules from now on, and no others.

        Args:
            feeds: What is fed by which module.
        """
        self._feeds = feeds
        _remove(self._handles)
        self._handles += [
            module.register_forward_hook(
                partial(_on_call, weakref.ref(self)), with_kwargs=True
            )
            for module in feeds
        ]

    def watch_for(self, due: Due) -> None:
        """Collect these statistics from now on, and no others.

        Args:
            due: What is due.
        """
        self.due = due
        self.is_on = bool(due)

    def forget(self) -> None:
        """Drop what was collected since the last step."""
        self._unobserved.clear()
        for block in self.due:
            block.forget()

    def look_at(
        self,
        module: nn.Module,
        positional: tuple[Any, ...],
        named: dict[str, Any],
        output: Any,
    ) -> Any:
        """Look at a module's call, if this pass counts.

        Args:
            module: What was called.
            positional: What it was called with.
            named: The same, for keyword arguments.
            output: What it returned.

        Returns:
            What it shall return instead; ``None`` changes nothing.
        """
        feeds = self._feeds.get(module, {})  # a copy of the model shares its hooks
        is_due = any(feed.block in self.due for each in feeds.values() for feed in each)
        if not (is_due and self._model.training and torch.is_grad_enabled()):
            return None
        taken_apart = _TAKEN_APART.get(type(module))
        if taken_apart is not None:

            def tap(weight: str, x: Tensor, output: Tensor, batch_dim: int) -> None:
                for feed in feeds.get(weight, ()):
                    self._watch(feed, x, output, batch_dim)

            return taken_apart(module, tap, *positional, **named)
        x = positional[0] if positional else named["input"]
        for feed in feeds[""]:
            batch_dim = feed.batch_dim if x.ndim >= feed.num_axes else None
            self._watch(feed, x, output, batch_dim)
        return None

    @torch.no_grad()
    def backpropagate(self, scores: Tensor, vectors: Iterator[Tensor]) -> None:
        """Collect what vectors at the scores become at every layer.

        Args:
            scores: The output of the forward pass; its graph is kept.
            vectors: Gradients with respect to the scores.
        """
        uses, self._unobserved = self._unobserved, []
        key = self._next_key()
        for use in uses:
            self._collect_input(use, key)
        uses = [use for use in uses if self.due[use.feed.block] - {"A"}]
        if not uses:
            return
        edges = [use.edge for use in uses if use.edge is not None]
        for vector in vectors:
            gradients = torch.autograd.grad(
                scores, edges, vector, retain_graph=True, allow_unused=True
            )
            for use, gradient in zip(uses, gradients, strict=True):
                if gradient is not None:
                    self._collect_gradient(use, key, gradient)
            key = self._next_key()

    def _watch(
        self, feed: Feed, x: Tensor, output: Tensor, batch_dim: int | None
    ) -> None:
        if feed.block not in self.due or not output.requires_grad:
            return
        x = x.detach()  # of the values only: autograd keeps them anyway
        if self._is_empirical:
            # A hook on the output tensor, unlike one on the module, survives an
            # in-place activation behind the layer: it is called for the value before.
            use = _Use(feed, x, batch_dim, None)
            output.register_hook(partial(self._collect, use))
        else:
            use = _Use(feed, x, batch_dim, get_gradient_edge(output))
            self._unobserved.append(use)

    @torch.no_grad()
    def _collect(self, use: "_Use", gradient: Tensor) -> None:
        if use.feed.block in self.due:  # else the step is over
            # One number per backward pass: a second use of a layer in the same pass
            # meets the same examples, the next micro-batch meets others.
            key = torch._C._current_graph_task_id()
            self._collect_input(use, key)
            self._collect_gradient(use, key, gradient)

    def _collect_input(self, use: "_Use", key: int) -> None:
        if not use.is_input_known and "A" in self.due[use.feed.block]:
            use.is_input_known = True
            x = use.examples(use.x)[self._some]
            use.feed.block.add_input(use.feed.source, key, x)

    def _collect_gradient(self, use: "_Use", key: int, gradient: Tensor) -> None:
        if self.due[use.feed.block] - {"A"}:
            x, gradient = use.examples(use.x), use.examples(gradient)
            use.feed.block.add_gradient(
                use.feed.source,
                key,
                x[self._some],
                gradient[self._some],
                num_passed=len(x),
            )

    def _next_key(self) -> int:
        self._num_observations += 1
        return self._num_observations


@dataclass(eq=False)
class _Use:
    """What was seen of one use of a weight in a forward pass."""

    feed: Feed
    x: Tensor
    batch_dim: int | None  # None: one example without a batch axis
    edge: GradientEdge | None
    is_input_known: bool = False

    def examples(self, values: Tensor) -> Tensor:
        """Return input or gradient with the examples along the first axis."""
        if self.batch_dim is None:
            return values.unsqueeze(0)
        return values.movedim(self.batch_dim, 0)


_TAKEN_APART: dict[type[nn.Module], Callable[..., Any]] = {
    nn.MultiheadAttention: attend,
    nn.LSTM: recur,
    nn.GRU: recur,
    nn.RNN: recur,
}


def _on_call(
    owner: "weakref.ref[Observer]",
    module: nn.Module,
    positional: tuple[Any, ...],
    named: dict[str, Any],
    output: Any,
) -> Any:
    observer = owner()
    if observer is None or not observer.is_on:
        return None
    if torch.compiler.is_dynamo_compiling():
        # The comparison above is part of the compiled graph; this leaves it.
        return _outside_the_graph(observer, module, positional, named, output)
    return observer.look_at(module, positional, named, output)


# As torch's own optimizers do: torch.compiler.disable would import the compiler, which
# takes longer than all the rest, for everybody who compiles nothing.
_outside_the_graph: Callable[..., Any] = _disable_dynamo(Observer.look_at)


def _remove(handles: list[RemovableHandle]) -> None:
    while handles:
        handles.pop().remove()
