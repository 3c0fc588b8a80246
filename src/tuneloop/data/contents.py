"""What every step needs to know of a content: its texts, its answers, how long it is, and how to change its texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from tuneloop.rows import Chat, Content, Fields, Labeled, Message, Preference, Scalar, Text


def texts(content: Content) -> Iterator[str]:
    """Every text of a content, questions and answers alike, in order.

    Example:
        >>> list(texts(Chat((Message("user", "hi"), Message("assistant", "hello")))))
        ['hi', 'hello']
    """
    if isinstance(content, Text | Labeled):
        yield content.text
    elif isinstance(content, Fields):
        yield from ("" if value is None else str(value) for value in content.values.values())
    else:
        for message in _messages(content):
            yield message.content
            if message.thinking:
                yield message.thinking


def answers(content: Content) -> Iterator[str | None]:
    """What is learned from a content: its answers, or its text; None for an answer that calls tools.

    A row of a table has none: its label is no text.
    """
    if isinstance(content, Text | Labeled):
        yield content.text
    elif isinstance(content, Chat):
        yield from (_answer(m) for m in content.messages if m.role == "assistant" and m.learn is not False)
    elif isinstance(content, Preference):
        yield from (_answer(m) for m in (*content.chosen, *content.rejected) if m.role == "assistant")


def characters(content: Content) -> int:
    """How many characters all texts of a content have together."""
    return sum(map(len, texts(content)))


def changed(content: Content, change: Callable[[str], str]) -> Content:
    """The content with every text changed; tool calls, labels and settings stay.

    Example:
        >>> changed(Text("hi"), str.upper)
        Text(text='HI')
    """
    if isinstance(content, Text | Labeled):
        return msgspec.structs.replace(content, text=change(content.text))
    if isinstance(content, Chat):
        return msgspec.structs.replace(content, messages=_changed(content.messages, change))
    if isinstance(content, Fields):
        return msgspec.structs.replace(
            content, values={name: _cell(value, change) for name, value in content.values.items()}
        )
    return msgspec.structs.replace(
        content,
        prompt=_changed(content.prompt, change),
        chosen=_changed(content.chosen, change),
        rejected=_changed(content.rejected, change),
    )


def _messages(content: Chat | Preference) -> tuple[Message, ...]:
    return content.messages if isinstance(content, Chat) else content.prompt + content.chosen + content.rejected


def _cell(value: Scalar, change: Callable[[str], str]) -> Scalar:
    """A cell changed as text is; so is a whole number, which may be a telephone or an account."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    text = str(value)
    new = change(text)
    return value if new == text else new


def _answer(message: Message) -> str | None:
    return None if message.tool_calls else message.content


def _changed(messages: tuple[Message, ...], change: Callable[[str], str]) -> tuple[Message, ...]:
    return tuple(
        msgspec.structs.replace(message, content=change(message.content), thinking=change(message.thinking))
        for message in messages
    )
