"""TSV: a header, then one row a line, cells between tabs, quotation marks without meaning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from tuneloop.data import tables
from tuneloop.data.decoding import lines
from tuneloop.data.readers import Raw, Reader


@final
class Tsv(Reader):
    """Reads tab-separated text."""

    endings = (".tsv", ".tab")
    tabular = True

    names: tuple[str, ...] = ()
    """Column names of a file whose first line is a row already."""
    quotes: bool = False
    """Whether cells may be quoted, as spreadsheets write them; by default a quotation mark is only a character."""

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each row as its cells by column name."""
        return tables.rows(lines(path), delimiter="\t", quotes=self.quotes, names=self.names, where=str(path))
