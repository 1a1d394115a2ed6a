import json

import pytest
import torch
from torch import nn

from cocodesign.errors import PlanMismatchError
from cocodesign.microbatch import MicroBatchPlan
from cocodesign.microbatch.division import Division, parse_parts
from cocodesign.microbatch.plan import LayerPlan
from tests.microbatch.conftest import CASES
from tests.microbatch.test_layers import divided


@pytest.fixture
def plan() -> MicroBatchPlan:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 3, 3))
    return divided(model, torch.ones(5, 3, 8, 8))


def test_survives_a_round_trip_through_json(plan):
    assert MicroBatchPlan.from_json(plan.to_json()) == plan
    for layer in plan.layers:
        assert LayerPlan.from_json(layer.to_json()) == layer


def test_json_shows_divisions_as_text_a_line_each(plan):
    assert '"parts": "im2col:3 direct:2"' in plan.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: fields.pop("plan_version"), "not a micro-batch plan"),
        (lambda fields: fields.update(plan_version=2), "plan version 2"),
        (lambda fields: fields["layers"][0].pop("problem"), "malformed"),
        (lambda fields: fields.update(surprise=1), "malformed"),
        (
            lambda fields: fields["layers"][0]["divisions"]["forward"].update(
                parts="direct:4"
            ),
            "covers 4 of 5",
        ),
    ],
)
def test_damaged_json_is_refused(plan, change, message):
    fields = json.loads(plan.to_json())
    change(fields)
    with pytest.raises(PlanMismatchError, match=message):
        MicroBatchPlan.from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "null"])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(PlanMismatchError, match="not a micro-batch plan"):
        MicroBatchPlan.from_json(text)


def test_a_division_must_cover_the_mini_batch():
    with pytest.raises(ValueError, match="covers 4 of 5"):
        LayerPlan("a", CASES["3x3"], {"forward": Division(parse_parts("direct:4"))})
