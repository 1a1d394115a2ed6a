"""Small graph models as files, and real files where they are in the cache."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cocodesign.data.fetching import cached_dataset
from cocodesign.errors import DataUnavailableError

GRAPH_DTYPES = {"float32": "DT_FLOAT", "int32": "DT_INT32", "bool": "DT_BOOL"}


def attribute(value: Any) -> dict[str, Any]:
    """Write an attribute as protobuf's JSON does."""
    match value:
        case bool():
            return {"b": value}
        case int():
            return {"i": str(value)}
        case float():
            return {"f": value}
        case str() if value.startswith("DT_"):
            return {"type": value}
        case str():
            return {"s": base64.b64encode(value.encode()).decode()}
        case [str(), *_]:
            return {"list": {"s": [attribute(each)["s"] for each in value]}}
        case _:
            return {"list": {"i": [str(each) for each in value]}}


def node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    """Describe a node as a graph file does."""
    return {
        "name": name,
        "op": op,
        "input": list(inputs),
        "attr": {key: attribute(value) for key, value in attributes.items()},
    }


def placeholder(name: str, *shape: int) -> dict[str, Any]:
    """Describe an input."""
    dims = {"dim": [{"size": str(size)} for size in shape]}
    return {"name": name, "op": "Placeholder", "attr": {"shape": {"shape": dims}}}


@pytest.fixture
def write_graph(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a graph model and gives the JSON file's path."""

    def write(
        nodes: Sequence[dict[str, Any]],
        constants: Mapping[str, np.ndarray] | None = None,
        outputs: Sequence[str] = (),
    ) -> Path:
        constants = constants or {}
        weights, content = [], b""
        for name, value in constants.items():
            array = np.asarray(value)
            weights.append(
                {"name": name, "shape": list(array.shape), "dtype": array.dtype.name}
            )
            content += array.tobytes()
        (tmp_path / "model.bin").write_bytes(content)
        described = [
            node(name, "Const", dtype=GRAPH_DTYPES[np.asarray(array).dtype.name])
            for name, array in constants.items()
        ]
        model = {
            "modelTopology": {"node": [*nodes, *described]},
            "weightsManifest": [{"paths": ["model.bin"], "weights": weights}],
            "signature": {"outputs": {name: {"name": name} for name in outputs}},
        }
        path = tmp_path / "model.json"
        path.write_text(json.dumps(model))
        return path

    return write


@pytest.fixture
def cached() -> Callable[[str], Path]:
    """Return a function that gives a data set's folder, or skips the test."""

    def find(name: str) -> Path:
        try:
            return cached_dataset(name)
        except DataUnavailableError:
            pytest.skip(f"the data set {name} is not in the cache")

    return find
