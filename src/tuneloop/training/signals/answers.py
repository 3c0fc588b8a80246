"""Answers: what the texts of rows give away before the first step."""

from __future__ import annotations

import re

from tuneloop.rows import Chat, Content, Labeled, Preference, Text
from tuneloop.training.signals.sentences import stopped_short

__all__ = ["marked", "stopped_short"]

_MARKERS = re.compile(
    r"<\|[a-z_]{2,20}(?:\|>)|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|<[｜|](?:User|Assistant|end▁of▁sentence)[｜|]>"
)
"""Control tokens that chat templates put between turns."""


def marked(content: Content) -> bool:
    """Whether a text of a row holds a marker of a chat template as plain text.

    Example:
        >>> marked(Text("<|im_start|>user Hello<|im_end|>"))
        True
    """
    return any(_MARKERS.search(text) for text in _texts(content))


def _texts(content: Content) -> list[str]:
    match content:
        case Chat():
            return [message.content for message in content.messages]
        case Preference():
            sides = (*content.prompt, *(content.chosen or ()), *(content.rejected or ()))
            return [message.content for message in sides]
        case Text() | Labeled():
            return [content.text]
    return []
