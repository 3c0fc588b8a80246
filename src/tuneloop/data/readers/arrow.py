"""Arrow: what the ``datasets`` package keeps in its cache and writes with ``save_to_disk``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from tuneloop.data.columns import without_nulls
from tuneloop.data.decoding import guarded, opened
from tuneloop.data.readers import Raw, Reader
from tuneloop.errors import DataError


@final
class Arrow(Reader):
    """Reads an Arrow stream or file, some rows at a time."""

    endings = (".arrow",)
    tabular = True
    counts = "rows"

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each row as Python values."""
        import pyarrow as pa

        with guarded(path), opened(path) as file:
            magic = file.read(6)
            file.seek(0)
            try:
                source = pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)
                batches = map(source.get_batch, range(source.num_record_batches)) if magic == b"ARROW1" else source
                number = 0
                for batch in batches:
                    batch.validate(full=True)  # Arrow itself trusts every offset of a file
                    for row in batch.to_pylist():
                        number += 1
                        yield Raw(number, without_nulls(row))
            except pa.ArrowException as error:
                raise DataError(f"no sound Arrow file: {error}", where=str(path), fix="write it again") from error
