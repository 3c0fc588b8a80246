"""Additions: on which side of a finished dataset new rows belong, such as the corrections that people gave."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tuneloop.data.kinship import cell, question, same_group
from tuneloop.data.near.search import Search
from tuneloop.data.nearness import Texts, crossings
from tuneloop.data.placing import TWO_SIDES
from tuneloop.data.roster import STEP
from tuneloop.data.section import Split
from tuneloop.data.split import SIDES, Side, place, side, side_at
from tuneloop.rows import Drop, Record
from tuneloop.store import Dataset


def place_additions(records: Sequence[Record], dataset: Dataset, split: Split, seed: int) -> list[Side | Drop]:
    """Give new rows a side: that of their kin in the dataset, else their own; kin on two sides set a row aside.

    By time, a row without kin goes to training: what people correct is there to be learned, and it carries no time of
    the column. Otherwise its group or its question decides.

    Args:
        records: The new rows; those in front count as kin of those behind them.
        dataset: The dataset that they are added to.
        split: Its split.
        seed: The recipe's seed.

    Returns:
        For each row its side, or why it has none.
    """
    keys = [_keys(record, split) for record in records]
    wanted = {key for each in keys for key in each}
    stands: dict[int, dict[int, str]] = {}
    for number, record in _rows(dataset):
        for key in _keys(record, split):
            if key in wanted:
                stands.setdefault(key, {}).setdefault(number, record.origin)
    near, mutual = _near(records, dataset, split)
    placed: list[Side | Drop] = []
    for index, record in enumerate(records):
        kin = {**near.get(index, {})}
        for key in keys[index]:
            kin |= stands.get(key, {})
        for other in mutual.get(index, ()):
            if isinstance(found := placed[other], str):
                kin.setdefault(SIDES.index(found), records[other].origin)
        if len(kin) > 1:
            told = "; ".join(f"{origin} is {SIDES[number]}" for number, origin in sorted(kin.items()))
            placed.append(Drop(TWO_SIDES, STEP, record.origin, told, record.id))
            continue
        where = SIDES[next(iter(kin))] if kin else _own(record, split, seed)
        placed.append(where)
        for key in keys[index]:
            stands.setdefault(key, {}).setdefault(SIDES.index(where), record.origin)
    return placed


def _rows(dataset: Dataset) -> Iterator[tuple[int, Record]]:
    for number, name in enumerate(SIDES):
        for record in dataset.records(name):
            yield number, record


def _keys(record: Record, split: Split) -> list[int]:
    group = cell(record, split.column) if split.by == "group" and split.column else None
    return [question(record.content), *([] if group is None else [same_group(group)])]


def _own(record: Record, split: Split, seed: int) -> Side:
    if split.by == "time":
        return "train"
    group = _keys(record, split)[1:] if split.by == "group" else []
    return side_at(place(["group", *group], seed), split) if group else side(record.content, split, seed)


def _near(
    records: Sequence[Record], dataset: Dataset, split: Split
) -> tuple[dict[int, dict[int, str]], dict[int, list[int]]]:
    """For each new row a near row on every side where there is one, and the near rows among the new before it."""
    near: dict[int, dict[int, str]] = {}
    mutual: dict[int, list[int]] = {}
    if split.near is None:
        return near, mutual
    origins: list[tuple[int, str]] = []

    def standing() -> Iterator[tuple[int, Record]]:
        for number, record in _rows(dataset):
            origins.append((number, record.origin))
            yield -len(origins), record

    with tempfile.TemporaryDirectory() as folder:
        search, new_rows = Search(similarity=split.near, spill=Path(folder)), list(enumerate(records))
        sides: Callable[[int], int] = lambda index: int(index < 0)  # noqa: E731 - a line is enough
        for (old, _), (new, _) in crossings(Texts(standing()), Texts(new_rows), sides, search):
            number, origin = origins[-1 - old]
            near.setdefault(new, {}).setdefault(number, origin)
        for (one, _), (other, _) in crossings(Texts(new_rows), Texts(new_rows), lambda index: index, search):
            if other < one:
                mutual.setdefault(one, []).append(other)
    return near, mutual
