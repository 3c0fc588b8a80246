"""The two sides of a row: what is asked and what is answered, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from tuneloop.rows import Chat, Content, Labeled, Message, Preference, Text


class Pair(NamedTuple):
    """One answer that is learned, and the question before it."""

    question: str
    answer: str


def spoken(content: Content) -> Iterator[str]:
    """What people and the assistant say: every text but those of the system and of tools.

    Example:
        >>> list(spoken(Chat((Message("system", "Be brief."), Message("user", "hi")))))
        ['hi']
    """
    if isinstance(content, Text | Labeled):
        yield content.text
    elif isinstance(content, Chat | Preference):
        yield from (message.content for message in _messages(content) if message.role in ("user", "assistant"))


def questions(content: Content) -> Iterator[str]:
    """What people ask: the texts of the user; of running text and of a labelled one, the text."""
    if isinstance(content, Text | Labeled):
        yield content.text
    elif isinstance(content, Chat | Preference):
        yield from (message.content for message in _messages(content) if message.role == "user")


def pairs(content: Content) -> Iterator[Pair]:
    """Every answer that is learned, with the last question before it; answers that call tools are left out.

    Both answers of a preference are there, since both are learned from; running text and labelled ones have none.

    Example:
        >>> list(pairs(Chat((Message("user", "hi"), Message("assistant", "hello")))))
        [Pair(question='hi', answer='hello')]
    """
    if isinstance(content, Chat):
        yield from _pairs("", content.messages)
    elif isinstance(content, Preference):
        last = next((message.content for message in reversed(content.prompt) if message.role == "user"), "")
        yield from _pairs(last, content.chosen)
        yield from _pairs(last, content.rejected)


def _pairs(question: str, messages: tuple[Message, ...]) -> Iterator[Pair]:
    for message in messages:
        if message.role == "user":
            question = message.content
        elif message.role == "assistant" and not message.tool_calls and message.learn is not False:
            yield Pair(question, message.content)


def with_answers(content: Content, change: Callable[[str], str]) -> Content:
    """The content with what is answered changed, or its running text; questions and labelled texts stay."""
    if isinstance(content, Text):
        return msgspec.structs.replace(content, text=change(content.text))
    if isinstance(content, Chat):
        return msgspec.structs.replace(content, messages=_answered(content.messages, change))
    if isinstance(content, Preference):
        return msgspec.structs.replace(
            content, chosen=_answered(content.chosen, change), rejected=_answered(content.rejected, change)
        )
    return content


def _answered(messages: tuple[Message, ...], change: Callable[[str], str]) -> tuple[Message, ...]:
    return tuple(
        msgspec.structs.replace(message, content=change(message.content)) if message.role == "assistant" else message
        for message in messages
    )


def _messages(content: Chat | Preference) -> tuple[Message, ...]:
    return content.messages if isinstance(content, Chat) else content.prompt + content.chosen + content.rejected
