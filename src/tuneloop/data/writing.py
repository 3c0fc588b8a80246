"""Writing a dataset's folder as the rows come: one Parquet file for each split that has rows, and the drops."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from tuneloop.data.contents import characters
from tuneloop.data.growth import PARENT
from tuneloop.data.hiding import Hider
from tuneloop.data.mixing import file_of
from tuneloop.data.split import SIDES
from tuneloop.rows import Drop, Record, jsonl
from tuneloop.store.parquet import RecordWriter

EXAMPLES = 3


class DatasetWriter:
    """Writes records by split and drops into a folder, counting them; use it with ``with``.

    Args:
        folder: The draft's folder.
        hider: What must not be seen in the samples.

    Attributes:
        folder: The draft's folder.
        kinds: Records by kind of content.
        files: Records by the file they came from, their split, and whether they were made of another.
        lengths: For each split, records by the length of their texts: ``{split: {first power of two above: count}}``.
        dropped: Drops by step and reason.
        examples: For each step and reason, a few of the drops.
        samples: For each split, its first contents.
    """

    def __init__(self, folder: Path, hider: Hider | None = None) -> None:
        self.folder = folder
        self._hider = hider or Hider()
        self._stack = ExitStack()
        self._writers: dict[str, RecordWriter] = {}
        self._drops = self._stack.enter_context((folder / "dropped.jsonl").open("wb"))
        self.kinds: Counter[str] = Counter()
        self.files: Counter[tuple[str, str, bool]] = Counter()
        self.lengths: dict[str, Counter[int]] = {}
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], list[Drop]] = {}
        self.samples: dict[str, list[str]] = {}

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def splits(self) -> dict[str, int]:
        """How many records each split has, in the order train, validation, test."""
        return {side: self._writers[side].count if side in self._writers else 0 for side in SIDES}

    @property
    def kept(self) -> int:
        """How many records were written."""
        return sum(self.splits.values())

    def add(self, split: str, record: Record) -> None:
        """Write a record to a split."""
        if split not in self._writers:
            self._writers[split] = self._stack.enter_context(RecordWriter(self.folder / f"{split}.parquet"))
        self._writers[split].add(record)
        self.kinds[type(record.content).__name__.lower()] += 1
        self.files[file_of(record), split, PARENT in record.meta] += 1
        self.lengths.setdefault(split, Counter())[characters(record.content).bit_length()] += 1
        samples = self.samples.setdefault(split, [])
        if len(samples) < EXAMPLES:
            samples.append(self._hider.excerpt(record.content, 400))

    def drop(self, drop: Drop) -> None:
        """Write a row that was set aside."""
        drop = self._hider.drop(drop)
        self._drops.write(jsonl.line(drop))
        key = (drop.step, drop.reason)
        self.dropped[key] += 1
        examples = self.examples.setdefault(key, [])
        if len(examples) < EXAMPLES:
            examples.append(drop)

    def report(self) -> dict[str, Any]:
        """The counts as plain values."""
        return {
            "splits": self.splits,
            "kinds": dict(sorted(self.kinds.items())),
            "dropped": [
                {
                    "step": step,
                    "reason": reason,
                    "rows": count,
                    "examples": [
                        {"origin": drop.origin, "detail": drop.detail} for drop in self.examples[step, reason]
                    ],
                }
                for (step, reason), count in sorted(self.dropped.items(), key=lambda entry: (-entry[1], entry[0]))
            ],
            "characters": {split: histogram(lengths) for split, lengths in sorted(self.lengths.items())},
        }


def histogram(lengths: Counter[int]) -> list[dict[str, int]]:
    """Rows by their characters, in ranges that double: ``{"from": 64, "below": 128, "rows": 7}``.

    Example:
        >>> histogram(Counter({0: 1, 3: 2}))
        [{'from': 0, 'below': 1, 'rows': 1}, {'from': 4, 'below': 8, 'rows': 2}]
    """
    return [
        {"from": 2 ** (bits - 1) if bits else 0, "below": 2**bits, "rows": lengths[bits]} for bits in sorted(lengths)
    ]


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
