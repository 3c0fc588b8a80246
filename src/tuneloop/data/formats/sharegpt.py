"""ShareGPT: a conversation of turns with from and value, or of human and assistant pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Chat, Message

NAMES = ("conversations", "conversation")


@final
class Sharegpt(Format):
    """Reads conversations with ``from`` and ``value``; tool calls and observations become messages of their own."""

    shape = '{"conversations": [{"from": "human" or "gpt", "value"}, ...], "system"?, "tools"?}'
    fields = (*NAMES, "system", "tools")

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where there is a list of turns, unless the row holds better and worse answers besides."""
        if not any(isinstance(row.get(name), list | str) for name in NAMES):
            return 0.0
        return 0.3 if {"chosen", "rejected"} & row.keys() else 0.95

    def content(self, row: Mapping[str, Any]) -> Chat:
        """Read one row."""
        name = next((name for name in NAMES if name in row), NAMES[0])
        messages = turns.conversation(row.get(name, []), name)
        system = turns.optional(row, "system")
        if system.strip() and messages[0].role != "system":
            messages.insert(0, Message("system", system))
        return turns.chat(messages, row.get("tools"))
