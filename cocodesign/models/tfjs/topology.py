"""The JSON file of a graph model as nodes in the order of computation."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cocodesign.errors import DataFormatError

Attribute = bool | int | float | str | tuple[int, ...] | tuple[str, ...] | None


@dataclass(frozen=True)
class Output:
    """One result of a node.

    Attributes:
        node: The node's name.
        index: Which of its results, 0 for most.
    """

    node: str
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> "Output":
        """Read ``name`` or ``name:index``.

        Args:
            text: As a node's inputs and a signature write it.

        Returns:
            The output.

        Example:
            >>> Output.parse("Split:1")
            Output(node='Split', index=1)
        """
        name, colon, index = text.partition(":")
        return cls(name, int(index) if colon else 0)


@dataclass(frozen=True)
class Node:
    """One operation of the graph.

    Attributes:
        name: Unique in the graph.
        op: What it computes, by TensorFlow's name.
        inputs: What it takes.
        attributes: Its settings; a type is a text such as ``DT_FLOAT``.
    """

    name: str
    op: str
    inputs: tuple[Output, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def ints(self, name: str) -> tuple[int, ...]:
        """Return an attribute that is a list of integers, empty if it is not set."""
        value = self.attributes.get(name) or ()
        assert isinstance(value, tuple)
        return tuple(int(each) for each in value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an attribute that is a list of texts, empty if it is not set."""
        value = self.attributes.get(name) or ()
        assert isinstance(value, tuple)
        return tuple(str(each) for each in value)

    def integer(self, name: str, default: int = 0) -> int:
        """Return an attribute that is one integer."""
        value = self.attributes.get(name)
        return default if value is None else int(value)  # pyright: ignore[reportArgumentType]

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is one real number."""
        value = self.attributes.get(name)
        return default if value is None else float(value)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Topology:
    """What a graph model computes.

    Attributes:
        nodes: In an order in which every node follows its inputs.
        inputs: Name and shape of each input; an unknown length is ``None``.
        outputs: The results that the model's signature names, by their names there.
        manifest: The groups of weights; see ``weights``.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, Output]
    manifest: Sequence[Mapping[str, Any]]


def read_topology(path: Path) -> Topology:
    """Read the JSON file of a graph model.

    Args:
        path: The file, often ``model.json``.

    Returns:
        Nodes, signature and manifest of the weights.

    Raises:
        DataFormatError: If the file is no graph model (a layers model is none).
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        described = content["modelTopology"]["node"]
        manifest = content["weightsManifest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataFormatError(
            f"{path} is no TensorFlow.js graph model: {error!r}"
        ) from error
    nodes = {entry["name"]: _node(entry) for entry in described}
    placeholders = {
        name: _shape(entry["attr"].get("shape", {}).get("shape", {}))
        for name, entry in ((entry["name"], entry) for entry in described)
        if nodes[name].op == "Placeholder"
    }
    ordered = tuple(_in_order(nodes, path))
    return Topology(ordered, placeholders, _outputs(content, ordered), manifest)


def nodes_needed(nodes: Sequence[Node], outputs: Sequence[Output]) -> list[Node]:
    """Return the nodes that some outputs depend on, in the same order.

    Args:
        nodes: In the order of computation.
        outputs: What is asked for.

    Returns:
        Those nodes, the asked ones included.
    """
    wanted = {output.node for output in outputs}
    needed = []
    for node in reversed(nodes):
        if node.name in wanted:
            needed.append(node)
            wanted.update(each.node for each in node.inputs)
    return needed[::-1]


def _node(entry: Mapping[str, Any]) -> Node:
    # An input that starts with ^ only orders side effects, of which there are none.
    inputs = [text for text in entry.get("input", ()) if not text.startswith("^")]
    return Node(
        name=entry["name"],
        op=entry["op"],
        inputs=tuple(Output.parse(text) for text in inputs),
        attributes={
            name: _attribute(value) for name, value in entry.get("attr", {}).items()
        },
    )


def _attribute(value: Mapping[str, Any]) -> Attribute:
    """Decode an attribute; protobuf's JSON has integers as text, texts in base64."""
    match value:
        case {"list": {"i": integers}}:
            return tuple(int(each) for each in integers)
        case {"list": {"s": texts}}:
            return tuple(_text(each) for each in texts)
        case {"b": bool(flag)}:
            return flag
        case {"i": integer}:
            return int(integer)
        case {"f": number}:
            return float(number)
        case {"s": text}:
            return _text(text)
        case {"type": str(name)}:
            return name
    return None  # an empty list, a shape or a tensor: nothing here reads them


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def _shape(value: Mapping[str, Any]) -> tuple[int | None, ...]:
    sizes = [int(axis.get("size", -1)) for axis in value.get("dim", ())]
    return tuple(size if size >= 0 else None for size in sizes)


def _outputs(content: Mapping[str, Any], nodes: Sequence[Node]) -> dict[str, Output]:
    """Return the signature's outputs; without any, the nodes that nothing takes."""
    signature = content.get("signature") or content.get("userDefinedMetadata", {}).get(
        "signature", {}
    )
    named = {
        name: Output.parse(entry["name"])
        for name, entry in signature.get("outputs", {}).items()
    }
    taken = {output.node for node in nodes for output in node.inputs}
    return named or {
        node.name: Output(node.name) for node in nodes if node.name not in taken
    }


def _in_order(nodes: Mapping[str, Node], path: Path) -> Iterator[Node]:
    """Yield every node after its inputs, without recursion: graphs are deep."""
    done = set[str]()
    open_nodes = set[str]()
    for start in nodes:
        stack = [start]
        while stack:
            name = stack[-1]
            if name in done:
                stack.pop()
                continue
            node = nodes.get(name)
            if node is None:
                raise DataFormatError(
                    f"{path}: a node takes {name!r}, which is not there"
                )
            missing = [each.node for each in node.inputs if each.node not in done]
            if not missing:
                yield node
                done.add(name)
                stack.pop()
            elif name in open_nodes:
                raise DataFormatError(f"{path}: {name!r} depends on itself")
            else:
                open_nodes.add(name)
                stack += missing
