"""Writing a dataset's folder as the rows come: one Parquet file for each split that has rows, and the drops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from tuneloop.data.card.survey import Survey, histogram
from tuneloop.data.contents import characters
from tuneloop.data.growth import PARENT
from tuneloop.data.hiding import Hider
from tuneloop.data.split import SIDES
from tuneloop.rows import Drop, Record, jsonl
from tuneloop.rows.record import source_of
from tuneloop.store.parquet import RecordWriter

EXAMPLES = 3


class DatasetWriter:
    """Writes records by split and drops into a folder, counting them; use it with ``with``.

    Args:
        folder: The draft's folder.
        hider: What must not be seen in the samples.
        tokens: The name of a tokenizer, and what counts the tokens of a text by it, for the card.

    Attributes:
        folder: The draft's folder.
        kinds: Records by kind of content.
        files: Records by the file they came from, their split, and whether they were made of another.
        lengths: For each split, records by the length of their texts: ``{split: {first power of two above: count}}``.
        dropped: Drops by step and reason.
        examples: For each step and reason, a few of the drops.
        survey: What the card says of the rows themselves.
    """

    def __init__(
        self, folder: Path, hider: Hider | None = None, tokens: tuple[str, Callable[[str], int]] | None = None
    ) -> None:
        self.folder = folder
        self._hider = hider or Hider()
        self._tokens = tokens
        self._stack = ExitStack()
        self._writers: dict[str, RecordWriter] = {}
        self._drops = self._stack.enter_context((folder / "dropped.jsonl").open("wb"))
        self.kinds: Counter[str] = Counter()
        self.files: Counter[tuple[str, str, bool]] = Counter()
        self.lengths: dict[str, Counter[int]] = {}
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], list[Drop]] = {}
        self.survey = Survey()

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
        self.files[source_of(record.origin), split, PARENT in record.meta] += 1
        size = characters(record.content)
        self.lengths.setdefault(split, Counter())[size.bit_length()] += 1
        self.survey.add(split, record, size)

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
            "survey": self.survey.report(self._hider, self._tokens),
        }


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
