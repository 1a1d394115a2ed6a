"""Event kits: what is looked for, in words, as TRECVID hands it out.

A kit is a TOML file that anyone can write::

    id = "E021"
    name = "Bike trick"
    definition = "One or more people perform a trick on a bicycle."
    explication = "A trick is …"

    [evidence]
    scene = "outdoors, in a skate park or on a street"
    objects = "bicycle, helmet, ramp"
    activities = "riding, jumping, balancing"
    audio = "wheels, cheering"
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cocodesign.errors import DataFormatError
from cocodesign.files import write_atomically

EVIDENCE_KINDS = ("scene", "objects", "activities", "audio")
_KEYS = {"id", "name", "definition", "explication", "evidence"}
_SEPARATORS = re.compile(r"[,;.\n]|\band\b|\bor\b")
_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class EventKit:
    """The description of an event.

    Attributes:
        id: A short name without spaces, such as ``E021``.
        name: The event in a few words.
        definition: One sentence on what makes a clip show the event.
        explication: What may need explaining; detectors do not read it, because it
            tells as much of what the event is not.
        evidence: What may be seen or heard, by kind: ``scene``, ``objects``,
            ``activities`` or ``audio``.
    """

    id: str
    name: str
    definition: str = ""
    explication: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(
                f"the id of an event is letters, digits, _ or -: {self.id!r}"
            )
        if not self.name.strip():
            raise ValueError(f"event {self.id} has no name")
        if unknown := set(self.evidence) - set(EVIDENCE_KINDS):
            raise ValueError(
                f"event {self.id}: evidence is of {', '.join(EVIDENCE_KINDS)}; got "
                f"{', '.join(sorted(unknown))}"
            )

    @property
    def phrases(self) -> tuple[str, ...]:
        """The name, the definition and every item of the visual evidence.

        Example:
            >>> EventKit("E1", "Tea", evidence={"objects": "cup, pot"}).phrases
            ('Tea', 'cup', 'pot')
        """
        seen = [
            self.evidence.get(kind, "") for kind in EVIDENCE_KINDS if kind != "audio"
        ]
        items = [item.strip() for text in seen for item in _SEPARATORS.split(text)]
        whole = (self.name.strip(), self.definition.strip())
        return tuple(dict.fromkeys(phrase for phrase in (*whole, *items) if phrase))

    @classmethod
    def read(cls, path: Path) -> "EventKit":
        """Read a kit.

        Args:
            path: A TOML file.

        Returns:
            The kit.

        Raises:
            DataFormatError: If the file is no kit.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            unknown = set(table) - _KEYS
            kit = None if unknown else cls(**table)
        except (OSError, ValueError, TypeError) as error:
            raise DataFormatError(f"{path} is no event kit: {error}") from error
        if kit is None:
            raise DataFormatError(
                f"{path} is no event kit: unknown keys {', '.join(sorted(unknown))}"
            )
        return kit

    def write(self, path: Path) -> None:
        """Write the kit; ``read`` is its inverse.

        Args:
            path: The TOML file.
        """
        texts = {
            "id": self.id,
            "name": self.name,
            "definition": self.definition,
            "explication": self.explication,
        }
        # A JSON text is a TOML text, as long as nothing beyond ASCII is escaped.
        lines = [f"{key} = {_quoted(text)}" for key, text in texts.items() if text]
        if self.evidence:
            lines += ["", "[evidence]"]
            lines += [
                f"{kind} = {_quoted(text)}" for kind, text in self.evidence.items()
            ]
        write_atomically(path, "\n".join(lines) + "\n")


def read_kits(folder: Path) -> tuple[EventKit, ...]:
    """Read all kits of a folder.

    Args:
        folder: Holds ``*.toml`` files.

    Returns:
        The kits, sorted by file name.

    Raises:
        DataFormatError: If there is none, one is malformed, or two have one id.
    """
    kits = tuple(EventKit.read(path) for path in sorted(folder.glob("*.toml")))
    if not kits:
        raise DataFormatError(f"{folder} holds no event kits: write <id>.toml files")
    ids = [kit.id for kit in kits]
    if len(set(ids)) < len(ids):
        raise DataFormatError(f"{folder}: two kits have the same id: {ids}")
    return kits


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
