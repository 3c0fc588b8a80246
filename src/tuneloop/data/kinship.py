"""Kinship: what makes two rows kin, so that a split must not part them: the same question, group, or near texts."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from typing import Any

import msgspec

from tuneloop.rows import Chat, Content, Fields, Labeled, Message, Preference, Record, Text
from tuneloop.rows.record import asked

CONVERSATION = "conversation"
"""The column that every conversation has: how it begins."""
LABEL = "label"
"""The column that every row with a label has."""
TABLE = "table"
"""Stands in the meta of a row whose text was made of a table's cells: its columns' names make all such texts alike."""
PART = "\x1e"
"""Stands between question and answer in a text that holds both."""

_canonical = msgspec.json.Encoder(order="deterministic")


def question(content: Content) -> int:
    r"""Digest what a row asks, whatever its case, blanks and Unicode spelling (63 bits).

    Example:
        >>> from tuneloop.rows import Text
        >>> question(Text("Who\u3000is  it?\n")) == question(Text("who is it\uff1f"))
        True
    """
    return _digest(_plain(asked(content)))


def whole(content: Content) -> int:
    """Digest a whole row, question and answer, whatever its case, blanks and Unicode spelling (63 bits)."""
    return _digest([type(content).__name__, _plain(msgspec.to_builtins(content))])


def same_group(value: Any) -> int:
    """Digest the value of a group's column (63 bits); blanks around it do not count."""
    return _digest(["group", value.strip() if isinstance(value, str) else value])


def cell(record: Record, column: str) -> Any:
    """What a row says in a column; None where it says nothing.

    Looked for among the cells of a table's row and the columns kept beside a record; besides them ``label`` is the
    label of any row that has one, and ``conversation`` is how a conversation begins: its first question.

    Example:
        >>> from tuneloop.rows import Labeled
        >>> row = Record.of(Labeled("where is it?", "card"), origin="a:1", meta={"other": {"user": "Ann"}})
        >>> cell(row, "label"), cell(row, "user"), cell(row, "age")
        ('card', 'Ann', None)
    """
    content = record.content
    other = record.meta.get("other") or {}
    found = content.values.get(column) if isinstance(content, Fields) else None
    if found is None:
        found = other.get(column)
    if found is None and column == LABEL and isinstance(content, Labeled | Fields):
        found = content.label
    if found is None and column == CONVERSATION and isinstance(content, Chat | Preference):
        turns = content.messages if isinstance(content, Chat) else content.prompt
        found = next((_plain(turn.content) for turn in turns if turn.role == "user"), None)
    return None if found == "" else found


def columns(record: Record) -> list[str]:
    """The names of the columns that :func:`cell` finds in a row."""
    content = record.content
    names = [*content.values, LABEL] if isinstance(content, Fields) else []
    names += [LABEL] if isinstance(content, Labeled) else []
    names += [CONVERSATION] if isinstance(content, Chat | Preference) else []
    return list(dict.fromkeys([*names, *(record.meta.get("other") or {})]))


def near_texts(content: Content) -> tuple[str, ...]:
    r"""The texts of a row in which it may be near another: its question, and question and answer together.

    System prompts are left out: many rows share one, and would look alike for it. Rows of tables have no such text:
    few words in fixed columns are alike without meaning the same.

    Example:
        >>> from tuneloop.rows import Message
        >>> near_texts(Chat((Message("system", "be kind"), Message("user", "hi"), Message("assistant", "hello"))))
        ('hi', 'hi\x1ehello')
    """
    if isinstance(content, Fields):
        return ()
    if isinstance(content, Text | Labeled):
        return (content.text.replace(PART, " "),) if content.text.strip() else ()
    if isinstance(content, Chat):
        last = max((at for at, turn in enumerate(content.messages) if turn.role == "assistant"), default=None)
        question, answer = content.messages[:last], () if last is None else content.messages[last:]
    else:
        question, answer = content.prompt, (*content.chosen, *content.rejected)
    asked_, answered = _joined(question), _joined(answer)
    both = f"{asked_}{PART}{answered}" if asked_ and answered else asked_ or answered
    return tuple(dict.fromkeys(text for text in (asked_, both) if text))


def _joined(turns: Iterable[Message]) -> str:
    said = "\n".join(turn.content for turn in turns if turn.role != "system" and turn.content.strip())
    return said.replace(PART, " ")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        plain = value if value.isascii() else unicodedata.normalize("NFKC", value)
        return " ".join(plain.casefold().split())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _digest(value: Any) -> int:
    return int.from_bytes(hashlib.blake2b(_canonical.encode(value), digest_size=8).digest(), "big") >> 1
