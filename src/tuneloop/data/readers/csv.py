"""CSV: a header, then one row a line; cells may be quoted and then hold commas and line ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from pydantic import Field

from tuneloop.data import tables
from tuneloop.data.decoding import lines
from tuneloop.data.readers import Raw, Reader


@final
class Csv(Reader):
    """Reads delimited text with quoting."""

    endings = (".csv",)
    tabular = True

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """What stands between cells; by default the most frequent of ``, ; tab |`` in the first line."""
    names: tuple[str, ...] = ()
    """Column names of a file whose first line is a row already."""

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each row as its cells by column name."""
        return tables.rows(lines(path), delimiter=self.delimiter, quotes=True, names=self.names, where=str(path))
