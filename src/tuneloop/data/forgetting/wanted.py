"""Who or what is to be forgotten: a row by its id or origin, or a person by any text that names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from tuneloop.data.section import DataSection
from tuneloop.data.transforms import Place
from tuneloop.errors import DataError
from tuneloop.rows import Record, Text
from tuneloop.rows.record import source_of
from tuneloop.store import Dataset, Store
from tuneloop.store.digest import of_value
from tuneloop.store.subject import Mark, Search, echo_mark, name_mark, place_mark, row_mark, strings, text_mark, tokens

Kind = Literal["auto", "text", "row"]
_SURE = re.compile(r"[0-9a-f]{32}|exchange:\S+")
_ROW = re.compile(rf"{_SURE.pattern}|.*[:#]\d+")
LONG = 5
"""Words from which a text of a row is looked for elsewhere: shorter ones stand in many rows."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for.

    Attributes:
        act: Id of the act of forgetting it: the same whenever the same is asked.
        salt: The salt of the marks.
        marks: What is kept of it.
        search: Finds the rows.
        echo: Finds their texts, or the name, in files of any kind.
        exchanges: Ids of served answers that the rows came from.
    """

    act: str
    salt: str
    marks: tuple[Mark, ...]
    search: Search
    echo: Search
    exchanges: frozenset[str]


def wanted(store: Store, subject: str, also: Sequence[str] = (), *, kind: Kind = "auto") -> Wanted:
    """Find out what a person means to have forgotten.

    Args:
        store: The store.
        subject: Id or origin of a row, or a text such as a name, an e-mail or a telephone number.
        also: Other texts that name the same person, pseudonyms among them.
        kind: What ``subject`` is; by default a row where it is the id or origin of one.

    Raises:
        DataError: There is no such row, or a text is too short.
    """
    salt = store.forgotten.salt()
    named = tuple(text_mark(text, salt) for text in also)
    if kind == "text" or (kind == "auto" and not _ROW.fullmatch(subject)):
        marks = (text_mark(subject, salt), *named)
        return _wanted(marks, marks, salt, frozenset())
    name = name_mark(subject, salt)
    earlier = [mark for act in store.forgotten.acts() if name in act.marks for mark in act.marks]
    rows = list(_rows(store, subject))
    if not rows and not earlier:
        if kind == "auto" and not _SURE.fullmatch(subject):
            return wanted(store, subject, also, kind="text")
        raise DataError(
            f"no dataset holds a row {subject!r}",
            where=str(store.root),
            fix="give the id or origin as data diff, lineage or the Parquet files show it; a person's name: --as text",
        )
    marks = tuple(dict.fromkeys([name, *earlier, *(mark for row in rows for mark in _marks(*row, salt)), *named]))
    origins = {record.origin for record, _ in rows}
    answered = frozenset(origin.partition(":")[2] for origin in origins if origin.startswith("exchange:"))
    return _wanted((name, *named), marks, salt, answered)


def pseudonyms(section: DataSection, folder: Path, texts: Sequence[str]) -> list[str]:
    """What a recipe with pseudonyms wrote into its rows in the place of some texts.

    Args:
        section: The recipe's data section.
        folder: The recipe's folder.
        texts: Texts that name a person.

    Raises:
        DataError: The secret key is not at hand.
    """
    made = []
    for transform in section.transforms:
        if getattr(transform, "how", "") == "pseudonym":
            rows = [Record.of(Text(text), origin="") for text in texts]
            for row, text in zip(transform.at(Place(folder)).run(rows), texts, strict=True):
                if isinstance(row, Record) and isinstance(row.content, Text) and row.content.text != text:
                    made.append(row.content.text)
    return made


def _wanted(names: tuple[Mark, ...], marks: tuple[Mark, ...], salt: str, exchanges: frozenset[str]) -> Wanted:
    act = f"forget-{of_value(sorted(mark.digest for mark in names))[:12]}"
    return Wanted(act, salt, marks, Search(marks, salt), Search(marks, salt, echoes=True), exchanges)


def digests(dataset: Dataset) -> dict[str, str]:
    """SHA-256 of each source file of a dataset, by the name that origins call it."""
    sources = dataset.report.get("sources", [])
    return {file["file"]: file["sha256"] for source in sources for file in source["files"]}


def _rows(store: Store, subject: str) -> Iterator[tuple[Record, str]]:
    """The rows of an id, or those of an origin in all versions of the same file, each with the file's digest."""
    file = source_of(subject)
    version: str | None = None
    for manifest in reversed(store.artifacts(Dataset)):
        dataset = store.get(Dataset, manifest.id)
        sha256 = digests(dataset).get(file, "")
        for split in dataset.splits:
            for record in dataset.records(split):
                if record.id == subject or (record.origin == subject and version in (None, sha256)):
                    if record.origin == subject:
                        version = sha256
                    yield record, digests(dataset).get(source_of(record.origin), "")


def _marks(record: Record, sha256: str, salt: str) -> Iterator[Mark]:
    yield row_mark(record.content, salt)
    if sha256:
        yield place_mark(record.origin, sha256, salt)
    for text in strings(msgspec.to_builtins(record.content)):
        if len(tokens(text)) >= LONG:
            yield echo_mark(text, salt)
