"""Render: the last encoder writes rows of tables as texts, with gaps filled and numbers scaled before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.encoders import Encoder, State, chosen
from tuneloop.data.rendering import Rendering
from tuneloop.rows import Content, Fields


@final
class Render(Rendering, Encoder):
    """Writes each row as text; it learns nothing from training rows, and no encoder can follow it."""

    last: ClassVar[bool] = True

    def fit(self, rows: Iterable[Fields]) -> State:
        """Learn nothing, but see that there are rows of tables."""
        known: dict[str, None] = {}
        count = 0
        for row in rows:
            count += 1
            if self.columns is not None:
                known.update(dict.fromkeys(row.values))
        chosen(self.columns, known, known, self.name)
        return {"rows": count}

    def encode(self, row: Fields, state: State) -> Content:  # noqa: ARG002
        """Write a row.

        Raises:
            RecordError: It has no label to learn, all its cells are missing, or the template fails on it.
        """
        return self.rendered(row)
