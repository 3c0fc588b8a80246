"""A dataset version without some rows: everything else as it was, and the ledger says what is gone and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.data import card
from tuneloop.data.certificate import FILE as CERTIFICATE
from tuneloop.data.certificate import certify_folder, promised
from tuneloop.data.forgetting.holding import names
from tuneloop.data.forgetting.wanted import Wanted, digests
from tuneloop.data.writing import DatasetWriter, write_json
from tuneloop.rows import Drop
from tuneloop.rows.record import source_of
from tuneloop.store import Dataset, Store
from tuneloop.store.digest import MANIFEST
from tuneloop.store.forgotten import REASON
from tuneloop.store.mentions import unescaped

STEP = "forget"


def without(dataset: Dataset, subject: Wanted, store: Store, *, parents: Mapping[str, str]) -> tuple[Dataset, int]:
    """Make a version of a dataset without a subject's rows, and without a word of them in its reports.

    It has the old one's key, so what finds a dataset by its recipe finds this one from now on.

    Args:
        dataset: The version that holds them.
        subject: Whose rows go.
        store: The store.
        parents: Ids of what it is made from, by role; those that were replaced already by their new ids.

    Returns:
        The new version and how many rows it lacks. Its training split may be empty.

    Raises:
        StoreError: The store cannot take it.
    """
    files = digests(dataset)
    gone = 0
    with store.draft() as draft, store.draft() as spill:
        with DatasetWriter(draft) as writer:
            for split in dataset.splits:
                for record in dataset.records(split):
                    if subject.search.record(record, files.get(source_of(record.origin), "")):
                        writer.drop(Drop(REASON, STEP, record.origin, "not shown"))
                        gone += 1
                    else:
                        writer.add(split, record)
            for drop in dataset.dropped():
                writer.drop(Drop(drop.reason, drop.step, drop.origin, "not shown") if names(drop, subject) else drop)
        report = _scrubbed(dataset.report, subject) | writer.report()
        report["rows"] = dataset.report["rows"] | {"kept": writer.kept, "dropped": writer.dropped.total()}
        report["certificate"] = certify_folder(draft, promised(dataset), spill)
        write_json(draft / "report.json", report)
        write_json(draft / CERTIFICATE, report["certificate"])
        _besides(dataset, draft, subject)
        card.write(draft, report)
        account = {"kept": writer.kept, "dropped": writer.dropped.total()}
        facts = dataset.facts | {"rows": writer.splits, **account, "kinds": dict(writer.kinds)}
        made = store.seal(Dataset, draft, parents=dict(parents), key=dataset.manifest.key, facts=facts)
    return made, gone


def _besides(dataset: Dataset, draft: Path, subject: Wanted) -> None:
    """Take over what else a dataset's folder holds, such as fitted encoders, without a word of the subject."""
    for path in dataset.folder.glob("*.json"):
        if path.name != MANIFEST and not (draft / path.name).exists():
            write_json(draft / path.name, _scrubbed(msgspec.json.decode(path.read_bytes()), subject))


def _scrubbed(value: Any, subject: Wanted) -> Any:
    """A plain value without samples of rows and without texts that name the subject."""
    if isinstance(value, str):
        return REASON if subject.echo.text(unescaped(value)) else value
    if isinstance(value, dict):
        return {name: [] if name == "samples" else _scrubbed(inner, subject) for name, inner in value.items()}
    if isinstance(value, list):
        return [_scrubbed(inner, subject) for inner in value]
    return value
