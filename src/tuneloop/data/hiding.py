"""Hiding: whatever is shown or written of a row besides the row itself goes without what the recipe takes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from tuneloop.data.columns import excerpt
from tuneloop.data.transforms import Transform
from tuneloop.errors import Problem, TuneloopError
from tuneloop.rows import Drop

REASONS = 1000
"""Reasons of drops that are remembered with their hidden form."""

WHOLE = 100_000
"""Characters of a row that are hidden once more as JSON before an excerpt is cut out of them."""

E = TypeVar("E", bound=TuneloopError)


class Hider:
    """What all transforms of a recipe hide, together.

    A text is hidden whole before anything is cut out of it: half an address would not be known for one.

    Args:
        transforms: The transforms, in the recipe's order; those that hide nothing cost nothing.

    Example:
        >>> Hider([]).excerpt({"text": "to be"})
        '{"text":"to be"}'
    """

    def __init__(self, transforms: Sequence[Transform] = ()) -> None:
        self._transforms = [each for each in transforms if type(each).hide is not Transform.hide]
        self._reasons: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A text without what is hidden."""
        for transform in self._transforms:
            text = transform.hide(text)
        return text

    def value(self, value: Any) -> Any:
        """A plain value without what is hidden in any of its texts, keys of objects included."""
        if not self._transforms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner) for inner in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            written = str(value)
            hidden = self.text(written)
            return value if hidden == written else hidden
        return value

    def excerpt(self, value: Any, size: int = 240) -> str:
        """The beginning of a row as JSON, for people to recognise it."""
        if not self._transforms:
            return excerpt(value, size)
        try:
            whole = self.text(excerpt(self.value(msgspec.to_builtins(value)), WHOLE))  # as JSON: names of columns help
            return whole if len(whole) <= size else whole[: size - 3] + "..."
        except (RecursionError, TypeError, ValueError, OverflowError):
            return ""  # what cannot be taken apart cannot be shown without what it may hold

    def reason(self, reason: str) -> str:
        """The reason of a drop; few differ, so they are remembered."""
        if not self._transforms:
            return reason
        hidden = self._reasons.get(reason)
        if hidden is None:
            hidden = self.text(reason)
            if len(self._reasons) < REASONS:
                self._reasons[reason] = hidden
        return hidden

    def drop(self, drop: Drop) -> Drop:
        """A drop whose reason and detail show nothing."""
        if not self._transforms:
            return drop
        return msgspec.structs.replace(drop, reason=self.reason(drop.reason), detail=self.text(drop.detail))

    def error(self, error: E) -> E:
        """The same error, its words without what is hidden."""
        error.problems = tuple(
            Problem(self.text(problem.what), problem.where, self.text(problem.fix)) for problem in error.problems
        )
        error.args = (error.problems[0].what,)
        return error
