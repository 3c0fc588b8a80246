"""The split's rules: on which side a row stands that has no kin yet.

In each of them a row that is read later never moves one that was read before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias

import msgspec

from tuneloop.data.moments import told
from tuneloop.data.section import Split
from tuneloop.rows import Content
from tuneloop.rows.record import asked

Side: TypeAlias = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")

_canonical = msgspec.json.Encoder(order="deterministic")


def side(content: Content, split: Split, seed: int) -> Side:
    """Find the side of a row by what it asks.

    The digest of what the row asks, keyed with the seed, is a number that is even over [0, 1). The test rows are
    the lowest share of it and the validation rows the highest, so that changing one share moves no row between
    the other and training.

    Args:
        content: The row's content.
        split: The shares.
        seed: The recipe's seed; another one draws other rows.

    Returns:
        The side.

    Example:
        >>> from tuneloop.rows import Text
        >>> side(Text("to be"), Split(validation=0.0, test=0.0), 42)
        'train'
    """
    return side_at(place(asked(content), seed), split)


def place(value: object, seed: int) -> float:
    """Give a value its place: a number even over [0, 1) that follows from the value and the seed."""
    key = seed.to_bytes(16, "big", signed=True)
    digest = hashlib.blake2b(_canonical.encode(value), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big") / 2**64


def side_at(at: float, split: Split) -> Side:
    """The side of a place: the lowest share is test, the highest validation."""
    if at < split.test:
        return "test"
    return "validation" if at >= 1 - split.validation else "train"


class Rule(Protocol):
    """Gives a side to rows without kin."""

    def own(self, at: float, what: int) -> Side:
        """The side of a row without kin.

        Args:
            at: The place of its question, or of its group.
            what: The number of its label or group, or its time in microseconds.
        """

    def placed(self, what: int, side: Side) -> None:
        """A row was placed, by this rule or with its kin."""


class ByPlace:
    """Random and by group: the place decides."""

    def __init__(self, split: Split) -> None:
        self._split = split

    def own(self, at: float, what: int) -> Side:  # noqa: ARG002
        """The side of its place."""
        return side_at(at, self._split)

    def placed(self, what: int, side: Side) -> None:
        """Nothing follows from it for others."""


class ByLabel:
    """Stratified: after every row, each label has its shares of what came so far, to within one row.

    With held-out share h, the k-th held-out row of a label lies among its rows floor((k-1)/h)+1 to ceil(k/h); which
    one, the place of its question decides. What is held out goes to test and validation so that both keep their
    proportion. Nothing that is read later enters, so rows never move; where kin pull a label over its share, the
    rows after them make up for it.
    """

    def __init__(self, split: Split) -> None:
        validation, test = Fraction(str(split.validation)), Fraction(str(split.test))
        self._held = validation + test
        self._test = test / self._held if self._held else Fraction(0)
        self.counts: dict[int, Counter[Side]] = {}

    def own(self, at: float, what: int) -> Side:
        """The next side of its label."""
        counts = self.counts.get(what, Counter())
        total, held = counts.total() + 1, counts["test"] + counts["validation"]
        top, bottom = self._held.numerator, self._held.denominator
        if top * total <= held * bottom:
            return "train"
        left = -(-(held + 1) * bottom // top) - total + 1  # rows left, this one too, for the next held-out one
        chance = at * max(left, 1)
        if chance >= 1:
            return "train"
        lack = self._test * (held + 1) - counts["test"] - Fraction(1, 2)
        if lack == 0:
            return "test" if chance < 0.5 else "validation"
        return "test" if lack > 0 else "validation"

    def placed(self, what: int, side: Side) -> None:
        """Count it."""
        self.counts.setdefault(what, Counter())[side] += 1


class ByTime:
    """By borders in time.

    Args:
        validation: From this moment on rows are validation; None holds none out.
        test: From this moment on rows are test.
    """

    def __init__(self, validation: int | None, test: int | None) -> None:
        self.validation, self.test = validation, test

    @classmethod
    def of_shares(cls, split: Split, times: list[int]) -> ByTime:
        """Put the borders so that the sides come nearest to their shares; rows of one time stay together.

        Args:
            split: The shares.
            times: The moments of all rows, in order.

        Example:
            >>> rule = ByTime.of_shares(Split(validation=0.25, test=0.25), [1, 2, 3, 3, 4, 5, 6, 7])
            >>> rule.validation, rule.test
            (4, 6)
        """
        count = len(times)
        test, validation = Fraction(str(split.test)), Fraction(str(split.validation))
        last = _border(times, count * (1 - test), count) if test else count
        first = _border(times, count * (1 - test - validation), last) if validation else last
        return cls(
            times[first] if first < last else None,
            times[last] if last < count else None,
        )

    def own(self, at: float, what: int) -> Side:  # noqa: ARG002
        """The side of its time."""
        if self.test is not None and what >= self.test:
            return "test"
        return "validation" if self.validation is not None and what >= self.validation else "train"

    def placed(self, what: int, side: Side) -> None:
        """Nothing follows from it for others."""

    def report(self) -> dict[str, str]:
        """The borders as a recipe's ``after`` takes them."""
        borders = {"validation": self.validation, "test": self.test}
        return {side: told(border) for side, border in borders.items() if border is not None}


def _border(times: list[int], wanted: Fraction, end: int) -> int:
    """The place nearest to the wanted one at which a new time begins; at most ``end``."""
    at = min(round(wanted), end)
    low = at
    while 0 < low < len(times) and times[low] == times[low - 1]:
        low -= 1
    high = at
    while 0 < high < end and times[high] == times[high - 1]:
        high += 1
    return low if low > 0 and wanted - low <= high - wanted else high
