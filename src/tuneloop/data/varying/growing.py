"""Augmentation at work: of the training rows, others that ask the same in another way.

What a row becomes follows from the recipe's seed and the row alone, so rows that are added never change how another
one varies. A variant that equals its parent or any other training row is not added; one that comes near a held-out
row is set aside by who places the rows.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from tuneloop.data.growth import BY, PARENT, SAMPLES, made
from tuneloop.data.kinship import question
from tuneloop.data.section import Augment
from tuneloop.data.transforms import Place
from tuneloop.data.varying.inputs import besides, inputs, why_not
from tuneloop.errors import NoAnswer, RecordError
from tuneloop.rows import Content, Record
from tuneloop.rows.record import digest

AUGMENTED_BY = "augmented_by"
"""Where ``meta`` says which augmenters changed a row, in order."""
SAME, FAILED, KNOWN = "nothing in it changed", "its augmenters failed", "another row asks the same"
SHOWN = 60
"""Characters of a text shown on either side of the place where it changed."""


@dataclass
class _Variant:
    """What augmenters made of a row: its content, who changed it, who failed why, and whether another try may help."""

    content: Content
    why_not: str = ""
    by: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    unanswered: bool = False


class Augmentation:
    """Varies training rows (a :class:`tuneloop.data.growth.Growth`).

    Args:
        section: What the recipe asks for.
        place: Where the work is done.
        hide: Takes out of a text what must not be shown.
    """

    name = "augment"

    def __init__(self, section: Augment, place: Place, hide: Callable[[str], str] = str) -> None:
        self._section, self._hide = section, hide
        self._augmenters = [augmenter.at(place) for augmenter in section.by]
        self._changed: Counter[str] = Counter()
        self._failed: Counter[tuple[str, str]] = Counter()
        self._not_made: Counter[str] = Counter()
        self._unanswered = 0
        self._samples: list[dict[str, str]] = []

    def run(self, records: Iterable[Record], seed: int) -> Iterator[Record]:
        """Give every training row back, and behind it its variants; or, where only copies vary, those varied.

        Args:
            records: The training rows in order; they are gone through twice.
            seed: The recipe's seed.

        Raises:
            DataError: An augmenter cannot work at all.
            RuntimeError: An augmenter changed more than what is asked: a fault of its code.
        """
        seen = {question(record.content) for record in records}
        for record, variants in self._ahead(records, seed):
            if self._section.only_copies:
                yield self._in_place(record, variants, seen)
                continue
            yield record
            number = 0
            for variant in variants:
                if self._is_new(record, variant, seen):
                    number += 1
                    row = made(record, variant.content, number, self.name)
                    yield msgspec.structs.replace(row, meta={**row.meta, AUGMENTED_BY: variant.by})

    def found(self) -> dict[str, Any]:
        """What became of the variants, for the report."""
        return {
            "changed_by": dict(sorted(self._changed.items())),
            "failed": [
                {"augmenter": name, "reason": reason, "rows": count}
                for (name, reason), count in sorted(self._failed.items(), key=lambda entry: (-entry[1], entry[0]))
            ],
            "not_made": dict(sorted(self._not_made.items())),
            "unanswered": self._unanswered,
            "before_after": self._samples,
        }

    def _in_place(self, record: Record, variants: list[_Variant], seen: set[int]) -> Record:
        for variant in variants:
            if self._is_new(record, variant, seen):
                meta = {**record.meta, AUGMENTED_BY: variant.by}
                return Record(digest(variant.content), variant.content, record.origin, meta)
        return record

    def _is_new(self, record: Record, variant: _Variant, seen: set[int]) -> bool:
        self._failed.update(variant.failed)
        self._unanswered += variant.unanswered
        if variant.content == record.content:
            self._not_made[variant.why_not or (FAILED if variant.failed else SAME)] += 1
            return False
        key = question(variant.content)
        if key in seen:
            self._not_made[KNOWN] += 1
            return False
        seen.add(key)
        self._changed.update(variant.by)
        if len(self._samples) < SAMPLES:
            self._samples.append({"parent": record.origin, **self._shown(record.content, variant.content)})
        return True

    def _shown(self, before: Content, after: Content) -> dict[str, str]:
        for old, new in zip(inputs(before), inputs(after), strict=True):
            if old != new:
                shown, then = self._hide(old), self._hide(new)
                same = (at for at, (a, b) in enumerate(zip(shown, then, strict=False)) if a != b)
                at = next(same, min(len(shown), len(then)))
                start = max(0, at - SHOWN)
                return {"before": shown[start : at + SHOWN], "after": then[start : at + SHOWN]}
        return {"before": "", "after": ""}

    def _ahead(self, records: Iterable[Record], seed: int) -> Iterator[tuple[Record, list[_Variant]]]:
        """Every row with its variants, in order; several rows at a time where augmenters wait for answers."""
        width = max(augmenter.together for augmenter in self._augmenters)
        if width == 1:
            for record in records:
                yield record, self._variants(record, seed)
            return
        with ThreadPoolExecutor(width) as pool:
            waiting: deque[tuple[Record, Future[list[_Variant]]]] = deque()
            try:
                for record in records:
                    waiting.append((record, pool.submit(self._variants, record, seed)))
                    if len(waiting) > 2 * width:
                        first, future = waiting.popleft()
                        yield first, future.result()
                while waiting:
                    first, future = waiting.popleft()
                    yield first, future.result()
            finally:
                for _, future in waiting:
                    future.cancel()

    def _variants(self, record: Record, seed: int) -> list[_Variant]:
        if self._section.only_copies and record.meta.get(BY) is None:
            return []
        reason = why_not(record)
        if reason:
            return [_Variant(record.content, reason)]
        copies = 1 if self._section.only_copies else self._section.copies
        return [self._variant(record, f"{seed}:{record.id}:{_tail(record)}:{number}") for number in range(copies)]

    def _variant(self, record: Record, chance: str) -> _Variant:
        fixed, now, variant = besides(record.content), record, _Variant(record.content)
        for place, augmenter in enumerate(self._augmenters):
            random = Random(f"{chance}:{place}")
            if random.random() >= augmenter.probability:
                continue
            try:
                new = augmenter.vary(now, random)
            except RecordError as error:
                variant.failed.append((augmenter.name, error.problems[0].what))
                variant.unanswered |= isinstance(error, NoAnswer)
                continue
            if new.content == now.content:
                continue
            if besides(new.content) != fixed:
                raise RuntimeError(f"the augmenter {augmenter.name} changed more of {record.origin} than what is asked")
            now = new
            variant.by.append(augmenter.name)
        variant.content = now.content
        return variant


def _tail(record: Record) -> str:
    """What tells copies of one row apart: how their origins go on behind their parent's."""
    return record.origin.removeprefix(str(record.meta.get(PARENT, record.origin)))


def unanswered(report: Mapping[str, Any]) -> int:
    """How many variants a dataset lacks for a reason that may pass: a service that was down or busy.

    Args:
        report: The dataset's report.
    """
    return sum(growth.get("unanswered", 0) for growth in report["growth"])


def growth_notes(report: Mapping[str, Any]) -> list[str]:
    """What a person should know of the variants and may want to act on.

    Args:
        report: The dataset's report.
    """
    notes = []
    for growth in report["growth"]:
        failed = [
            f"{each['augmenter']} {each['rows']} times: {each['reason']}" for each in growth.get("failed", ())[:3]
        ]
        if failed:
            notes.append(f"rows stayed as they are where an augmenter failed ({'; '.join(failed)})")
    if count := unanswered(report):
        notes.append(f"{count} variants were not answered; prepare again when the service answers, to have them made")
    return notes
