"""Rows as texts to be compared: the question, the answer, or both as two parts."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from tuneloop.data.near.tokens import PART
from tuneloop.rows import Content, Fields, Labeled, Message, Preference, Text

Side: TypeAlias = Literal["row", "question", "answer"]


def compared(content: Content, of: Side = "row") -> str:
    r"""What is compared of a row: its question, its answer, or both.

    What the system says is left out: rows share it, and would look alike for it. A label is an answer, a tool call
    is part of one. Running text has no answer: whatever is asked for, it is its text. Of a row of a table, the
    question is its cells with their columns.

    Example:
        >>> from tuneloop.rows import Chat
        >>> row = Chat((Message("system", "be kind"), Message("user", "hi"), Message("assistant", "hello")))
        >>> compared(row, "question"), compared(row)
        ('hi', 'hi\x1ehello')
    """
    question, answer = sides(content)
    if of == "row":
        return f"{_whole(question)}{PART}{_whole(answer)}" if answer else _whole(question)
    return _whole(question if of == "question" or not answer else answer)


def sides(content: Content) -> tuple[str, str]:
    """The question and the answer of a row, each as one text; the answer of running text is empty."""
    if isinstance(content, Text):
        return content.text, ""
    if isinstance(content, Labeled):
        return content.text, str(content.label)
    if isinstance(content, Fields):
        cells = (f"{name}: {value}" for name, value in content.values.items() if value is not None)
        return "\n".join(cells), "" if content.label is None else str(content.label)
    if isinstance(content, Preference):
        return _said(content.prompt), _said((*content.chosen, *content.rejected))
    turns = content.messages
    last = max((at for at, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
    return _said(turns[:last]), _said(turns[last:])


def _said(turns: tuple[Message, ...]) -> str:
    return "\n".join(filter(None, (_turn(turn) for turn in turns if turn.role != "system")))


def _turn(turn: Message) -> str:
    calls = (f"{call.name} {msgspec.json.encode(call.arguments).decode()}" for call in turn.tool_calls)
    return "\n".join(filter(None, (turn.content, turn.thinking, *calls)))


def _whole(text: str) -> str:
    return text.replace(PART, " ")
