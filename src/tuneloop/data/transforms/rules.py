"""Rules: what the cells of a table must be, said by you; what breaks a rule is emptied or set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal, final

import msgspec
from pydantic import Field, model_validator

from tuneloop.data.cells import is_missing
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record, Scalar


@final
class Rules(Transform):
    """Holds cells to ranges and sets, and rows to columns that must be filled and keys that must be unique."""

    ranges: dict[str, tuple[float | str | None, float | str | None]] = Field(default_factory=dict)
    """Lowest and highest value of columns of numbers, or of dates in ISO 8601: ``{age: [0, 120]}``; null is open."""
    allowed: dict[str, tuple[str | int | float | bool, ...]] = Field(default_factory=dict)
    """The only values that a column may have: ``{state: [CA, OR]}``."""
    required: tuple[str, ...] = ()
    """Columns that must not be missing; a row without one is set aside."""
    unique: tuple[str, ...] = ()
    """Columns that together name a row; of rows with the same values the first stays."""
    otherwise: Literal["empty", "drop"] = "empty"
    """What becomes of a cell out of its range or set: it is emptied, or its row is set aside."""

    @model_validator(mode="after")
    def _in_order(self) -> Rules:
        for name, (low, high) in self.ranges.items():
            if isinstance(low, str) != isinstance(high, str) and None not in (low, high):
                raise ValueError(f"the range of {name} must be two numbers or two dates")
            if low is not None and high is not None and low > high:  # type: ignore[operator]
                raise ValueError(f"the range of {name} ends before it begins")
        return self

    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that its options name."""
        return {
            "ranges": tuple(self.ranges),
            "allowed": tuple(self.allowed),
            "required": self.required,
            "unique": self.unique,
        }

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Check each row; 16 bytes of each key are held in memory if there is one. Other rows pass unchanged."""
        seen: set[bytes] = set()
        for record in records:
            yield self._checked(record, record.content, seen) if isinstance(record.content, Fields) else record

    def _checked(self, record: Record, content: Fields, seen: set[bytes]) -> Record | Drop:
        values = dict(content.values)
        for name in (*self.ranges, *self.allowed):
            value = values.get(name)
            if not is_missing(value) and not self._is_right(name, value):
                self.tally[name] += 1
                if self.otherwise == "drop":
                    return Drop(f"`{name}` is not what the rules allow", self.name, record.origin, id=record.id)
                values[name] = None
        for name in self.required:
            if is_missing(values.get(name)):
                return Drop(f"`{name}` is missing", self.name, record.origin, id=record.id)
        if self.unique:
            plain = msgspec.json.encode([values.get(name) for name in self.unique])
            key = hashlib.blake2b(plain, digest_size=16).digest()
            if key in seen:
                reason = f"an earlier row has the same {' and '.join(self.unique)}"
                return Drop(reason, self.name, record.origin, id=record.id)
            seen.add(key)
        return record if values == content.values else record.having(msgspec.structs.replace(content, values=values))

    def _is_right(self, name: str, value: Scalar) -> bool:
        if name in self.allowed and value not in self.allowed[name]:
            return False
        low, high = self.ranges.get(name, (None, None))
        if low is None and high is None:
            return True
        if isinstance(low if low is not None else high, str):
            return (
                isinstance(value, str)
                and (low is None or value >= str(low))
                and (high is None or value[: len(str(high))] <= str(high))
            )
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return False
        return value is not None and (low is None or value >= low) and (high is None or value <= high)  # type: ignore[operator]
