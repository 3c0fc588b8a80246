"""Parquet: a table of typed columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from tuneloop.data.columns import without_nulls
from tuneloop.data.decoding import guarded, opened
from tuneloop.data.readers import Raw, Reader
from tuneloop.errors import DataError

BATCH = 1024


@final
class Parquet(Reader):
    """Reads a Parquet file, some rows at a time."""

    endings = (".parquet",)
    tabular = True
    counts = "rows"

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each row as Python values."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with guarded(path), opened(path) as file:
            try:
                number = 0
                for batch in pq.ParquetFile(file).iter_batches(batch_size=BATCH):
                    for row in batch.to_pylist():
                        number += 1
                        yield Raw(number, without_nulls(row))
            except pa.ArrowException as error:
                raise DataError(f"no sound Parquet file: {error}", where=str(path), fix="write it again") from error
