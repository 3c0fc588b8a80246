"""Encoders: fitted on the training rows, applied to all, and kept with the model. A new one is one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from tuneloop.data.columns import need
from tuneloop.errors import DataError
from tuneloop.parts import Part
from tuneloop.rows import Content, Fields

State = dict[str, Any]
"""What an encoder has learned from the training rows: plain values that JSON holds exactly."""


class Encoder(Part, ABC):
    """Learns from the training rows how to write rows of tables, so that held-out rows tell it nothing."""

    last: ClassVar[bool] = False
    """Whether what it writes is no row of a table, so that no encoder can follow it."""

    @abstractmethod
    def fit(self, rows: Iterable[Fields]) -> State:
        """Learn from the training rows.

        Args:
            rows: The rows of tables in training, as the encoders before this one write them.

        Returns:
            What :meth:`encode` and :meth:`decode` must know.

        Raises:
            DataError: A column that was asked for is not there, or holds what cannot be encoded.
        """

    @abstractmethod
    def encode(self, row: Fields, state: State) -> Content:
        """Write a row of any split.

        Raises:
            RecordError: It cannot be written; it is set aside with that reason.
        """

    def decode(self, row: Fields, state: State) -> Fields:  # noqa: ARG002
        """Take the encoding back, as far as it can be; by default the row as it is."""
        return row


def chosen(wanted: tuple[str, ...] | None, able: Iterable[str], known: Iterable[str], where: str) -> list[str]:
    """The columns that an encoder works on: those it was given, or all that it can.

    Args:
        wanted: The columns that the recipe names.
        able: The columns whose cells the encoder can take.
        known: All columns.
        where: The encoder's name.

    Raises:
        DataError: A column that the recipe names is not there, or cannot be taken.
    """
    able, known = list(able), list(known)
    if wanted is None:
        return able
    need({"columns": wanted}, known, f"data.encoders.{where}.columns")
    for name in wanted:
        if name not in able:
            raise DataError(
                f"the column {name!r} does not fit {where}",
                where=f"data.encoders.{where}.columns",
                fix="put numbers before it in data.transforms, or name other columns",
            )
    return list(wanted)
