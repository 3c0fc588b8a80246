"""Boilerplate: what assistants and web pages say around every text is cut out of answers and running text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Literal, TypeAlias, final

from pydantic import Field

from tuneloop.data.phrases import without_assistant, without_closing, without_page, without_tags
from tuneloop.data.sides import with_answers
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record, Text

Kind: TypeAlias = Literal["assistant", "closing", "page", "tags"]
_WITHOUT: dict[Kind, Callable[[str], str]] = {
    "page": without_page,
    "tags": without_tags,
    "assistant": without_assistant,
    "closing": without_closing,
}


@final
class Boilerplate(Transform):
    """Questions and labelled texts stay as they are: what looks like boilerplate there is what the row is about.

    Lines of web pages are cut out of running text only, since an answer may be asked to be one.
    """

    rowwise: ClassVar[bool] = True

    kinds: list[Kind] = Field(["assistant", "closing", "page", "tags"], min_length=1)
    """What is cut: ``assistant`` ("As an AI language model,"), ``closing`` ("Let me know if …"), ``page`` (cookies,
    menus, subscriptions), ``tags`` (HTML left in prose)."""
    how: Literal["cut", "drop"] = "cut"
    """Whether boilerplate is cut out, or the row that has any is set aside."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Cut what is found; a row with nothing else in an answer is set aside."""
        for record in records:
            met: set[Kind] = set()
            emptied: list[str] = []

            def change(text: str, record: Record = record, met: set[Kind] = met, emptied: list[str] = emptied) -> str:
                left = self._without(text, met, running=isinstance(record.content, Text))
                if text.strip() and not left.strip():
                    emptied.append(text)
                return left

            content = with_answers(record.content, change)
            self.tally.update(met)
            if met and self.how == "drop":
                yield Drop(f"boilerplate: {min(met)}", self.name, record.origin, id=record.id)
            elif emptied:
                yield Drop("nothing but boilerplate", self.name, record.origin, id=record.id)
            else:
                yield record.having(content) if met else record

    def _without(self, text: str, met: set[Kind], *, running: bool) -> str:
        """The text without the kinds asked for; those that were there are added to ``met``."""
        for kind, without in _WITHOUT.items():
            if kind in self.kinds and (running or kind != "page") and (left := without(text)) != text:
                met.add(kind)
                text = left
        return text
