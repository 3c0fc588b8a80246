"""Record: the rows of a dataset version of tuneloop, read back as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import msgspec

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Content
from tuneloop.rows import Record as Row

_decoder = msgspec.json.Decoder(Row)


@final
class Record(Format):
    """Takes the exact record from the column ``record``; the other columns are there for other tools."""

    shape = '{"id", "record", ...}: a Parquet file of a tuneloop dataset'
    fields = (
        *("id", "kind", "messages", "text", "label", "prompt", "chosen", "rejected", "fields"),
        *("origin", "meta", "record"),
    )

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where a record stands beside its id."""
        return 1.0 if {"id", "kind", "origin", "record"} <= row.keys() else 0.0

    def content(self, row: Mapping[str, Any]) -> Content:
        """Read one row."""
        try:
            return _decoder.decode(turns.text(row.get("record"), "record")).content
        except msgspec.DecodeError as error:
            turns.refuse("`record` is no record of tuneloop", f"record: {error}", "name the columns instead (columns:)")
