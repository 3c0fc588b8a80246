"""What the tests of tables share: columns made into rows, and steps run over them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tuneloop.data.transforms import Transform
from tuneloop.parts import find
from tuneloop.rows import Drop, Fields, Record, Scalar


def table(**columns: list[Any]) -> list[Record]:
    """Records of a table given by its columns."""
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    return [Record.of(Fields(dict(zip(names, row, strict=True))), origin=f"t.csv:{i}") for i, row in enumerate(rows, 2)]


def of_file(path: Path, rows: int | None = None) -> Iterator[Record]:
    """Records of a CSV file."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    for i, row in enumerate(islice(csv.DictReader(io.StringIO(text, newline="")), rows), 2):
        yield Record.of(Fields(dict(row)), origin=f"{path.name}:{i}")


def step(name: str, **options: Any) -> Transform:
    """A transform by its name."""
    return find(Transform, name).model_validate(options)


def through(records: Iterable[Record], *steps: Transform) -> list[Record | Drop]:
    """What comes out behind the last of some steps; what an earlier one sets aside is in it."""
    items: list[Record | Drop] = list(records)
    for each in steps:
        aside = [item for item in items if isinstance(item, Drop)]
        items = [*each.run([item for item in items if isinstance(item, Record)]), *aside]
    return items


def cells(items: Iterable[Record | Drop], column: str) -> list[Scalar]:
    """A column of what was kept."""
    return [item.content.values.get(column) for item in items if isinstance(item, Record)]  # type: ignore[union-attr]
