"""Encoded rows: a split as the model sees it, made once and kept in flat arrays, with what was left out and why."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import msgspec
import numpy as np

from tuneloop.errors import TrainingError
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import Drop, Record
from tuneloop.store import Dataset, Store
from tuneloop.store.digest import of_value
from tuneloop.store.disk import writing
from tuneloop.tasks import Example, Task

if TYPE_CHECKING:
    from tuneloop.models import Tokenizer

FORMAT = 1
NOTHING = "nothing to learn"


@dataclass(frozen=True)
class Encoded:
    """The examples of one split, one after the other in flat arrays (5 bytes a token).

    Attributes:
        ids: Token ids of all examples, ``(tokens,)``, int32.
        learn: Whether each token is learned, ``(tokens,)``, uint8.
        ends: Where each example ends, ``(examples,)``, int64.
        records: Id of the record of each example.
        origins: Where that record came from.
        dropped: Records that gave no example, with the reason.
        rows: Records read.
    """

    ids: np.ndarray
    learn: np.ndarray
    ends: np.ndarray
    records: list[str]
    origins: list[str]
    dropped: list[Drop]
    rows: int

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Example:
        start, end = int(self.ends[index - 1]) if index else 0, int(self.ends[index])
        return Example(tuple(self.ids[start:end].tolist()), tuple(self.learn[start:end].tolist()), self.records[index])

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, ``(examples,)``."""
        return np.diff(self.ends, prepend=0)

    def account(self) -> dict[str, Any]:
        """What became of the rows: rows = records used + records dropped, and the first origins of each reason."""
        reasons = Counter(drop.reason for drop in self.dropped)
        return {
            "rows": self.rows,
            "used": self.rows - len(self.dropped),
            "examples": len(self),
            "tokens": int(self.ids.size),
            "learned_tokens": int(self.learn.sum()),
            "longest": int(self.lengths.max()) if len(self) else 0,
            "dropped": dict(reasons.most_common()),
            "dropped_origins": {
                reason: [drop.origin for drop in self.dropped if drop.reason == reason][:20] for reason in reasons
            },
        }


def encode(
    records: Iterable[Record], task: Task, tokenizer: Tokenizer, max_length: int, *, progress: Progress
) -> Encoded:
    """Turn records into examples; one that leaves nothing to learn is set aside with the others.

    Raises:
        DataError: A row is too long and the task's ``on_overlength`` is ``error``.
    """
    ids, learn, ends = array("i"), array("B"), array("q")
    names: list[str] = []
    origins: list[str] = []
    dropped: list[Drop] = []
    rows = 0
    for rows, record in enumerate(records, start=1):
        made = task.encode(record, tokenizer, max_length)
        if isinstance(made, list):
            # The first token has nothing before it to be predicted from, so it alone teaches nothing.
            useful = [example for example in made if any(example.learn[1:])]
            for example in useful:
                ids.extend(example.ids)
                learn.extend(example.learn)
                ends.append(len(ids))
                names.append(example.record)
                origins.append(record.origin)
            made = useful or Drop(NOTHING, "encode", record.origin, id=record.id)
        if isinstance(made, Drop):
            dropped.append(made)
        if rows % 256 == 0:
            progress.advance(rows)
    progress.advance(rows)
    return Encoded(
        np.array(ids, np.int32), np.array(learn, np.uint8), np.array(ends, np.int64), names, origins, dropped, rows
    )


def encoded(
    dataset: Dataset, split: str, task: Task, tokenizer: Tokenizer, max_length: int, *, store: Store, progress: Progress
) -> Encoded:
    """The encoded split, from the store's cache where the same rows were encoded in the same way before.

    Raises:
        DataError: A row is too long and the task's ``on_overlength`` is ``error``.
        StoreError: The cache cannot be written.
    """
    key = of_value([FORMAT, dataset.id, split, task.spelled(), tokenizer.digest, max_length])
    path = store.root / "cache" / f"encoded-{key[:32]}"
    found = _load(path)
    if found is None:
        progress.start(f"encoding {split} rows")
        found = encode(dataset.records(split), task, tokenizer, max_length, progress=progress)
        _save(path, found)
    return found


def refuse_empty(rows: Encoded, dataset: Dataset, max_length: int) -> None:
    """Stop before training when no row teaches anything.

    Raises:
        TrainingError: There is no example; the reasons are counted in the message.
    """
    if len(rows):
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in rows.account()["dropped"].items()) or "no rows"
    raise TrainingError(
        f"nothing to learn: not one of {rows.rows} training rows gives a supervised token ({reasons})",
        where=f"{dataset.id} train",
        fix=f"raise train.max_length (now {max_length}), set task on_overlength: truncate, or check the rows' answers",
    )


class _Head(msgspec.Struct):
    records: list[str]
    origins: list[str]
    dropped: list[Drop]
    rows: int


def _save(path: Path, rows: Encoded) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    head = msgspec.json.encode(_Head(rows.records, rows.origins, rows.dropped, rows.rows))
    with writing(path), fresh.open("wb") as file:
        np.savez(file, ids=rows.ids, learn=rows.learn, ends=rows.ends, head=np.frombuffer(head, np.uint8))
    fresh.replace(path)


def _load(path: Path) -> Encoded | None:
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            head = msgspec.json.decode(arrays["head"].tobytes(), type=_Head)
            return Encoded(
                arrays["ids"], arrays["learn"], arrays["ends"], head.records, head.origins, head.dropped, head.rows
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # a cache that cannot be read is made anew
