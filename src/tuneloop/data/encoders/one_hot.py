"""One hot: a column of categories becomes a column of 0 and 1 for each category of the training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, final

import msgspec
from pydantic import Field

from tuneloop.data.encoders import Encoder, State, chosen
from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Fields, Scalar


@final
class OneHot(Encoder):
    """Writes ``colour: red`` as ``colour_blue: 0, colour_red: 1``; a missing cell is a category of its own.

    The names are those of scikit-learn's ``OneHotEncoder``, and so are the columns and their order.
    """

    columns: tuple[str, ...] | None = None
    """The columns of categories; by default those with text or yes/no of at most ``max_found`` values in training."""
    handle_unknown: Literal["error", "ignore", "infrequent_if_exist"] = "ignore"
    """A category that training has not: the row is set aside, gets only zeros, or counts as infrequent."""
    drop: Literal["first", "if_binary"] | None = None
    """The category that gets no column: the first of each column, or of those with two categories."""
    min_frequency: int | float | None = Field(None, gt=0)
    """Rarer categories share one column: rows, or a share of the rows below 1."""
    max_found: int = Field(100, ge=2)
    """Most values of a column that is taken without being named."""

    def fit(self, rows: Iterable[Fields]) -> State:
        """Learn the categories of each column, and which of them are rare."""
        seen: dict[str, Counter[Scalar]] = {}
        crowded: set[str] = set()
        count = 0
        for row in rows:
            for name, value in row.values.items():
                if name in crowded:
                    continue
                values = seen.setdefault(name, Counter({None: count} if count else {}))
                values[value] += 1
                if self.columns is None and len(values) > self.max_found:
                    crowded.add(name)
                    seen[name] = Counter()
            count += 1
        for values in seen.values():
            if values and values.total() < count:
                values[None] += count - values.total()
        able = [name for name, values in seen.items() if self.columns is not None or _is_category(values)]
        names = chosen(self.columns, able, seen, self.name)
        return {"columns": {name: self._categories(name, seen[name], count) for name in names}}

    def encode(self, row: Fields, state: State) -> Fields:
        """Write the categories of a row as zeros and one 1, behind its other cells."""
        values = {name: value for name, value in row.values.items() if name not in state["columns"]}
        for name, known in state["columns"].items():
            place = self._place(name, row.values.get(name), known)
            for i, title in enumerate(known["titles"]):
                if title is not None:
                    values[title] = int(i == place)
        return msgspec.structs.replace(row, values=values)

    def decode(self, row: Fields, state: State) -> Fields:
        """Give the categories back; an unknown or a rare one comes back as missing."""
        values = dict(row.values)
        for name, known in state["columns"].items():
            marks = [values.pop(title, 0) if title is not None else None for title in known["titles"]]
            place = next((i for i, mark in enumerate(marks) if mark), None)
            if place is None:
                place = next((i for i, mark in enumerate(marks) if mark is None), len(known["kept"]))
            values[name] = known["kept"][place] if place < len(known["kept"]) else None
        return msgspec.structs.replace(row, values=values)

    def _categories(self, name: str, values: Counter[Scalar], rows: int) -> dict[str, Any]:
        few = 0.0 if self.min_frequency is None else self.min_frequency
        few = few * rows if few < 1 else few
        kept = _ordered(value for value, times in values.items() if times >= few)
        rare = _ordered(value for value, times in values.items() if times < few)
        titles: list[str | None] = [f"{name}_{value}" for value in kept]
        if rare:
            titles.append(f"{name}_infrequent_sklearn")
        if self.drop == "first" or (self.drop == "if_binary" and len(titles) == 2):
            titles[0] = None
        if len(set(titles)) < len(titles):
            raise DataError(
                f"two categories of {name!r} are written alike",
                where="data.encoders.one_hot",
                fix="put trim and numbers before it in data.transforms, so that 1 and '1' are one",
            )
        return {"kept": kept, "rare": rare, "titles": titles}

    def _place(self, name: str, value: Scalar, known: dict[str, Any]) -> int | None:
        for place, category in enumerate(known["kept"]):
            if category == value and isinstance(category, str) == isinstance(value, str):
                return place
        if value in known["rare"] or (self.handle_unknown == "infrequent_if_exist" and known["rare"]):
            return len(known["kept"])
        if self.handle_unknown == "error":
            raise RecordError(
                f"`{name}` has a category that training has not",
                where=name,
                fix="set handle_unknown: ignore, or give training rows of it",
            )
        return None


def _is_category(values: Counter[Scalar]) -> bool:
    kinds = {type(value) for value in values if value is not None}
    return bool(kinds) and kinds <= {str, bool}


def _ordered(values: Iterable[Scalar]) -> list[Scalar]:
    """Categories in order: numbers by value, then text, and missing last."""
    return sorted(values, key=lambda value: (value is None, isinstance(value, str), value if value is not None else 0))
