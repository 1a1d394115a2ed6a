"""A plan: which layer runs which division, as a file that can be read and compared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cocodesign.errors import PlanMismatchError
from cocodesign.microbatch.division import Division, parse_parts
from cocodesign.microbatch.problem import DIRECTIONS, ConvProblem, Direction

PLAN_VERSION = 1


@dataclass(frozen=True)
class LayerPlan:
    """The divisions of one layer at one shape of input.

    Attributes:
        name: The layer's name in its model, such as ``features.3``.
        problem: The convolution; of a transposed layer the one whose data gradient it
            computes.
        divisions: By direction of the problem, those that the layer needs.
        is_transposed: Whether the layer is a transposed convolution, whose forward
            pass is the problem's ``backward_data`` and the other way round.
    """

    name: str
    problem: ConvProblem
    divisions: Mapping[Direction, Division]
    is_transposed: bool = False

    def __post_init__(self) -> None:
        for direction, division in self.divisions.items():
            if division.mini_batch_size != self.problem.mini_batch_size:
                raise ValueError(
                    f"{self.name} {direction} covers {division.mini_batch_size} of "
                    f"{self.problem.mini_batch_size} examples"
                )

    def to_json(self) -> str:
        """Return the layer's plan as one line of JSON text."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "LayerPlan":
        """Rebuild what ``to_json`` gave."""
        return cls.from_dict(json.loads(text))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return {
            "name": self.name,
            "problem": self.problem.to_dict(),
            "is_transposed": self.is_transposed,
            "divisions": {
                direction: {
                    "parts": str(division),
                    "time_s": division.time_s,
                    "workspace_bytes": division.workspace_bytes,
                    "error_bound": division.error_bound,
                }
                for direction, division in self.divisions.items()
            },
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "LayerPlan":
        """Rebuild what ``to_dict`` gave.

        Args:
            fields: The fields.

        Returns:
            An equal plan.

        Raises:
            ValueError: If a direction is unknown or the parts do not fit.
        """
        unknown = set(fields["divisions"]) - set(DIRECTIONS)
        if unknown:
            raise ValueError(f"there is no direction {sorted(unknown)}")
        divisions = {
            direction: Division(parse_parts(each.pop("parts")), **each)
            for direction, each in (
                (direction, dict(each))
                for direction, each in fields["divisions"].items()
            )
        }
        problem = ConvProblem.from_dict(fields["problem"])
        return cls(fields["name"], problem, divisions, fields["is_transposed"])


@dataclass(frozen=True)
class MicroBatchPlan:
    """A plan for all convolutions of a model.

    Attributes:
        layers: One entry per layer and shape of input.
        machine: What the timings were taken on; see ``describe_machine``.
        policy: Which micro-batch sizes were allowed.
        workspace_limit_bytes: The limit of each kernel, if it was given.
        step_limit_bytes: The limit of a training step, if it was given.
        recomputed: Modules whose saved activations are dropped and computed again.
        predicted_peak_bytes: What a step allocates at most beyond what was there at
            its beginning, if it was traced.
        lower_bound_s: No plan within the limits is faster, by the same timings.
    """

    layers: tuple[LayerPlan, ...]
    machine: Mapping[str, str]
    policy: str
    workspace_limit_bytes: int | None = None
    step_limit_bytes: int | None = None
    recomputed: tuple[str, ...] = ()
    predicted_peak_bytes: int | None = None
    lower_bound_s: float | None = field(default=None)

    @property
    def time_s(self) -> float:
        """Expected seconds of all planned convolutions of one step."""
        return sum(
            division.time_s
            for layer in self.layers
            for division in layer.divisions.values()
        )

    @property
    def workspace_bytes(self) -> int:
        """The largest workspace of any kernel."""
        return max(
            (
                division.workspace_bytes
                for layer in self.layers
                for division in layer.divisions.values()
            ),
            default=0,
        )

    def to_json(self) -> str:
        """Return the plan as JSON text, a line per value; ``from_json`` reads it."""
        fields = {
            "plan_version": PLAN_VERSION,
            **self.__dict__,
            "layers": [layer.to_dict() for layer in self.layers],
            "machine": dict(self.machine),
        }
        return json.dumps(fields, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "MicroBatchPlan":
        """Rebuild a plan from its JSON text.

        Args:
            text: What ``to_json`` gave.

        Returns:
            An equal plan.

        Raises:
            PlanMismatchError: If the text is no plan of a known version.
        """
        try:
            fields = json.loads(text)
            version = fields.pop("plan_version")
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise PlanMismatchError(f"not a micro-batch plan: {error!r}") from error
        if version != PLAN_VERSION:
            raise PlanMismatchError(
                f"plan version {version!r}, but this code reads {PLAN_VERSION}: plan "
                "again"
            )
        try:
            layers = tuple(LayerPlan.from_dict(layer) for layer in fields.pop("layers"))
            recomputed = tuple(fields.pop("recomputed"))
            return cls(layers=layers, recomputed=recomputed, **fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanMismatchError(f"malformed micro-batch plan: {error!r}") from error
