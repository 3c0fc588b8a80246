"""Messages: a conversation as OpenAI and Hugging Face write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Chat, Message


@final
class Messages(Format):
    """Reads ``messages`` with role and content, tools and tool calls, thinking, and what is learned of it."""

    shape = '{"messages": [{"role", "content", "tool_calls"?, "train"?}, ...], "tools"?, "system"?}'
    fields = ("messages", "system", "tools")

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where there is a list of messages, unless the row judges or compares answers."""
        if not isinstance(row.get("messages"), list | str):
            return 0.0
        return 0.3 if {"chosen", "rejected", "rejected_response", "label", "kto_tag"} & row.keys() else 0.95

    def content(self, row: Mapping[str, Any]) -> Chat:
        """Read one row."""
        messages = turns.conversation(row.get("messages"), "messages")
        system = turns.optional(row, "system")
        if system.strip() and messages[0].role != "system":
            messages.insert(0, Message("system", system))
        return turns.chat(messages, row.get("tools"))
