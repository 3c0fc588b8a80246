"""Traces: from a served answer, or any artifact, back to everything it came from, down to source rows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from tuneloop.errors import StoreError
from tuneloop.rows import Exchange, Message
from tuneloop.rows.record import source_of
from tuneloop.store.artifact import Manifest
from tuneloop.store.exchanges import Exchanges
from tuneloop.store.kinds import Dataset
from tuneloop.store.lineage import ancestors, descendants
from tuneloop.store.store import Store

SHOWN = 5
ANSWERS = ("chatcmpl-", "cmpl-")
"""How the ids of answers begin."""


class Source(msgspec.Struct, frozen=True):
    """Training rows by where they came from: file (or ``exchange``), how many, the first few origins, licence."""

    name: str
    rows: int
    first: list[str]
    licence: str = "not stated"


class Trace(msgspec.Struct, frozen=True):
    """Where an answer or an artifact comes from.

    Attributes:
        name: What was asked for.
        artifacts: The artifacts behind it, nearest first: the release or the artifact itself, then its ancestors.
        made: The artifacts that were made from it, nearest first.
        sources: The training rows of the nearest dataset by their source.
        alike: Origins of training rows that ask the same as the answered request.
        exchange: The served answer, where an answer's id was given.
        refs: The refs that point at one of the artifacts now, with what they point at.
    """

    name: str
    artifacts: list[Manifest]
    made: list[Manifest]
    sources: list[Source]
    alike: list[str]
    exchange: Exchange | None
    refs: dict[str, str]


def trace(store: Store, name: str) -> Trace:
    """Follow an answer's id, or the name of an artifact, back to its rows.

    Args:
        store: The store.
        name: The id of an answer as the client saw it, or a ref or id of an artifact.

    Raises:
        StoreError: Nothing has that name.
    """
    exchange = _exchange(store, name)
    if exchange is None and name.startswith(ANSWERS):
        raise StoreError(
            f"no answer has the id {name!r}",
            where=str(store.root / "exchanges.db"),
            fix="give the id as the client got it; answers are kept while serve.log is true",
        )
    start = exchange.release if exchange else store.resolve(name)
    chain = ancestors(store, start)
    dataset = next((manifest for manifest in chain if manifest.kind == Dataset.kind), None)
    sources: list[Source] = []
    alike: list[str] = []
    if dataset is not None:
        sources, alike = _rows(store.get(Dataset, dataset.id), exchange)
    ids = {manifest.id for manifest in chain}
    refs = {ref: id for ref, id in store.refs.all().items() if id in ids}
    return Trace(name, chain, descendants(store, start)[1:], sources, alike, exchange, refs)


def _exchange(store: Store, name: str) -> Exchange | None:
    path = store.root / "exchanges.db"
    if not path.exists():
        return None
    with Exchanges(path) as exchanges:
        found = exchanges.get(name)
    if found and not (store.root / "artifacts" / found.release).exists():
        raise StoreError(
            f"the release {found.release} that gave this answer is no longer in the store",
            where=name,
            fix="restore the store from a copy made before it was removed",
        )
    return found


def _rows(dataset: Dataset, exchange: Exchange | None) -> tuple[list[Source], list[str]]:
    counts: Counter[str] = Counter()
    first: dict[str, list[str]] = {}
    alike: list[str] = []
    question = _last_question(exchange.request) if exchange else None
    for record in dataset.records("train"):
        source = source_of(record.origin)
        counts[source] += 1
        if len(first.setdefault(source, [])) < SHOWN:
            first[source].append(record.origin)
        messages: tuple[Message, ...] = getattr(record.content, "messages", ())
        if question and any(message.role == "user" and message.content.strip() == question for message in messages):
            alike.append(record.origin)
    stated = _licences(dataset)
    sources = [Source(name, rows, first[name], stated.get(name, "not stated")) for name, rows in counts.most_common()]
    return sources, alike[:SHOWN]


def _licences(dataset: Dataset) -> dict[str, str]:
    """The licence of each source file, where it is stated."""
    sources = dataset.report.get("sources", [])
    return {file["file"]: source["licence"] for source in sources for file in source["files"] if source["licence"]}


def _last_question(request: dict[str, Any]) -> str | None:
    """What the user said last in a request, whichever of the two forms it has."""
    messages = request.get("messages")
    if isinstance(messages, list):
        asked = [str(m.get("content", "")) for m in messages if isinstance(m, dict) and m.get("role") == "user"]
        return asked[-1].strip() if asked else None
    prompt = request.get("prompt")
    return prompt.strip() if isinstance(prompt, str) else None
