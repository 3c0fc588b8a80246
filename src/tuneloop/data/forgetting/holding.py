"""Who holds it: datasets with the rows, everything made from them, answers that were served, and unfinished work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.data.forgetting.standing import standing
from tuneloop.data.forgetting.wanted import Wanted, digests
from tuneloop.rows import Drop
from tuneloop.rows.record import source_of
from tuneloop.store import Dataset, Store
from tuneloop.store.exchanges import Exchanges
from tuneloop.store.mentions import below, mentions, unescaped
from tuneloop.store.subject import made_of, words

ASIDE = "set aside"


class Holder(msgspec.Struct, frozen=True):
    """One artifact that holds the rows, was made from them, or names the subject.

    Attributes:
        id: Its id.
        kind: Its kind.
        how: In words.
        rows: Rows of each split of a dataset (``set aside``: of its ledger), or mentions in each file.
        refs: The refs that point at it now.
    """

    id: str
    kind: str
    how: str
    rows: dict[str, int]
    refs: tuple[str, ...]


class Found(msgspec.Struct, frozen=True):
    """Everything that goes back to a subject.

    Attributes:
        holders: The artifacts, datasets with the rows first.
        origins: Where the rows stand in the sources now (``file:line``), to be deleted there by whoever owns them.
        unsure: Sources that the rows were read from, but whose lines cannot be named now, and why.
        exchanges: Ids of served answers that name the subject or that the rows came from.
        work: Folders of unfinished training on these datasets.
        caches: Encoded, fetched and asked rows that hold them or may, and why; they are made anew at need.
        elsewhere: Other files of the store that name the subject, with how often.
    """

    holders: list[Holder]
    origins: list[str]
    unsure: dict[str, str]
    exchanges: list[str]
    work: list[str]
    caches: dict[str, str]
    elsewhere: dict[str, int]

    def __bool__(self) -> bool:
        return bool(self.holders or self.exchanges or self.work or self.elsewhere)


def find(store: Store, subject: Wanted, folders: Sequence[Path] = ()) -> Found:
    """Walk the store and its lineage for everything that goes back to a subject.

    Args:
        store: The store.
        subject: What is looked for.
        folders: Folders of recipes, where source files are looked at besides the folder that the store lies in.
    """
    refs: dict[str, list[str]] = {}
    for ref, id in store.refs.all().items():
        refs.setdefault(id, []).append(ref)
    manifests = store.artifacts()
    children: dict[str, list[str]] = {}
    for manifest in manifests:
        for parent in manifest.parents.values():
            children.setdefault(parent, []).append(manifest.id)
    rows: dict[str, dict[str, int]] = {}
    how: dict[str, str] = {}
    origins: dict[str, set[str]] = {}
    for manifest in manifests:
        if manifest.kind == Dataset.kind:
            dataset = store.get(Dataset, manifest.id)
            counts, places = _in_dataset(dataset, subject)
            files = digests(dataset)
            for place in places:
                origins.setdefault(place, set()).add(files.get(source_of(place), ""))
        else:
            counts = below(store.root / "artifacts" / manifest.id, subject.echo)
        if counts:
            rows[manifest.id] = counts
            how[manifest.id] = _said(manifest.kind, counts)
    kinds = {manifest.id: manifest.kind for manifest in manifests}
    before = {id: said for act in store.forgotten.acts() if act.id == subject.act for id, said in act.held.items()}
    how |= {id: said for id, said in before.items() if id in kinds and id not in how}
    _inherit(how, rows, children, kinds)
    order = sorted(how, key=lambda id: (kinds[id] != Dataset.kind, list(kinds).index(id)))
    holders = [Holder(id, kinds[id], how[id], rows.get(id, {}), tuple(refs.get(id, ()))) for id in order]
    answers = sorted(_answers(store, subject))
    elsewhere = _elsewhere(store, subject)
    if answers:  # the file they are in names the subject of course; later, it must not even in what was overwritten
        elsewhere = {name: count for name, count in elsewhere.items() if not name.startswith("exchanges.db")}
    lines, unsure = standing(origins, subject, [*folders, store.root.absolute().parent])
    return Found(
        holders,
        lines,
        unsure,
        answers,
        sorted(_work(store, set(how))),
        _caches(store, subject, {*how, *before}) if how or before else {},
        elsewhere,
    )


def _in_dataset(dataset: Dataset, subject: Wanted) -> tuple[dict[str, int], set[str]]:
    counts: Counter[str] = Counter()
    origins: set[str] = set()
    files = digests(dataset)
    for split in dataset.splits:
        for record in dataset.records(split):
            if subject.search.record(record, files.get(source_of(record.origin), "")):
                counts[split] += 1
                origins.add(made_of(record))
    for drop in dataset.dropped():
        if names(drop, subject):
            counts[ASIDE] += 1
            origins.add(drop.origin)
    for path in sorted(dataset.folder.iterdir()):
        if path.is_file() and path.suffix != ".parquet" and path.name != "dropped.jsonl":
            counts[path.name] += mentions(path, subject.echo)
    return {where: count for where, count in counts.items() if count}, origins


def names(drop: Drop, subject: Wanted) -> bool:
    """Whether a row that was set aside names the subject, or quotes its rows."""
    return subject.echo.text(unescaped(words([drop.detail, drop.origin])))


def _said(kind: str, counts: dict[str, int]) -> str:
    if kind == Dataset.kind:
        return "holds " + ", ".join(f"{count} in {where}" for where, count in counts.items())
    return "names it in " + ", ".join(counts)


def _inherit(
    how: dict[str, str], rows: dict[str, dict[str, int]], children: dict[str, list[str]], kinds: dict[str, str]
) -> None:
    """Add all that was made from a holder; a dataset is one only if it holds the rows itself."""
    learned = {"train", "validation", "test"}
    walk = [id for id in how if kinds[id] != Dataset.kind or learned & rows.get(id, {}).keys()]
    for id in walk:
        for child in children.get(id, ()):
            if child not in how and kinds[child] != Dataset.kind:
                how[child] = f"was made from {id}"
                walk.append(child)


def _answers(store: Store, subject: Wanted) -> Iterator[str]:
    path = store.root / "exchanges.db"
    if path.exists():
        with Exchanges(path) as exchanges:
            for exchange in exchanges.all():
                said = [exchange, exchanges.feedback(exchange.id)]
                if exchange.id in subject.exchanges or subject.echo.text(words(said)):
                    yield exchange.id


def _caches(store: Store, subject: Wanted, held: set[str]) -> dict[str, str]:
    """The caches that hold the rows or may, and why: those of other datasets are left alone."""
    found: dict[str, str] = {}
    named = all(mark.kind == "text" for mark in subject.marks)
    for path in sorted((store.root / "cache").glob("*")):
        kind, _, rest = path.name.partition("-")
        dataset = f"{Dataset.kind}-{rest.partition('-')[0]}" if "-" in rest else ""
        if kind == "encoded" and (not dataset or any(id.startswith(dataset) for id in held)):
            found[path.name] = "rows of a dataset that holds them" if dataset else "does not say of which dataset"
        elif kind == "reference":
            found[path.name] = "figures of rows, which do not say of which"
        elif kind in ("fetched", "answered"):
            if (path.is_dir() and below(path, subject.echo)) or (path.is_file() and mentions(path, subject.echo)):
                found[path.name] = "names the subject"
            elif not named:
                found[path.name] = "cannot be searched for a row as it was before it was prepared"
    return found


def _work(store: Store, held: set[str]) -> Iterator[str]:
    """The work folders whose run stands on one of the artifacts."""
    for path in (store.root / "work").glob("*/asked.json"):
        asked: dict[str, Any] = msgspec.json.decode(path.read_bytes())["asked"]
        if held & {value for value in asked.values() if isinstance(value, str)}:
            yield path.parent.name


def _elsewhere(store: Store, subject: Wanted) -> dict[str, int]:
    """The store's files besides artifacts and served answers."""
    found: dict[str, int] = {}
    for path in sorted(store.root.iterdir()):
        if path.is_dir() and path.name != "artifacts":
            found |= {f"{path.name}/{name}": count for name, count in below(path, subject.echo).items()}
        elif path.is_file():
            count = mentions(path, subject.echo)
            found |= {path.name: count} if count else {}
    return found
