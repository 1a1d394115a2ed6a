"""Checking a crate: its files are what it says, its verdicts follow from its records.

Nothing is run, and nothing but the crate is read.
"""

import json
from pathlib import Path
from typing import Any

from cocodesign.claims import Verdict
from cocodesign.crates.writing import (
    LEDGER_NAME,
    RUNS_NAME,
    VERDICTS_NAME,
    judged,
    verdicts_text,
)
from cocodesign.errors import CrateError
from cocodesign.files import sha256_of
from cocodesign.results import find_records

METADATA_NAME = "ro-crate-metadata.json"


def check_crate(folder: Path) -> list[Verdict]:
    """Judge the claims again by the records in a crate.

    Args:
        folder: The crate.

    Returns:
        The verdicts, which are those that the crate states.

    Raises:
        CrateError: If the folder is no crate, a file is missing or altered, or the
            stated verdicts do not follow from the records.
        RecordError: If a record is malformed.
        ClaimsError: If the ledger is.
    """
    for entity in _files(folder):
        _check_file(folder, entity)
    ledger = (folder / LEDGER_NAME).read_text(encoding="utf-8")
    records = [record for _, record in find_records(folder / RUNS_NAME)]
    verdicts = judged(ledger, records)
    stated = (folder / VERDICTS_NAME).read_text(encoding="utf-8")
    if verdicts_text(verdicts) != stated:
        names = _differing(json.loads(stated), verdicts)
        raise CrateError(
            f"the verdicts in {folder} do not follow from its records: {names}"
        )
    return verdicts


def _files(folder: Path) -> list[dict[str, Any]]:
    """Return the descriptions of the crate's files."""
    path = folder / METADATA_NAME
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        files = [each for each in graph if "sha256" in each]
        names = {each["@id"] for each in files}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CrateError(f"{folder} is no crate of runs: {error!r}") from error
    for name in (LEDGER_NAME, VERDICTS_NAME):
        if name not in names:
            raise CrateError(f"{folder} is no crate of runs: it has no {name}")
    return files


def _check_file(folder: Path, entity: dict[str, Any]) -> None:
    path = folder / entity["@id"]
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CrateError(f"{folder} describes {entity['@id']}, which lies outside it")
    if not path.is_file():
        raise CrateError(f"{path} is missing from the crate")
    digest = sha256_of(path)
    if digest != entity["sha256"]:
        raise CrateError(
            f"{path} was altered: its SHA-256 is {digest}, the crate states "
            f"{entity['sha256']}"
        )


def _differing(stated: list[dict[str, Any]], found: list[Verdict]) -> str:
    """Name the claims whose stated verdict is not the one found."""
    before = {each["id"]: each["status"] for each in stated}
    after = {each.claim.id: each.status for each in found}
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    parts = [
        f"{name} is {after.get(name, 'not judged')}, not "
        f"{before.get(name, 'not judged')}"
        for name in sorted(changed)
    ]
    return "; ".join(parts) or "their values differ"
