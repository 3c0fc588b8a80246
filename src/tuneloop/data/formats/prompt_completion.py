"""Prompt and completion, by any of the pairs of names in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Chat, Message

PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("prompt", "output"),
    ("query", "response"),
    ("query", "answer"),
    ("question", "answer"),
    ("question", "response"),
    ("question", "solution"),
    ("instruction", "response"),
    ("instruction", "answer"),
    ("instruction", "completion"),
    ("problem", "solution"),
    ("input", "output"),
    ("input", "target"),
    ("source", "target"),
    ("问题", "回答"),
    ("问题", "答案"),
    ("问题", "答复"),
    ("提问", "回答"),
    ("问", "答"),
    ("输入", "输出"),
    ("Frage", "Antwort"),
    ("frage", "antwort"),
)
"""Names of what is asked and what is answered."""


@final
class PromptCompletion(Format):
    """One question and its answer; each may be text or a list of messages."""

    shape = '{"prompt", "completion"} or prompt/response, question/answer, query/response, instruction/response, ...'
    fields = (*dict.fromkeys(name for pair in PAIRS for name in pair), "system", "history", "tools")

    def fits(self, row: Mapping[str, Any]) -> float:
        """Rather sure where both names of a pair stand; an instruction with an output is Alpaca's."""
        if _pair(row) is None or {"instruction", "output"} <= row.keys():
            return 0.0
        return 0.3 if {"label", "chosen", "rejected", "context"} & row.keys() else 0.8

    def content(self, row: Mapping[str, Any]) -> Chat:
        """Read one row."""
        asked, answered = _pair(row) or _half(row)
        system = turns.optional(row, "system")
        messages = [Message("system", system)] if system.strip() else []
        messages += turns.exchanges(row.get("history", []), "history")
        messages += said(row.get(asked), asked, "user") + said(row.get(answered), answered, "assistant")
        return turns.chat(messages, row.get("tools"))


def said(value: Any, name: str, role: Any) -> list[Message]:
    """Read a side of a pair: text by one role, one message, or a list of messages.

    Raises:
        RecordError: It is missing or nothing of these.
    """
    if isinstance(value, Mapping):
        return [turns.message(value)]
    if isinstance(value, list):
        return turns.conversation(value, name)
    return [Message(role, turns.text(value, name))]


def _pair(row: Mapping[str, Any]) -> tuple[str, str] | None:
    return next((pair for pair in PAIRS if pair[0] in row and pair[1] in row), None)


def _half(row: Mapping[str, Any]) -> tuple[str, str]:
    """The pair of which a row has at least one name, so that the message names the missing one."""
    return next((pair for pair in PAIRS if pair[0] in row or pair[1] in row), PAIRS[0])
