"""Preparation: raw rows in, one sealed dataset version out.

::

    files ─reader─▶ raw rows ─format─▶ records ─transforms─▶ records ─split─▶ train · validation · test
                       └───────────┴─────────────┴──▶ set aside, with the reason and the place

The rows stream: only what a step must remember (digests of rows seen) is held in memory. The sums are checked
before anything is sealed. The same files, section and seed give the same dataset id on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneloop.data.card import card
from tuneloop.data.ledger import Step, balance
from tuneloop.data.section import DataSection
from tuneloop.data.sources import OpenSource, open_sources
from tuneloop.data.split import SIDES, side
from tuneloop.data.writing import DatasetWriter, write_json
from tuneloop.errors import DataError
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.rows import Drop, Record
from tuneloop.store import Dataset, Store
from tuneloop.store.digest import of_value

VERSION = 1
"""Version of what a prepared dataset looks like; a new one makes every dataset anew."""
TELL = 500
"""Rows between two reports of progress."""


def prepare(
    section: DataSection, store: Store, *, seed: int, folder: Path, progress: Progress | None = None
) -> Dataset:
    """Make a dataset version of the rows of a recipe's sources.

    Args:
        section: The recipe's data section.
        store: Where the dataset goes.
        seed: The recipe's seed; it decides the split.
        folder: The folder that the section's relative paths start from.
        progress: Takes what a person should see meanwhile.

    Returns:
        The dataset; the one that is there already, if the same was prepared before.

    Raises:
        DataError: A source cannot be read, its format is unknown, or no row is left to train on.
        StoreError: The store cannot take the dataset.
    """
    progress = progress or Silent()
    progress.start("looking at the sources")
    sources = open_sources(section, folder)
    progress.advance(sum(len(source.files) for source in sources))
    key = of_value(
        {
            "version": VERSION,
            "section": section.model_dump(mode="json"),
            "seed": seed,
            "files": [[file.name, digest] for source in sources for file, digest in source.files],
        }
    )
    found = store.find(Dataset, key)
    if found is not None:
        return found
    with store.draft() as draft:
        report = _write(draft, section, sources, seed, progress)
        return store.seal(Dataset, draft, parents={}, key=key, facts=_facts(report))


def from_records(
    records_by_split: Mapping[str, Iterable[Record]],
    store: Store,
    *,
    parents: dict[str, str],
    key: str,
    report: dict[str, Any],
    progress: Progress | None = None,
) -> Dataset:
    """Make a dataset version of records that are there already, such as corrected answers beside old rows.

    Args:
        records_by_split: The records of ``train``, ``validation`` and ``test``; a split may be left out.
        store: Where the dataset goes.
        parents: Ids of the artifacts the records come from, by their role.
        key: Digest of everything that decided the records.
        report: What to say of their making; it is kept in ``report.json`` under ``made``.
        progress: Takes what a person should see meanwhile.

    Returns:
        The dataset; the one that is there already, if the key is known.

    Raises:
        DataError: There is a split of another name, or no record to train on.
        StoreError: The store cannot take the dataset.
    """
    progress = progress or Silent()
    found = store.find(Dataset, key)
    if found is not None:
        return found
    unknown = sorted(set(records_by_split) - set(SIDES))
    if unknown:
        raise DataError(
            f"there is no split {unknown[0]!r}", where="from_records", fix=f"name one of {', '.join(SIDES)}"
        )
    with store.draft() as draft:
        progress.start("writing rows")
        with DatasetWriter(draft) as writer:
            for split in SIDES:
                for record in records_by_split.get(split, ()):
                    writer.add(split, record)
                    if writer.kinds.total() % TELL == 0:
                        progress.advance(writer.kinds.total())
        progress.advance(writer.kept)
        full = {"rows": {"read": writer.kept, "kept": writer.kept, "dropped": 0}, **writer.report(), "made": report}
        _check_training(full)
        _finish(draft, full, writer)
        return store.seal(Dataset, draft, parents=parents, key=key, facts=_facts(full))


def _write(
    draft: Path, section: DataSection, sources: list[OpenSource], seed: int, progress: Progress
) -> dict[str, Any]:
    steps = [Step(transform) for transform in section.transforms]
    items: Iterator[Record | Drop] = _told(sources, progress)
    for step in steps:
        items = step.run(items)
    progress.start("reading rows")
    with DatasetWriter(draft) as writer:
        for item in items:
            if isinstance(item, Drop):
                writer.drop(item)
            else:
                writer.add(side(item.content, section.split, seed), item)
    read = sum(counts.read for source in sources for counts in source.counts)
    progress.advance(read)
    balance(read, writer.kept, writer.dropped.total())
    report = {
        "rows": {"read": read, "kept": writer.kept, "dropped": writer.dropped.total()},
        **writer.report(),
        "sources": [source.report() for source in sources],
        "steps": [step.report() for step in steps],
        "split": {**section.split.model_dump(mode="json"), "seed": seed},
    }
    _check_training(report)
    report["notes"] = _notes(report, section)
    for note in report["notes"]:
        progress.note(note)
    _finish(draft, report, writer)
    return report


def _told(sources: list[OpenSource], progress: Progress) -> Iterator[Record | Drop]:
    """All rows of all sources; how many were read is told now and then."""
    count = 0
    for source in sources:
        for item in source.records(progress):
            count += 1
            if count % TELL == 0:
                progress.advance(count)
            yield item


def _notes(report: dict[str, Any], section: DataSection) -> list[str]:
    """What a person should know of the result and may want to act on."""
    notes = []
    kept = report["rows"]["kept"]
    if len(report["kinds"]) > 1:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report["kinds"].items())
        notes.append(f"the rows are of several kinds ({kinds}); a task learns only from those it knows")
    for split, share in (("validation", section.split.validation), ("test", section.split.test)):
        if share and not report["splits"][split]:
            notes.append(
                f"{split} has no rows: none of {kept} fell into its share of {share:g}; "
                f"give more rows, or a larger data.split.{split}"
            )
    for entry in report["dropped"][:5]:
        first = entry["examples"][0]["origin"]
        notes.append(f"{_so_many(entry['rows'])} set aside by {entry['step']}: {entry['reason']} (first: {first})")
    for source in report["sources"]:
        notes += [f"{name} was passed over: {why}" for name, why in source["passed_over"].items()]
        for file in source["files"]:
            notes += [f"{file['file']}: {_so_many(count)} repaired: {how}" for how, count in file["repaired"].items()]
    return notes


def _so_many(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _check_training(report: dict[str, Any]) -> None:
    if report["splits"]["train"]:
        return
    if report["rows"]["kept"]:
        raise DataError(
            f"no row is left to train on: all {report['rows']['kept']} fell into validation and test",
            where="data.split",
            fix="give more rows, or set data.split.validation and data.split.test to 0",
        )
    if not report["dropped"]:
        raise DataError("there are no rows to train on", where="train", fix="give the split train at least one record")
    reasons = "; ".join(f"{entry['rows']} × {entry['reason']}" for entry in report["dropped"][:3])
    raise DataError(
        f"no row is left to train on: all {report['rows']['read']} were set aside ({reasons})",
        where=report["dropped"][0]["examples"][0]["origin"],
        fix="mend the rows that were set aside, or name other sources",
    )


def _finish(draft: Path, report: dict[str, Any], writer: DatasetWriter) -> None:
    write_json(draft / "report.json", report)
    (draft / "card.md").write_text(card(report, writer.samples), encoding="utf-8")


def _facts(report: dict[str, Any]) -> dict[str, Any]:
    return {"rows": report["splits"], "dropped": report["rows"]["dropped"], "kinds": report["kinds"]}
