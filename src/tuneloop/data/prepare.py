"""Preparation: raw rows in, one sealed dataset version out.

::

    files ─reader─▶ raw rows ─format─▶ records ─transforms─▶ records ─split─▶ train · validation · test
                       └───────────┴─────────────┴──▶ set aside, with the reason and the place

The rows stream: only what a step must remember (digests of rows seen) is held in memory. Steps that look at one row
at a time are shared by processes (:mod:`tuneloop.data.stretch`); the others see the rows one after the other. The
sums are checked before anything is sealed. The same files, section and seed give the same dataset id on any machine,
with any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tuneloop.data import card
from tuneloop.data.certificate import FILE as CERTIFICATE
from tuneloop.data.certificate import certify_folder, leaks, promised
from tuneloop.data.fetching.desk import Desk
from tuneloop.data.forgetting.withheld import Withheld, withheld
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import Step, balance
from tuneloop.data.mixing import mixture, samples
from tuneloop.data.parallel import Crew
from tuneloop.data.placing import distribute, split_notes
from tuneloop.data.road import TELL, Road
from tuneloop.data.section import DataSection, Split
from tuneloop.data.sources import OpenSource, open_sources
from tuneloop.data.split import SIDES
from tuneloop.data.transforms import Place
from tuneloop.data.transforms.length import Length
from tuneloop.data.varying.growing import growth_notes, unanswered
from tuneloop.data.writing import DatasetWriter, write_json
from tuneloop.errors import DataError
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.rows import Drop, Record
from tuneloop.store import Dataset, Store
from tuneloop.store.digest import of_value
from tuneloop.store.gc import sweep

VERSION = 2
"""Version of what a prepared dataset looks like; a new one makes every dataset anew."""


def prepare(
    section: DataSection,
    store: Store,
    *,
    seed: int,
    folder: Path,
    progress: Progress | None = None,
    refresh: bool = False,
) -> Dataset:
    """Make a dataset version of the rows of a recipe's sources.

    Args:
        section: The recipe's data section.
        store: Where the dataset goes.
        seed: The recipe's seed; it decides the split.
        folder: The folder that the section's relative paths start from.
        progress: Takes what a person should see meanwhile.
        refresh: Whether to fetch again what lies elsewhere and was fetched before.

    Returns:
        The dataset; the one that is there already, if the same was prepared before.

    Raises:
        DataError: A source cannot be read, its format is unknown, or no row is left to train on.
        StoreError: The store cannot take the dataset.
    """
    progress = progress or Silent()
    progress.start("looking at the sources")
    with store.draft() as drafts:
        sources, read = open_sources(section, folder, Desk(store, folder, drafts, refresh, progress))
        return _prepared(section, store, seed, folder, progress, sources, read)


def _prepared(
    section: DataSection,
    store: Store,
    seed: int,
    folder: Path,
    progress: Progress,
    sources: list[OpenSource],
    read: dict[str, str],
) -> Dataset:
    """The dataset of opened sources: found, or made."""
    if any(file.fetched for source in sources for file, _ in source.files):
        progress.start("looking at what was fetched")
    progress.advance(sum(len(source.files) for source in sources))
    made_from = of_value(
        {
            "version": VERSION,
            "section": section.model_dump(mode="json", exclude={"processes", "cluster"}),
            "seed": seed,
            "files": [[file.name, digest] for source in sources for file, digest in source.files],
            "read": read,
            "stamps": [
                *(transform.at(Place(folder)).stamp() for transform in section.transforms),
                *(augmenter.at(Place(folder, store=store)).stamp() for augmenter in section.varied_by),
            ],
        }
    )
    like = store.get(Dataset, section.split.like) if section.split.like else None
    if like is not None and like.report.get("made_from") == made_from:
        return like
    key = of_value([made_from, like.id]) if like else made_from
    found = store.find(Dataset, key)
    if found is not None:
        return found
    sweep(store)
    with store.draft() as draft, store.draft() as spill:
        away = withheld(store, {file.name: digest for source in sources for file, digest in source.files})
        with Crew(section.processes) as crew:
            place = Place(folder, spill, seed, store, crew)
            report = _write(draft, section, sources, place, progress, away, like, made_from)
        parents = {"like": like.id} if like else {}
        fetched = {file.name: file.fetched for source in sources for file, _ in source.files if file.fetched}
        facts = {**_facts(report), **({"fetched": fetched} if fetched else {})}
        if unanswered(report):
            key = of_value([key, "unanswered"])  # so that the same recipe asks once more, another time
        return store.seal(Dataset, draft, parents=parents, key=key, facts=facts)


def from_records(
    records_by_split: Mapping[str, Iterable[Record]],
    store: Store,
    *,
    parents: dict[str, str],
    key: str,
    report: dict[str, Any],
    dropped: Iterable[Drop] = (),
    progress: Progress | None = None,
) -> Dataset:
    """Make a dataset version of records that are there already, such as corrected answers beside old rows.

    Args:
        records_by_split: The records of ``train``, ``validation`` and ``test``; a split may be left out.
        store: Where the dataset goes.
        parents: Ids of the artifacts the records come from, by their role.
        key: Digest of everything that decided the records.
        report: What to say of their making; it is kept in ``report.json`` under ``made``.
        dropped: What was set aside on the way.
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
    if unknown := sorted(set(records_by_split) - set(SIDES)):
        raise DataError(
            f"there is no split {unknown[0]!r}", where="from_records", fix=f"name one of {', '.join(SIDES)}"
        )
    with store.draft() as draft, store.draft() as spill:
        progress.start("writing rows")
        with DatasetWriter(draft) as writer:
            for side in SIDES:
                for record in records_by_split.get(side, ()):
                    writer.add(side, record)
                    if writer.kinds.total() % TELL == 0:
                        progress.advance(writer.kinds.total())
            for drop in dropped:
                writer.drop(drop)
        progress.advance(writer.kept)
        aside = writer.dropped.total()
        rows = {"read": writer.kept + aside, "kept": writer.kept, "dropped": aside}
        full = {"rows": rows, **writer.report(), "made": report}
        _check_training(full)
        split = promised(store.get(Dataset, parents["dataset"])) if "dataset" in parents else Split()
        full["split"] = split.model_dump(mode="json")
        with Crew() as crew:
            full["certificate"] = certify_folder(draft, split, spill, crew)
        full["notes"] = _notes_of_given(full)
        for note in full["notes"]:
            progress.note(note)
        _finish(draft, full)
        return store.seal(Dataset, draft, parents=parents, key=key, facts=_facts(full))


def _notes_of_given(report: dict[str, Any]) -> list[str]:
    """What was set aside of records that were there already, and what leaks between their splits."""
    away = [
        f"{drop['origin']} was set aside: {each['reason']}" for each in report["dropped"] for drop in each["examples"]
    ]
    return away + [f"rows leak between splits: {found}" for found in leaks(report["certificate"])]


def _write(
    draft: Path,
    section: DataSection,
    sources: list[OpenSource],
    place: Place,
    progress: Progress,
    away: list[Withheld],
    like: Dataset | None,
    made_from: str,
) -> dict[str, Any]:
    named = [(source.source, [file.name for file, _ in source.files]) for source in sources]
    transforms = [*away, *samples(named), *section.transforms, *away]
    hider = Hider([transform.at(place) for transform in transforms])
    steps = [Step(transform.at(place), hider) for transform in transforms]
    workers = section.cluster.open() if section.cluster else nullcontext(place.crew or Crew(1))
    with workers as crew, DatasetWriter(draft, hider, _tokens(section, place)) as writer:
        rows = Road(sources, steps, hider, crew, progress).items()
        placed = distribute(
            rows,
            section,
            place=place,
            writer=writer,
            progress=progress,
            like=like,
            hide=hider.text,
            growths=mixture(named),
        )
    read = sum(counts.read for source in sources for counts in source.counts)
    made = sum(growth["made"] for growth in placed["growth"])
    balance(read, writer.kept, writer.dropped.total(), made)
    report = {
        "rows": {
            "read": read,
            **({"made": made} if placed["growth"] else {}),
            "kept": writer.kept,
            "dropped": writer.dropped.total(),
        },
        **writer.report(),
        "sources": [
            {**source.report(), "rows": counts} for source, counts in zip(sources, _of(sources, writer), strict=True)
        ],
        "steps": [step.report() for step in steps if step.account.dropped or not isinstance(step.transform, Withheld)],
        **placed,
        **_growing(section),
        "governance": section.governance.model_dump(mode="json"),
        "made_from": made_from,
    }
    _check_training(report)
    report["certificate"] = certificate = certify_folder(draft, section.split, place.spill or draft, place.crew)
    if not certificate["clean"]:
        raise RuntimeError(f"the finished splits leak, so they are not sealed: {'; '.join(leaks(certificate))}")
    report["notes"] = [*_notes(report, section), *split_notes(report), *growth_notes(report)]
    for note in report["notes"]:
        progress.note(note)
    _finish(draft, report)
    return report


def _growing(section: DataSection) -> dict[str, Any]:
    """The options of what acts on rows after the split, where there is any; versions are compared by them."""
    spelled = section.model_dump(mode="json", include={"balance", "augment", "encoders"})
    given = {name: options for name, options in spelled.items() if options}
    return {"after_split": given} if given else {}


def _of(sources: list[OpenSource], writer: DatasetWriter) -> list[dict[str, Any]]:
    """What became of the rows of each source, and its share of the training rows."""
    train = writer.splits["train"]
    told = []
    for source in sources:
        names = {file.name for file, _ in source.files}
        found = {key: count for key, count in writer.files.items() if key[0] in names}
        read = sum(counts.read for counts in source.counts)
        kept = sum(count for (_, _, made), count in found.items() if not made)
        learned = sum(count for (_, split, _), count in found.items() if split == "train")
        told.append(
            {
                "read": read,
                "made": sum(count for (_, _, made), count in found.items() if made),
                "kept": kept,
                "dropped": read - kept,
                "train": learned,
                "share": round(learned / train, 4) if train else 0.0,
            }
        )
    return told


def _tokens(section: DataSection, place: Place) -> tuple[str, Callable[[str], int]] | None:
    """The tokenizer that the recipe's data section names, and what counts by it."""
    for transform in section.transforms:
        if isinstance(transform, Length) and transform.tokenizer:
            return transform.tokenizer, transform.at(place).tokens
    return None


def _notes(report: dict[str, Any], section: DataSection) -> list[str]:
    """What a person should know of the result and may want to act on."""
    notes = []
    kept = report["rows"]["kept"]
    if len(report["kinds"]) > 1:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report["kinds"].items())
        notes.append(f"the rows are of several kinds ({kinds}); a task learns only from those it knows")
    for split, share in (("validation", section.split.validation), ("test", section.split.test)):
        alike = report["split"].get("alike", {}).get(split, 0)
        if alike > report["splits"][split]:
            notes.append(
                f"{split} has {report['splits'][split] or 'no'} rows: the encoders write {alike} like a row of another "
                "split, so they were set aside; let them write more of what tells rows apart (render.columns, "
                "render.digits, impute: {add_indicator: true}), or put render into data.transforms, before the split"
            )
        elif share and not report["splits"][split]:
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
            fix="give more rows, or set data.split.validation and data.split.test to 0"
            + (", or data.split.near to null: the rows are near one another" if report["split"].get("joined") else ""),
        )
    if not report["dropped"]:
        raise DataError("there are no rows to train on", where="train", fix="give the split train at least one record")
    reasons = "; ".join(f"{entry['rows']} × {entry['reason']}" for entry in report["dropped"][:3])
    raise DataError(
        f"no row is left to train on: all {report['rows']['read']} were set aside ({reasons})",
        where=report["dropped"][0]["examples"][0]["origin"],
        fix="mend the rows that were set aside, or name other sources",
    )


def _finish(draft: Path, report: dict[str, Any]) -> None:
    write_json(draft / "report.json", report)
    write_json(draft / CERTIFICATE, report["certificate"])
    card.write(draft, report)


def _facts(report: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of the rows: read + made = kept + dropped."""
    rows = report["rows"]
    account = {"read": rows["read"], "made": rows.get("made", 0), "kept": rows["kept"], "dropped": rows["dropped"]}
    return {"rows": report["splits"], **account, "kinds": report["kinds"]}
