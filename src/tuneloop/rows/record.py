"""A record: one training row, unchanging, that knows where it came from."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal, TypeAlias

import msgspec

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call of a tool by the assistant: its name and its arguments as a JSON object."""

    name: str
    arguments: dict[str, Any] = {}
    id: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation. ``learn`` overrides whether the turn is learned (assistant turns only)."""

    role: Role
    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    learn: bool | None = None


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """Running text, for continued pre-training."""

    text: str


class Chat(msgspec.Struct, frozen=True, tag="chat", omit_defaults=True):
    """A conversation, with the tools it may call and the generation settings it asks for."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    parameters: dict[str, Any] = {}


class Preference(msgspec.Struct, frozen=True, tag="preference", omit_defaults=True):
    """A prompt with a better and a worse answer; an unpaired judgement leaves one of the two empty."""

    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()


class Labeled(msgspec.Struct, frozen=True, tag="labeled", omit_defaults=True):
    """A text with its label."""

    text: str
    label: str | int | float | bool


Scalar: TypeAlias = str | int | float | bool | None


class Fields(msgspec.Struct, frozen=True, tag="fields", omit_defaults=True):
    """The cells of one row of a table by their columns' names, None where one is missing, and the label if it has one.

    The label stands beside the cells, never among them.
    """

    values: dict[str, Scalar]
    label: Scalar = None


Content: TypeAlias = Text | Chat | Preference | Labeled | Fields

_canonical = msgspec.json.Encoder(order="deterministic")


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of a dataset.

    Attributes:
        id: Digest of the content (32 hexadecimal digits): equal content, equal id.
        content: What is learned from.
        origin: Where the row came from, ``file:line`` or ``exchange:<id>``.
        meta: What the source said besides (source, licence, columns not used).

    Example:
        >>> row = Record.of(Text("to be or not to be"), origin="plays.txt:1")
        >>> row.id == Record.of(Text("to be or not to be"), origin="elsewhere:9").id
        True
    """

    id: str
    content: Content
    origin: str
    meta: dict[str, Any] = {}

    @classmethod
    def of(cls, content: Content, *, origin: str, meta: dict[str, Any] | None = None) -> Record:
        """Make a record; its id follows from its content."""
        return cls(digest(content), content, origin, meta or {})

    def having(self, content: Content) -> Record:
        """The same row with other content and so another id: origin and meta stay."""
        return Record(digest(content), content, self.origin, self.meta)


class Drop(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row that was set aside: why, by which step, and what it was."""

    reason: str
    step: str
    origin: str
    detail: str = ""
    id: str = ""


def digest(value: Any) -> str:
    """Digest any row value by its canonical JSON (32 hexadecimal digits of SHA-256)."""
    return hashlib.sha256(_canonical.encode(value)).hexdigest()[:32]


def asked(content: Content) -> Any:
    """The input side of a row: what is given, without what is to be learned.

    Rows that ask the same thing must never stand on two sides of a split, so splits go by this.

    Example:
        >>> one = Chat((Message("user", "hi"), Message("assistant", "hello")))
        >>> two = Chat((Message("user", "hi"), Message("assistant", "good day")))
        >>> asked(one) == asked(two)
        True
    """
    if isinstance(content, Chat):
        last = max((i for i, m in enumerate(content.messages) if m.role == "assistant"), default=len(content.messages))
        return [(m.role, m.content.strip()) for m in content.messages[:last]] or [
            (m.role, m.content.strip()) for m in content.messages
        ]
    if isinstance(content, Preference):
        return [(m.role, m.content.strip()) for m in content.prompt]
    if isinstance(content, Fields):
        return {name: value.strip() if isinstance(value, str) else value for name, value in content.values.items()}
    return content.text.strip()


_PLACE = re.compile(r"(#\d+)?(:\d+)?(#\d+)?$")
_MADE = re.compile(r"(\+[a-z_]+\d+)+$")


def source_of(origin: str) -> str:
    """The file or other source that an origin names, without the place in it and without what was made of the row.

    Example:
        >>> source_of("faq.jsonl:12"), source_of("faq.json:1#37"), source_of("exchange:chatcmpl-1")
        ('faq.jsonl', 'faq.json', 'exchange')
        >>> source_of("https://api.example.com/items#3:7"), source_of("faq.jsonl:12+oversample1")
        ('https://api.example.com/items', 'faq.jsonl')
    """
    file, _, line = origin.rpartition(":")
    if file and line.isdigit() and "#" not in file:
        return file  # what nearly all origins are like
    row = _MADE.sub("", origin)
    name = _PLACE.sub("", row)
    return name.partition(":")[0] if name == row and "://" not in name else name
