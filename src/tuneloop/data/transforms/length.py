"""Length: rows whose answer (or text) is empty, too short or too long are set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from tuneloop.data.contents import answers
from tuneloop.data.sides import questions
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError
from tuneloop.rows import Content, Drop, Labeled, Record, Text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_HUB = "hf://"


@final
class Length(Transform):
    """Measures every answer of a row, or its text; an answer that calls a tool is never too short."""

    rowwise: ClassVar[bool] = True

    of: Literal["answers", "questions"] = "answers"
    """Which side is measured; a text without sides is measured either way."""
    min_chars: int = Field(1, ge=0)
    """Fewest characters of an answer or text, blanks around it not counted; 1 drops only what is empty."""
    max_chars: int | None = Field(None, ge=1)
    """Most characters of an answer or text; no limit by default, since ``max_length`` counts tokens in training."""
    min_tokens: int | None = Field(None, ge=1, json_schema_extra={"beside": {"tokenizer": "embedded"}})
    """Fewest tokens of an answer or text."""
    max_tokens: int | None = Field(None, ge=1, json_schema_extra={"beside": {"tokenizer": "embedded"}})
    """Most tokens of an answer or text, special tokens of the chat template not counted."""
    tokenizer: str | None = None
    """Whose tokens are counted: a folder with ``tokenizer.json`` (the base model's), ``embedded`` or ``hf://owner/name``."""

    @model_validator(mode="after")
    def _counts_what_it_can(self) -> Self:
        if (self.min_tokens or self.max_tokens) and not self.tokenizer:
            raise ValueError(
                "min_tokens and max_tokens need a tokenizer: name the base model's folder, embedded or hf://owner/name"
            )
        return self

    def reads(self) -> tuple[str, ...]:
        """The tokenizer's file, where it is a local one."""
        local = self.tokenizer not in (None, "embedded") and not str(self.tokenizer).startswith(_HUB)
        return (f"{self.tokenizer}/tokenizer.json",) if local else ()

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on what fits.

        Raises:
            DataError: The tokenizer cannot be read.
        """
        for record in records:
            reason = self.reason(record.content)
            yield Drop(reason, self.name, record.origin, id=record.id) if reason else record

    def reason(self, content: Content) -> str:
        """Why a content does not fit; empty if it does."""
        what = "question" if self.of == "questions" else "answer"
        what = "text" if isinstance(content, Text | Labeled) else what
        for text in questions(content) if self.of == "questions" else answers(content):
            if text is not None and (reason := self._misfit(text, what)):
                return reason
        return ""

    def tokens(self, text: str) -> int:
        """How many tokens a text has by ``tokenizer``, special tokens not counted.

        Raises:
            DataError: There is no tokenizer, or it cannot be read.
        """
        return len(_open(self.tokenizer or "", self.place.folder).encode(text, add_special_tokens=False).ids)

    def _misfit(self, text: str, what: str) -> str:
        size = len(text.strip())
        if size < self.min_chars:
            return f"the {what} is empty" if size == 0 else f"shorter than {self.min_chars} characters"
        if self.max_chars is not None and size > self.max_chars:
            return f"longer than {self.max_chars} characters"
        if self.tokenizer and (self.min_tokens or self.max_tokens):
            tokens = self.tokens(text)
            if tokens < (self.min_tokens or 0):
                return f"shorter than {self.min_tokens} tokens"
            if self.max_tokens is not None and tokens > self.max_tokens:
                return f"longer than {self.max_tokens} tokens"
        return ""


@cache
def _open(name: str, folder: Path) -> Tokenizer:
    """The tokenizer of that name, neither cutting nor filling up."""
    from tokenizers import Tokenizer

    fix = "give a folder with tokenizer.json, embedded, or hf://owner/name of a model that has one"
    try:
        if name.startswith(_HUB):
            tokenizer = Tokenizer.from_pretrained(name.removeprefix(_HUB))
        else:
            tokenizer = Tokenizer.from_file(str(_file(name, folder)))
    except Exception as error:
        raise DataError(
            f"no tokenizer can be read from {name!r}: {error}", where="length.tokenizer", fix=fix
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _file(name: str, folder: Path) -> Path:
    if name == "embedded":
        from tuneloop import embedded

        return embedded.base() / "tokenizer.json"
    return folder / Path(name).expanduser() / "tokenizer.json"
