"""Context: an instruction, what it is about, and the generation settings the row asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.errors import RecordError
from tuneloop.rows import Chat, Message

ANSWERS = ("output", "response", "answer", "completion", "target")


@final
class Context(Format):
    """Instruction and context become one user turn; ``parameters`` stay with the conversation."""

    shape = '{"instruction", "context": text or object, "output", "parameters"?: {...}, "system"?}'
    fields = ("instruction", "context", "parameters", "input", "system", "history", *ANSWERS)

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where an instruction has a context or parameters beside it."""
        if "instruction" not in row or not {"context", "parameters"} & row.keys():
            return 0.0
        return 1.0 if any(name in row for name in ANSWERS) else 0.6

    def content(self, row: Mapping[str, Any]) -> Chat:
        """Read one row; each entry of the context is a line ``name: value`` under the instruction."""
        answer = next((name for name in ANSWERS if name in row), "output")
        parts = [turns.optional(row, "instruction"), turns.optional(row, "input"), _shown(row.get("context", ""))]
        system = turns.optional(row, "system")
        messages = [Message("system", system)] if system.strip() else []
        messages += turns.exchanges(row.get("history", []), "history")
        messages.append(Message("user", "\n\n".join(part for part in parts if part.strip())))
        messages.append(Message("assistant", turns.text(row.get(answer), answer)))
        return turns.chat(messages, parameters=_settings(row.get("parameters", {})))


def _shown(context: Any) -> str:
    if isinstance(context, str):
        context = _object(context)
    if isinstance(context, Mapping):
        return "\n".join(f"{name}: {_plain(value)}" for name, value in context.items() if value is not None)
    return turns.text(context, "context")


def _object(context: str) -> Any:
    """An object that a table holds as JSON text; any other text as it is."""
    if not context.lstrip().startswith("{"):
        return context
    try:
        return turns.parsed(context, "context")
    except RecordError:
        return context


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _settings(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = turns.parsed(value, "parameters") if value.strip() else {}
    if not isinstance(value, Mapping):
        turns.refuse(
            f"`parameters` must be an object, it is a {type(value).__name__}", "parameters", "write {temperature: 0.7}"
        )
    return {name: setting for name, setting in value.items() if setting is not None}
