"""Corrections become rows: the next dataset version is the last one with what people corrected put in.

A correction that asks what an old row asks takes that row's place, on the side of the split where it stood.
Every other one goes to the side that the split rule gives it, so held-out questions stay held out; one that the rule
finds no side for, because rows like it stand on two, is set aside. Of several corrections of one question the newest
counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tuneloop.errors import DataError
from tuneloop.feedback.section import FeedbackSection
from tuneloop.rows import Chat, Content, Drop, Exchange, Feedback, Message, Record, Text
from tuneloop.rows.record import asked, digest
from tuneloop.store import Dataset, Store
from tuneloop.store.digest import of_value
from tuneloop.store.exchanges import Exchanges

ORIGIN = "exchange:"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Collected:
    """Rows for a dataset version, by split.

    Attributes:
        splits: The rows of each split that has any.
        dropped: Corrections that were set aside.
        key: Digest of everything that decided them.
        report: What was counted on the way.
    """

    splits: dict[str, list[Record]]
    key: str
    report: dict[str, Any]
    dropped: tuple[Drop, ...] = ()

    @property
    def making(self) -> dict[str, Any]:
        """What a dataset version is made with besides its rows."""
        return {"key": self.key, "report": self.report, "dropped": self.dropped}


@dataclass(frozen=True)
class _Correction:
    record: Record
    question: str  # digest of what it asks
    exchange: str
    time: float


def collect(
    section: FeedbackSection, *, dataset: Dataset, store: Store, sides: Callable[[list[Record]], Sequence[str | Drop]]
) -> Collected:
    """Put the corrections that people gave into the rows of a dataset.

    Only answers of the recipe that the dataset belongs to count: answers of models that one of its refs has
    pointed at. A dataset that no ref has pointed at takes all there are.

    Args:
        section: The recipe's ``feedback`` section.
        dataset: The dataset version that is continued.
        store: The store with ``exchanges.db``.
        sides: The split rule, for questions that the dataset does not have: for each row its side, or why none.

    Returns:
        All rows of the next version. ``report["new"]`` is 0 if the dataset holds every correction already.

    Raises:
        DataError: There are no corrections, or fewer new ones than ``min_corrections``.
        StoreError: The file of answers cannot be read.
    """
    judged = _judged(store, dataset)
    said: Counter[str] = Counter(_named(feedback) for _, feedback in judged)
    newest, conflicts = _newest(_corrections(judged))
    splits = {name: list(dataset.records(name)) for name in SPLITS}
    held = {record.id for records in splits.values() for record in records}
    new = {question: one for question, one in newest.items() if one.record.id not in held}
    _enough(section, new=len(new), held=len(newest) - len(new), said=said, store=store)
    superseded = _supersede(splits, new)
    placed: Counter[str] = Counter(where for where, _ in superseded.values())
    others = [one.record for question, one in new.items() if question not in superseded]
    dropped: list[Drop] = []
    for record, where in zip(others, sides(others), strict=True):
        if isinstance(where, Drop):
            dropped.append(where)
        else:
            splits[where].append(record)
            placed[where] += 1
    report = {
        "corrections": len(newest),
        "new": len(new) - len(dropped),
        "set_aside": [{"origin": drop.origin, "reason": drop.reason, "detail": drop.detail} for drop in dropped],
        "superseded": sum(count for _, count in superseded.values()),
        "conflicts": conflicts,
        "ratings": {"up": said["up"], "down": said["down"]},
        "comments": said["comment"],
        "placed": dict(placed),
        "rows": {name: len(records) for name, records in splits.items() if records},
    }
    key = of_value(["collect", dataset.id, sorted((one.record.id, one.exchange) for one in new.values())])
    return Collected({name: records for name, records in splits.items() if records}, key, report, tuple(dropped))


def _judged(store: Store, dataset: Dataset) -> list[tuple[Exchange, Feedback]]:
    path = store.root / "exchanges.db"
    if not path.exists():
        return []
    moves = list(store.refs.log())
    recipes = {move.name.rpartition("/")[0] for move in moves if move.id == dataset.id}
    ours = {move.id for move in moves if move.name.rpartition("/")[0] in recipes}
    with Exchanges(path) as exchanges:
        return [pair for pair in exchanges.judged() if not recipes or pair[0].release in ours]


def _named(feedback: Feedback) -> str:
    if feedback.kind == "rating":
        return "up" if feedback.value > 0 else "down"
    return feedback.kind


def _corrections(judged: Iterable[tuple[Exchange, Feedback]]) -> list[_Correction]:
    found = []
    for exchange, feedback in judged:
        if feedback.kind == "correction":
            meta = {"who": feedback.who, "time": feedback.time, "release": exchange.release}
            record = Record.of(_content(exchange, str(feedback.value)), origin=f"{ORIGIN}{exchange.id}", meta=meta)
            found.append(_Correction(record, digest(asked(record.content)), exchange.id, feedback.time))
    return found


def _content(exchange: Exchange, right: str) -> Content:
    """The request with the right answer; earlier answers in it were the model's own, so they are not learned."""
    request = exchange.request
    if "prompt" in request:
        return Text(request["prompt"] + right)
    turns = msgspec.convert(request["messages"], tuple[Message, ...])
    given = tuple(msgspec.structs.replace(turn, learn=False) if turn.role == "assistant" else turn for turn in turns)
    tools = tuple(request.get("tools") or ())
    return Chat((*given, Message("assistant", right)), tools)


def _newest(corrections: list[_Correction]) -> tuple[dict[str, _Correction], list[dict[str, Any]]]:
    """The newest correction of each question, and the questions that were corrected in different ways."""
    by_question: dict[str, list[_Correction]] = {}
    for one in corrections:  # oldest first
        by_question.setdefault(one.question, []).append(one)
    conflicts = [
        {"taken": several[-1].exchange, "passed_over": sorted({one.exchange for one in several[:-1]})}
        for several in by_question.values()
        if len({one.record.id for one in several}) > 1
    ]
    return {question: several[-1] for question, several in by_question.items()}, conflicts


def _supersede(splits: dict[str, list[Record]], new: dict[str, _Correction]) -> dict[str, tuple[str, int]]:
    """Put each correction in the place of the old rows that ask the same.

    Returns:
        For each question that was found: the split, and how many rows it took the place of.
    """
    found: dict[str, tuple[str, int]] = {}
    for name, records in splits.items():
        kept: list[Record] = []
        for record in records:
            question = digest(asked(record.content))
            if question not in new:
                kept.append(record)
                continue
            if question not in found:
                kept.append(new[question].record)
            where, count = found.get(question, (name, 0))
            found[question] = (where, count + 1)
        splits[name] = kept
    return found


def _enough(section: FeedbackSection, *, new: int, held: int, said: Counter[str], store: Store) -> None:
    if new >= section.min_corrections or (held and not new):
        return
    besides = f"besides {said['up'] + said['down']} ratings and {said['comment']} comments"
    if new:
        what = f"there are {new} new corrections, {section.min_corrections} are asked for ({besides})"
        fix = "wait for more, or lower feedback.min_corrections"
    else:
        what = f"nobody has corrected an answer yet ({besides})"
        fix = (
            'serve the model and send corrections: POST /feedback {"exchange": ID, "kind": "correction", "value": TEXT}'
        )
    raise DataError(what, where=str(store.root / "exchanges.db"), fix=fix)
