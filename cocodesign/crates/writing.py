"""Packing runs into a research object: a Process Run Crate.

A crate is a folder with ``ro-crate-metadata.json``, which describes every file in it
in the vocabulary of schema.org (RO-Crate 1.1) and every run as an action with its
program, parameters, data and results (Process Run Crate 0.5). It holds each run's
record and executed notebook, the ledger of claims, and the verdicts that follow.
"""

import json
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from cocodesign.claims import Verdict, judge, load_claims
from cocodesign.errors import CrateError
from cocodesign.files import sha256_of, sync_folder, write_atomically
from cocodesign.results import RECORD_NAME, RunRecord, read_record
from cocodesign.runner.lease import read_lease

LEDGER_NAME = "claims.toml"
VERDICTS_NAME = "verdicts.json"
RUNS_NAME = "runs"

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_LICENCE = "https://spdx.org/licenses/Apache-2.0"
_KEPT = {  # of a run folder, with its media type and what it is
    RECORD_NAME: ("application/json", "what the run measured"),
    "run.json": ("application/json", "the parameters that it was given"),
    "notebook.ipynb": ("application/x-ipynb+json", "the executed notebook"),
}


def write_crate(runs: Sequence[Path], folder: Path) -> list[Verdict]:
    """Pack runs into a crate.

    The same runs give the same bytes.

    Args:
        runs: Run folders that hold a record.
        folder: The crate, which must not exist; its parent is made if missing.

    Returns:
        The verdicts that the runs' records give, which the crate holds as well.

    Raises:
        CrateError: If there is no run, two have one name, or ``folder`` exists.
        RecordError: If a run has no readable record.
    """
    if not runs:
        raise CrateError("a crate needs at least one run")
    if folder.exists():
        raise CrateError(f"{folder} exists: remove it, or choose another folder")
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise CrateError(f"two of the runs are called {name}")
    records = {run: read_record(run / RECORD_NAME) for run in runs}
    ledger = resources.files("cocodesign").joinpath(LEDGER_NAME).read_text("utf-8")
    verdicts = judged(ledger, list(records.values()))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".crate-") as name:
        draft = Path(name) / "crate"
        _write_files(draft, records, ledger, verdicts)
        _describe(draft, records).write(draft)
        draft.rename(folder)
    sync_folder(folder.parent)
    return verdicts


def judged(ledger: str, records: Sequence[RunRecord]) -> list[Verdict]:
    """Return the verdicts of the claims that some records measure.

    Args:
        ledger: The text of a ledger of claims.
        records: The records.

    Returns:
        The verdicts; claims that no record measures are left out.
    """
    found = judge(load_claims(ledger), records)
    return [verdict for verdict in found if verdict.status != "NOT RUN"]


def verdicts_text(verdicts: Sequence[Verdict]) -> str:
    """Return verdicts as the text of ``verdicts.json``."""
    facts = [verdict.to_dict() for verdict in verdicts]
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def _write_files(
    draft: Path, records: dict[Path, RunRecord], ledger: str, verdicts: list[Verdict]
) -> None:
    write_atomically(draft / LEDGER_NAME, ledger)
    write_atomically(draft / VERDICTS_NAME, verdicts_text(verdicts))
    for run in records:
        place = draft / RUNS_NAME / run.name
        place.mkdir(parents=True)
        for name in _KEPT:
            if (run / name).exists():
                shutil.copyfile(run / name, place / name)


def _describe(draft: Path, records: dict[Path, RunRecord]) -> ROCrate:
    """Return the crate's description; its files are in ``draft`` already."""
    crate = ROCrate(version="1.1")
    notebooks = sorted({record.notebook for record in records.values()})
    crate.name = f"Runs of cocodesign: {', '.join(notebooks)}"
    crate.description = (
        "Notebooks of the project cocodesign as they were executed, the records that "
        "they wrote, and the verdicts on the programme's claims that follow."
    )
    finished = max(record.finished for record in records.values())
    crate.datePublished = datetime.fromisoformat(finished)
    crate.license = _add(
        crate, _LICENCE, {"@type": "CreativeWork", "name": "Apache License 2.0"}
    )
    crate.root_dataset["conformsTo"] = _add(
        crate,
        _PROFILE,
        {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
    )
    _add_file(crate, draft, LEDGER_NAME, "application/toml", "the claims")
    _add_file(crate, draft, VERDICTS_NAME, "application/json", "the verdicts on them")
    crate.root_dataset["mentions"] = [
        _describe_run(crate, draft, run, record) for run, record in records.items()
    ]
    return crate


def _describe_run(crate: ROCrate, draft: Path, run: Path, record: RunRecord) -> Entity:
    place = f"{RUNS_NAME}/{run.name}"
    action = {
        "@type": "CreateAction",
        "name": f"{record.notebook} at profile {record.profile}",
        "description": " ".join(record.notes)
        or f"The measured part took {record.duration_s:.1f} s.",
        "instrument": _program(crate, record),
        "object": [*_parameters(crate, run, record), *_data(crate, record)],
        "result": [
            _add_file(crate, draft, f"{place}/{name}", kind, text)
            for name, (kind, text) in _KEPT.items()
            if (draft / place / name).exists()
        ],
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "endTime": record.finished,
    }
    lease = read_lease(run)
    if lease is not None:
        started = datetime.fromtimestamp(lease.started, UTC)
        action["startTime"] = started.isoformat(timespec="seconds")
    return _add(crate, f"#{run.name}", action)


def _program(crate: ROCrate, record: RunRecord) -> Entity:
    """Describe the notebook at its commit, and the libraries that it used."""
    provenance = record.provenance
    commit = provenance.commit or "unknown"
    state = f"{commit}-changed" if provenance.dirty else commit
    versions = {"python": provenance.python, **provenance.versions}
    return _add(
        crate,
        f"#{record.notebook}@{state}",
        {
            "@type": "SoftwareApplication",
            "name": f"the notebook {record.notebook} of cocodesign",
            "version": state,
            "softwareRequirements": [
                _add(
                    crate,
                    f"#{name}-{version}",
                    {"@type": "SoftwareApplication", "name": name, "version": version},
                )
                for name, version in sorted(versions.items())
            ],
            "operatingSystem": provenance.system,
            "processorRequirements": f"{provenance.processor}; {provenance.device}",
        },
    )


def _parameters(crate: ROCrate, run: Path, record: RunRecord) -> list[Entity]:
    return [
        _add(
            crate,
            f"#{run.name}/{name}",
            {
                "@type": "PropertyValue",
                "name": name,
                "value": value if isinstance(value, str) else json.dumps(value),
            },
        )
        for name, value in record.parameters.items()
    ]


def _data(crate: ROCrate, record: RunRecord) -> list[Entity]:
    """Describe the data files by their digests; they are not part of the crate."""
    return [
        _add(
            crate,
            f"#sha256-{digest}",
            {"@type": "CreativeWork", "name": name, "identifier": digest},
        )
        for name, digest in sorted(record.provenance.data.items())
    ]


def _add_file(crate: ROCrate, draft: Path, name: str, kind: str, text: str) -> Entity:
    path = draft / name
    facts = {
        "name": name,
        "description": text,
        "encodingFormat": kind,
        "contentSize": str(path.stat().st_size),
        "sha256": sha256_of(path),
    }
    file = File(crate, path, name, properties=facts)
    crate.add(file)
    return file


def _add(crate: ROCrate, identifier: str, properties: dict[str, Any]) -> Entity:
    """Add something that is no file, unless it is there already."""
    known = crate.dereference(identifier)
    if known is not None:
        return known
    entity = ContextEntity(crate, identifier, properties)
    crate.add(entity)
    return entity
