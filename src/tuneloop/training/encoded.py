"""Encoded rows: a split as the model sees it, made once and kept in flat arrays, with what was left out and why."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tuneloop.errors import TrainingError
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import Drop, Record
from tuneloop.store import Dataset, Store
from tuneloop.store.digest import of_value
from tuneloop.store.disk import writing
from tuneloop.tasks import LEARNED_BY, Example, Task

if TYPE_CHECKING:
    from tuneloop.models import Tokenizer

FORMAT = 4
DIGEST = 32
NOTHING = "nothing to learn"
NO_MARKS = np.zeros((0, 0), np.int64)


@dataclass(frozen=True)
class Encoded:
    """The examples of one split, one after the other in flat arrays (5 bytes a token), which stay on disk until read.

    Attributes:
        ids: Token ids of all examples, ``(tokens,)``, int32.
        learn: Whether each token is learned, ``(tokens,)``, uint8.
        ends: Where each example ends, ``(examples,)``, int64.
        records: Id of the record of each example.
        origins: Where that record came from.
        dropped: Records that gave no example, with the reason.
        rows: Records read.
        marks: The task's own integers of each example, ``(examples, marks)``, int64.
        values: What the task worked out for each example before training, ``(examples, values)``, fp32; or None.
        cut: Examples that were shortened to fit.
    """

    ids: np.ndarray
    learn: np.ndarray
    ends: np.ndarray
    records: list[str]
    origins: list[str]
    dropped: list[Drop]
    rows: int
    marks: np.ndarray = field(default_factory=lambda: NO_MARKS)
    values: np.ndarray | None = None
    cut: int = 0

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Example:
        start, end = int(self.ends[index - 1]) if index else 0, int(self.ends[index])
        ids, learn = self.ids[start:end].tolist(), self.learn[start:end].tolist()
        return Example(tuple(ids), tuple(learn), self.records[index], tuple(self.marks[index].tolist()))

    def length(self, index: int) -> int:
        """Tokens of one example."""
        return int(self.ends[index] - (self.ends[index - 1] if index else 0))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, ``(examples,)``."""
        return np.diff(self.ends, prepend=0)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the model reads of the examples, and of their marks."""
        digest = hashlib.sha256()
        for each in (self.ids, self.learn, self.ends, self.marks):
            digest.update(each.tobytes())
        return digest.hexdigest()

    def account(self) -> dict[str, Any]:
        """What became of the rows: rows = records used + records dropped, and the first origins of each reason."""
        reasons = Counter(drop.reason for drop in self.dropped)
        return {
            "rows": self.rows,
            "used": self.rows - len(self.dropped),
            "examples": len(self),
            "tokens": int(self.ids.size),
            "learned_tokens": int(self.learn.sum()) - int(self.learn[self.ends - self.lengths].sum()),
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
    ids, learn, ends, marks = array("i"), array("B"), array("q"), array("q")
    names: list[str] = []
    origins: list[str] = []
    dropped: list[Drop] = []
    rows = cut = 0

    def useful() -> Iterator[Example]:
        nonlocal rows
        for rows, record in enumerate(records, start=1):
            made = task.encode(record, tokenizer, max_length)
            if isinstance(made, list):
                # The first token has nothing before it to be predicted from, so it alone teaches only a label.
                learned = [example for example in made if any(example.learn[1:]) or task.choices]
                origins.extend(record.origin for _ in learned)
                yield from learned
                made = learned or Drop(NOTHING, "encode", record.origin, id=record.id)
            if isinstance(made, Drop):
                dropped.append(made)
            if rows % 256 == 0:
                progress.advance(rows)
        progress.advance(rows)

    for example in task.joined(useful(), max_length):
        ids.extend(example.ids)
        learn.extend(example.learn)
        marks.extend(example.marks)
        ends.append(len(ids))
        names.append(example.record)
        cut += example.cut
    return Encoded(
        np.array(ids, np.int32),
        np.array(learn, np.uint8),
        np.array(ends, np.int64),
        names,
        origins,
        dropped,
        rows,
        np.array(marks, np.int64).reshape(len(names), -1) if names else NO_MARKS,
        cut=cut,
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
    path = store.root / "cache" / f"encoded-{dataset.id.rpartition('-')[2]}-{key[:32]}"
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
    dropped = rows.account()["dropped"]
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "no rows"
    fix = f"raise train.max_length (now {max_length}), set task on_overlength: truncate, or check the rows' answers"
    if dropped and all(" learns " in reason for reason in dropped):
        fit = [LEARNED_BY[kind] for kind in dataset.facts.get("kinds", {}) if kind in LEARNED_BY]
        fix = f"these rows are for another task: write task: {' or task: '.join(fit)}" if fit else fix
        if "fields" in dataset.facts.get("kinds", {}):
            fix = "rows of tables are learned from as text: put render last in data.encoders"
    raise TrainingError(
        f"nothing to learn: not one of {rows.rows} training rows gives a supervised token ({reasons})",
        where=f"{dataset.id} train",
        fix=fix,
    )


class _Head(msgspec.Struct):
    records: list[str]
    origins: list[str]
    dropped: list[Drop]
    rows: int
    cut: int


def _save(path: Path, rows: Encoded) -> None:
    from safetensors.numpy import save

    head = msgspec.json.encode(_Head(rows.records, rows.origins, rows.dropped, rows.rows, rows.cut))
    arrays = {"ids": rows.ids, "learn": rows.learn, "ends": rows.ends, "marks": rows.marks}
    arrays["head"] = np.frombuffer(head, np.uint8)
    data = save(arrays)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with writing(path), fresh.open("wb") as file:
        file.write(data)
        file.write(hashlib.sha256(data).digest())
    fresh.replace(path)


def _load(path: Path) -> Encoded | None:
    """The arrays of a cache, mapped from the disk; None where it is missing or damaged, and is to be made anew."""
    if not path.exists() or path.stat().st_size <= DIGEST + 8:
        return None
    whole = np.memmap(path, np.uint8, mode="r")
    if hashlib.sha256(whole[:-DIGEST].data).digest() != whole[-DIGEST:].tobytes():
        return None
    end = 8 + int.from_bytes(whole[:8].tobytes(), "little")
    told = msgspec.json.decode(whole[8:end].tobytes(), type=dict[str, _Array])
    arrays = {name: _mapped(whole[end:], each) for name, each in told.items()}
    head = msgspec.json.decode(arrays["head"].tobytes(), type=_Head)
    ids, learn, ends, marks = (arrays[name] for name in ("ids", "learn", "ends", "marks"))
    return Encoded(ids, learn, ends, head.records, head.origins, head.dropped, head.rows, marks, cut=head.cut)


class _Array(msgspec.Struct):
    """Where an array lies in a file of safetensors, and what it is."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def _mapped(data: np.ndarray, array: _Array) -> np.ndarray:
    start, end = array.data_offsets
    kinds = {"I32": np.int32, "I64": np.int64, "U8": np.uint8}
    return data[start:end].view(kinds[array.dtype]).reshape(array.shape)
