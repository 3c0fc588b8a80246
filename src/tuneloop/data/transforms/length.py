"""Length: rows whose answer (or text) is empty, too short or too long are set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import final

from pydantic import Field

from tuneloop.data.contents import answers
from tuneloop.data.transforms import Transform
from tuneloop.rows import Content, Drop, Labeled, Record, Text


@final
class Length(Transform):
    """Measures every answer of a row, or its text; an answer that calls a tool is never too short."""

    min_chars: int = Field(1, ge=0)
    """Fewest characters of an answer or text, blanks around it not counted; 1 drops only what is empty."""
    max_chars: int | None = Field(None, ge=1)
    """Most characters of an answer or text; no limit by default, since ``max_length`` counts tokens in training."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on what fits."""
        for record in records:
            reason = self.reason(record.content)
            yield Drop(reason, self.name, record.origin, id=record.id) if reason else record

    def reason(self, content: Content) -> str:
        """Why a content does not fit; empty if it does."""
        for answer in answers(content):
            size = None if answer is None else len(answer.strip())
            if size is not None and size < self.min_chars:
                what = "text" if isinstance(content, Text | Labeled) else "answer"
                return f"the {what} is empty" if size == 0 else f"shorter than {self.min_chars} characters"
            if size is not None and self.max_chars is not None and size > self.max_chars:
                return f"longer than {self.max_chars} characters"
        return ""
