"""Inputs: the texts of a row that are asked, the only ones that augmentation may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from tuneloop.data.kinship import TABLE
from tuneloop.rows import Chat, Content, Fields, Labeled, Message, Preference, Record, Text


def inputs(content: Content) -> Iterator[str]:
    """The texts of a content that are asked: what people say in it, or the text that has a label.

    Running text is learned as a whole and the cells of a table are no sentences, so neither has any.

    Example:
        >>> list(inputs(Chat((Message("system", "be kind"), Message("user", "hi"), Message("assistant", "hello")))))
        ['hi']
    """
    if isinstance(content, Labeled):
        yield content.text
    elif isinstance(content, Chat | Preference):
        turns = content.messages if isinstance(content, Chat) else content.prompt
        yield from (turn.content for turn in turns if turn.role == "user")


def changed_inputs(content: Content, change: Callable[[str], str]) -> Content:
    """The content with the texts that are asked changed, and all else as it was.

    Example:
        >>> changed_inputs(Labeled("hi", "greeting"), str.upper)
        Labeled(text='HI', label='greeting')
    """
    if isinstance(content, Labeled):
        return msgspec.structs.replace(content, text=change(content.text))
    if isinstance(content, Chat):
        return msgspec.structs.replace(content, messages=_changed(content.messages, change))
    if isinstance(content, Preference):
        return msgspec.structs.replace(content, prompt=_changed(content.prompt, change))
    return content


def besides(content: Content) -> Content:
    """All of a content besides the texts that are asked."""
    return changed_inputs(content, lambda _: "")


def why_not(record: Record) -> str:
    """Why nothing in a row may be varied; empty where something may."""
    if isinstance(record.content, Text):
        return "running text is learned as a whole"
    if isinstance(record.content, Fields) or TABLE in record.meta:
        return "it is a row of a table"
    return "" if any(text.strip() for text in inputs(record.content)) else "nothing is asked in it"


def tools(content: Content) -> frozenset[str]:
    """The names of the tools that a content offers or calls."""
    if not isinstance(content, Chat | Preference):
        return frozenset()
    turns = content.messages if isinstance(content, Chat) else (*content.prompt, *content.chosen, *content.rejected)
    called = {call.name for turn in turns for call in turn.tool_calls} | {turn.name for turn in turns}
    offered = {(tool.get("function") or tool).get("name") for tool in content.tools}
    return frozenset(name for name in called | offered if isinstance(name, str) and name)


def _changed(turns: tuple[Message, ...], change: Callable[[str], str]) -> tuple[Message, ...]:
    return tuple(
        msgspec.structs.replace(turn, content=change(turn.content)) if turn.role == "user" else turn for turn in turns
    )
