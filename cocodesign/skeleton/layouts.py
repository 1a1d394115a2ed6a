"""Which joints a skeleton has, and what belongs together in it: data, not code.

A layout is a TOML file, one of those in ``layout_files`` or the user's own::

    name = "my_tracker"
    title = "Five points of a tracker of ours"
    joints = ["hip_centre", "neck", "head", "left_hand", "right_hand"]
    bones = [["hip_centre", "neck"], ["neck", "head"], ["neck", "left_hand"],
             ["neck", "right_hand"]]

    [body]                        # what positions are normalised by
    centre = ["hip_centre"]       # their mean is the body's centre
    top = ["neck"]                # the torso goes from the centre to their mean
    left = ["left_hand"]          # from their mean …
    right = ["right_hand"]        # … to that of these: the body's own x axis

    [parts]                       # the finest level; the first joint is its centre
    trunk = ["hip_centre", "neck", "head"]
    arms = ["left_hand", "right_hand"]

    [regions]                     # the next coarser level
    body = ["trunk", "arms"]

Joints of the same name are the same joint in every layout.
"""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

_KEYS = {"name", "title", "joints", "bones", "body", "parts", "regions"}
_BODY_KEYS = ("centre", "top", "left", "right")
_SIDES = {"left_": "right_", "right_": "left_"}


@dataclass(frozen=True)
class JointLayout:
    """The joints of a skeleton in their order, and their grouping.

    Attributes:
        name: A short name, unique among the layouts in use.
        title: One line for people.
        joints: Names in the order of the joint axis; ``left_`` and ``right_`` at their
            beginning mark the sides.
        bones: Pairs of joints that are neighbours. They connect all joints.
        body: Joints that positions are normalised by, under ``centre``, ``top``,
            ``left`` and ``right``.
        parts: The joints of each part. A joint may belong to several and belongs to
            at least one; the first of a part is the part's centre.
        regions: The parts of each region, the level between parts and body. A part
            may belong to several and belongs to at least one.
    """

    name: str
    title: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    body: Mapping[str, tuple[str, ...]]
    parts: Mapping[str, tuple[str, ...]]
    regions: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if len(set(self.joints)) < len(self.joints) or not self.joints:
            raise ValueError(f"{self.name}: no joints, or one twice: {self.joints}")
        if set(self.body) != set(_BODY_KEYS):
            raise ValueError(
                f"{self.name}: body needs {_BODY_KEYS}, has {[*self.body]}"
            )
        self._check_known("bone", [joint for bone in self.bones for joint in bone])
        for group, names in (*self.body.items(), *self.parts.items()):
            self._check_known(group, names)
        self._check_bones()
        self._check_levels()

    @property
    def num_joints(self) -> int:
        """Length of the joint axis."""
        return len(self.joints)

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each joint the index of its counterpart on the other side."""
        places = {joint: index for index, joint in enumerate(self.joints)}
        return tuple(
            places.get(_other_side(name), places[name]) for name in self.joints
        )

    def indices(self, names: Sequence[str]) -> list[int]:
        """Return the places of joints on the joint axis.

        Args:
            names: Names of joints.

        Returns:
            Their indices, in the same order.

        Raises:
            ValueError: If there is no such joint.
        """
        self._check_known("indices", names)
        return [self.joints.index(name) for name in names]

    def neighbours(self) -> list[list[int]]:
        """Return for each joint the indices of those that a bone joins it with."""
        found: list[list[int]] = [[] for _ in self.joints]
        for first, second in self.bones:
            one, other = self.indices([first, second])
            found[one].append(other)
            found[other].append(one)
        return found

    def to_toml(self) -> str:
        """Return the layout as a file's content; ``from_toml`` is its inverse."""
        tables = {"body": self.body, "parts": self.parts, "regions": self.regions}
        lines = [f"name = {_toml(self.name)}", f"title = {_toml(self.title)}"]
        lines += [f"joints = {_toml(self.joints)}", f"bones = {_toml(self.bones)}"]
        for table, entries in tables.items():
            lines.append(f"\n[{table}]")
            lines += [
                f"{_toml(key)} = {_toml(names)}" for key, names in entries.items()
            ]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> "JointLayout":
        """Read a layout.

        Args:
            text: The content of a layout file.

        Returns:
            The layout.

        Raises:
            ValueError: If the text is no TOML, a key is missing or unknown, or the
                layout contradicts itself.

        Example:
            >>> layout = load_layout("sbu")
            >>> JointLayout.from_toml(layout.to_toml()) == layout
            True
        """
        table = tomllib.loads(text)
        if set(table) != _KEYS:
            missing, unknown = sorted(_KEYS - set(table)), sorted(set(table) - _KEYS)
            raise ValueError(f"layout: missing {missing}, unknown {unknown}")
        return cls(
            name=table["name"],
            title=table["title"],
            joints=tuple(table["joints"]),
            bones=tuple((first, second) for first, second in table["bones"]),
            body=_tuples(table["body"]),
            parts=_tuples(table["parts"]),
            regions=_tuples(table["regions"]),
        )

    def _check_known(self, where: str, names: Sequence[str]) -> None:
        if not names:
            raise ValueError(f"{self.name}: {where} names no joint")
        for name in names:
            if name not in self.joints:
                close = difflib.get_close_matches(name, self.joints, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise ValueError(f"{self.name}: {where} has no joint {name!r}{hint}")

    def _check_bones(self) -> None:
        neighbours = self.neighbours()
        reached, frontier = {0}, [0]
        while frontier:
            new = [n for n in neighbours[frontier.pop()] if n not in reached]
            reached.update(new)
            frontier += new
        if len(reached) < self.num_joints:
            apart = [j for i, j in enumerate(self.joints) if i not in reached]
            raise ValueError(
                f"{self.name}: no bones lead from {self.joints[0]} to {apart}"
            )

    def _check_levels(self) -> None:
        in_parts = {joint for names in self.parts.values() for joint in names}
        if left_out := [joint for joint in self.joints if joint not in in_parts]:
            raise ValueError(
                f"{self.name}: {left_out} belong to no part; add them to one, or leave "
                "them out of the layout and convert sequences to it"
            )
        in_regions = {part for names in self.regions.values() for part in names}
        if in_regions != set(self.parts):
            raise ValueError(
                f"{self.name}: regions join {sorted(in_regions)}, but the parts are "
                f"{sorted(self.parts)}"
            )


def layout_names() -> tuple[str, ...]:
    """Return the names of the layouts that come with the package, sorted."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(
        sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))
    )


def load_layout(layout: str | Path) -> JointLayout:
    """Load a layout by its name, or from a file of one's own.

    Args:
        layout: One of ``layout_names()``, or the path of a TOML file.

    Returns:
        The layout.

    Raises:
        ValueError: If there is no layout of this name, or the file is malformed.
        OSError: If the file cannot be read.

    Example:
        >>> load_layout("kinect_v1").parts["left_arm"][0]
        'left_shoulder'
    """
    if isinstance(layout, Path) or layout.endswith(".toml"):
        return JointLayout.from_toml(Path(layout).read_text(encoding="utf-8"))
    known = layout_names()
    if layout not in known:
        close = difflib.get_close_matches(layout, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"no layout {layout!r}; known: {', '.join(known)}, or the path of a .toml "
            f"file{hint}"
        )
    return JointLayout.from_toml(
        _folder().joinpath(f"{layout}.toml").read_text(encoding="utf-8")
    )


def _folder() -> Traversable:
    return resources.files("cocodesign.skeleton").joinpath("layout_files")


def _other_side(name: str) -> str:
    for prefix, other in _SIDES.items():
        if name.startswith(prefix):
            return other + name.removeprefix(prefix)
    return name


def _tuples(table: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(names) for key, names in table.items()}


def _toml(value: Any) -> str:
    """Write strings and lists of them; of these, JSON's form is TOML's as well."""
    return json.dumps(value, ensure_ascii=False)
