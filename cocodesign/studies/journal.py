"""Finished trainings in a file, from which a study goes on that was interrupted."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cocodesign.errors import RecordError
from cocodesign.files import write_atomically
from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Outcome, Point
from cocodesign.studies.race import Race


class Journal:
    """The outcomes of a study, each under the conditions it ran under.

    It knows nothing of the code that ran: remove the file after a change.

    Args:
        path: The file; it need not exist. Each outcome rewrites it atomically.

    Raises:
        RecordError: If the file is not a journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Outcome] = dict(_read(path))

    def find(self, contender: str, setting: Setting, race: Race) -> Outcome | None:
        """Return the outcome of such a training, ``None`` if there was none.

        Args:
            contender: The optimizer's name.
            setting: Its setting.
            race: The conditions.

        Returns:
            What was added before.
        """
        return self._entries.get(_key(contender, setting, race))

    def add(self, race: Race, outcome: Outcome) -> None:
        """Keep an outcome.

        Args:
            race: The conditions it ran under.
            outcome: What came out.
        """
        self._entries[_key(outcome.contender, outcome.setting, race)] = outcome
        entries = [
            {"key": key, **asdict(outcome)} for key, outcome in self._entries.items()
        ]
        lines = ",\n".join(json.dumps(entry) for entry in entries)
        write_atomically(self._path, f"[\n{lines}\n]\n")


def _key(contender: str, setting: Setting, race: Race) -> str:
    return json.dumps([contender, asdict(setting), asdict(race)])


def _read(path: Path) -> Iterator[tuple[str, Outcome]]:
    if not path.exists():
        return
    try:
        for entry in json.loads(path.read_text(encoding="utf-8")):
            key = entry.pop("key")
            setting = Setting(**entry.pop("setting"))
            curve = tuple(Point(**point) for point in entry.pop("curve"))
            yield key, Outcome(setting=setting, curve=curve, **entry)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(
            f"{path} is no journal of a study ({error!r}): remove it"
        ) from error
