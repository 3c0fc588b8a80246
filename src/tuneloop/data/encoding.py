"""Encoding: the encoders of a recipe, fitted on its training rows, as one thing that is written and read back.

Median, mode, mean and categories come from the training rows alone; validation, test and the rows that a service is
asked are written with them. ``encoders.json`` holds all of it, in the dataset and in the model that learned from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.data.encoders import Encoder, State
from tuneloop.data.kinship import cell, question
from tuneloop.data.rendering import marked
from tuneloop.errors import DataError, RecordError
from tuneloop.parts import find
from tuneloop.rows import Content, Drop, Fields, Record


@dataclass(frozen=True)
class Encoding:
    """Fitted encoders in order.

    Attributes:
        steps: Each encoder with what it learned.
    """

    steps: tuple[tuple[Encoder, State], ...] = ()

    def apply(self, record: Record) -> Record | Drop:
        """Write a record of any split; one that is no row of a table passes unchanged.

        Returns:
            The record with other content and the same origin, or why it cannot be written.
        """
        try:
            content = self.content(record.content)
        except RecordError as error:
            return Drop(error.problems[0].what, "encoders", record.origin, error.problems[0].where, record.id)
        if content is record.content:
            return record
        done = record.having(content)
        return done if isinstance(content, Fields) else marked(done)

    def content(self, content: Content) -> Content:
        """Write a content, as at training so at serving.

        Raises:
            RecordError: It cannot be written.
        """
        for encoder, state in self.steps:
            if not isinstance(content, Fields):
                break
            content = encoder.encode(content, state)
        return content

    def decode(self, row: Fields) -> Fields:
        """Take the encoding of a row back, last step first."""
        for encoder, state in reversed(self.steps):
            row = encoder.decode(row, state)
        return row

    def write(self, path: Path) -> None:
        """Write the encoders with all that they learned to a JSON file."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.plain()), indent=2) + b"\n")

    def plain(self) -> list[dict[str, Any]]:
        """The steps as plain values."""
        return [{"encoder": encoder.spelled(), "state": state} for encoder, state in self.steps]

    @classmethod
    def read(cls, path: Path) -> Encoding:
        """Read fitted encoders back.

        Raises:
            DataError: The file is damaged, or names an encoder that is not installed.
        """
        try:
            steps = msgspec.json.decode(path.read_bytes(), type=list[_Step])
            return cls(tuple((_part(step.encoder), step.state) for step in steps))
        except (msgspec.DecodeError, LookupError, ValueError) as error:
            raise DataError(
                f"these encoders cannot be read: {error}", where=str(path), fix="prepare the dataset again"
            ) from error


class Apart:
    """Encodes the rows of all splits, and sees to it that none becomes what a row of another split is.

    Two rows that differ may be written alike: a gap filled with the median beside the median itself. Training keeps
    such a row, a held-out one is set aside. Digests of the questions are held in memory.

    Args:
        encoding: The fitted encoders.
        train: The records of the training split.
        column: The column that the split went by; a row that loses it in the encoding keeps it beside.

    Attributes:
        alike: How many rows of each split were set aside because they are written like one of another.
    """

    def __init__(self, encoding: Encoding, train: Iterable[Record], column: str | None = None) -> None:
        self._encoding, self._column = encoding, column
        self._sides: dict[int, str] = {}
        self.alike: Counter[str] = Counter()
        for record in train if encoding.steps else ():
            self.write("train", record)

    def write(self, side: str, record: Record) -> Record | Drop:
        """Encode a row of a split, or say why it cannot stand there."""
        done = self._encoding.apply(record)
        if not self._encoding.steps or isinstance(done, Drop):
            return done
        first = self._sides.setdefault(question(done.content), side)
        if first == side:
            return self._with_column(record, done)
        self.alike[side] += 1
        return Drop(f"the encoders write it like a row of {first}", "encoders", record.origin, id=record.id)

    def _with_column(self, record: Record, done: Record) -> Record:
        value = cell(record, self._column) if self._column else None
        if value is None or cell(done, str(self._column)) is not None:
            return done
        other = {**(done.meta.get("other") or {}), self._column: value}
        return msgspec.structs.replace(done, meta={**done.meta, "other": other})


class _Step(msgspec.Struct):
    encoder: dict[str, dict[str, Any]]
    state: State


def _part(spelled: dict[str, dict[str, Any]]) -> Encoder:
    ((name, options),) = spelled.items()
    return find(Encoder, name).model_validate(options)


def fit(encoders: Sequence[Encoder], train: Callable[[], Iterable[Record]]) -> Encoding:
    """Fit encoders one after the other, each on the training rows as those before it write them.

    Args:
        encoders: The encoders of the recipe.
        train: Gives the records of the training split, anew each time it is called: once for each encoder.

    Returns:
        The fitted encoders.

    Raises:
        DataError: There are no rows of tables to fit on, or an encoder cannot take a column it was given.
    """
    encoding = Encoding()
    for encoder in encoders:
        rows = _Rows(encoding, train())
        state = encoder.fit(rows)
        if not rows.count:
            raise DataError(
                f"{encoder.name} finds no row of a table in training",
                where="data.encoders",
                fix="take data.encoders out, read the source as a table (format: table), "
                "and put render last, if it is there",
            )
        encoding = Encoding((*encoding.steps, (encoder, state)))
    return encoding


class _Rows:
    """The rows of tables among records, as an encoding so far writes them; counted."""

    def __init__(self, encoding: Encoding, records: Iterable[Record]) -> None:
        self._encoding, self._records, self.count = encoding, records, 0

    def __iter__(self) -> Iterator[Fields]:
        for record in self._records:
            done = self._encoding.apply(record)
            if isinstance(done, Record) and isinstance(done.content, Fields):
                self.count += 1
                yield done.content
