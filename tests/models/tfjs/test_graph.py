"""A graph model as a module."""

import json

import numpy as np
import pytest
import torch

from cocodesign.errors import DataFormatError
from cocodesign.models import GraphModel
from tests.models.conftest import node, placeholder

LIST = np.array([2, 3], np.int32)


@pytest.fixture
def affine(write_graph):
    """The path of a model that computes ``reshape(2 x + 1)``, its nodes in disorder."""
    nodes = [
        node("y", "Reshape", "sum", "shape"),
        node("sum", "AddV2", "product", "one"),
        node("product", "Mul", "x", "two"),
        node("two", "Add", "one", "one"),
        placeholder("x", 6),
    ]
    constants = {"one": np.float32(1), "shape": LIST}
    return write_graph(nodes, constants, ["y"])


def test_computes_nodes_after_their_inputs_whatever_their_order(affine):
    (y,) = GraphModel.load(affine)(torch.arange(6.0))
    assert y.tolist() == [[1, 3, 5], [7, 9, 11]]


def test_states_inputs_and_outputs(affine):
    model = GraphModel.load(affine)
    assert (model.input_shapes, model.output_names) == ({"x": (6,)}, ("y",))
    with pytest.raises(ValueError, match="takes x; got 2 inputs"):
        model(torch.zeros(6), torch.zeros(6))


def test_constants_are_folded_and_shapes_are_no_buffers(affine):
    buffers = dict(GraphModel.load(affine).named_buffers())
    assert sorted(value.item() for value in buffers.values()) == [1.0, 2.0]


def test_constants_follow_the_model_to_another_type(affine):
    model = GraphModel.load(affine).double()
    assert model(torch.zeros(6, dtype=torch.float64))[0].dtype == torch.float64


def test_what_no_chosen_output_needs_is_not_computed(write_graph):
    nodes = [
        placeholder("x", 1),
        node("doubled", "Add", "x", "x"),
        node("lost", "TensorListReserve", "doubled"),
    ]
    path = write_graph(nodes, outputs=["lost"])
    with pytest.raises(DataFormatError, match="TensorListReserve"):
        GraphModel.load(path)
    assert GraphModel.load(path, ["doubled"])(torch.ones(1))[0].tolist() == [2.0]
    with pytest.raises(ValueError, match="no output 'found'; its signature names lost"):
        GraphModel.load(path, ["found"])


def test_a_model_without_a_signature_returns_what_nothing_takes(write_graph):
    nodes = [placeholder("x", 4), node("parts", "Split", "axis", "x", num_split=2)]
    nodes += [node("first", "Identity", "parts"), node("second", "Relu", "parts:1")]
    model = GraphModel.load(write_graph(nodes, {"axis": np.int32(0)}))
    found = dict(zip(model.output_names, model(torch.arange(4.0) - 3), strict=True))
    assert found["first"].tolist() == [-3, -2]
    assert found["second"].tolist() == [0, 0]


def test_a_shape_that_is_computed_is_read_when_it_is_known(write_graph):
    nodes = [
        placeholder("x", -1, 2),
        node("shape", "Shape", "x"),
        node("flipped", "GatherV2", "shape", "order", "axis"),
        node("y", "Reshape", "x", "flipped"),
    ]
    constants = {"order": np.array([1, 0], np.int32), "axis": np.int32(0)}
    model = GraphModel.load(write_graph(nodes, constants, ["y"]))
    assert model.input_shapes == {"x": (None, 2)}
    assert model(torch.zeros(3, 2))[0].shape == (2, 3)


def test_dependencies_on_side_effects_do_not_count(write_graph):
    nodes = [placeholder("x", 1), node("y", "Neg", "x", "^nothing")]
    assert GraphModel.load(write_graph(nodes))(torch.ones(1))[0].item() == -1


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("y", "Neg", "x")], "takes 'x', which is not there"),
        ([node("a", "Neg", "b"), node("b", "Neg", "a")], "depends on itself"),
        ([node("y", "Conv2D", "y0", "k"), node("k", "Neg", "y0"),
          placeholder("y0", 1)], "kernel that is computed"),
    ],
)  # fmt: skip
def test_refuses_a_graph_that_cannot_be_computed(nodes, message, write_graph):
    with pytest.raises(DataFormatError, match=message):
        GraphModel.load(write_graph(nodes))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"modelTopology": {}}'])
def test_refuses_a_file_that_is_no_graph_model(text, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(DataFormatError, match=r"no TensorFlow\.js graph model"):
        GraphModel.load(path)


def test_names_a_constant_without_weights(affine):
    content = json.loads(affine.read_text())
    content["weightsManifest"] = []
    affine.write_text(json.dumps(content))
    with pytest.raises(DataFormatError, match="no weights for one, shape"):
        GraphModel.load(affine)
