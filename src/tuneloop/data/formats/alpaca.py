"""Alpaca: an instruction, sometimes with an input, and the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Chat, Message

CHINESE = {"指令": "instruction", "输入": "input", "输出": "output"}
"""The names of a Chinese file."""


@final
class Alpaca(Format):
    """Instruction and input become one user turn, the output its answer."""

    shape = '{"instruction", "input"?, "output", "system"?, "history"?: [[question, answer], ...]}'
    fields = ("instruction", "input", "output", "system", "history", *CHINESE)

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where instruction and output stand, less so beside a context, which has its own format."""
        if not ({"instruction", "output"} <= row.keys() or {"指令", "输出"} <= row.keys()):
            return 0.0
        return 0.4 if {"context", "parameters", "chosen"} & row.keys() else 0.9

    def content(self, row: Mapping[str, Any]) -> Chat:
        """Read one row; the input follows the instruction after an empty line."""
        if "instruction" not in row:
            row = {CHINESE.get(name, name): value for name, value in row.items()}
        parts = [turns.optional(row, "instruction"), turns.optional(row, "input")]
        system = turns.optional(row, "system")
        messages = [Message("system", system)] if system.strip() else []
        messages += turns.exchanges(row.get("history", []), "history")
        messages.append(Message("user", "\n\n".join(part for part in parts if part.strip())))
        messages.append(Message("assistant", turns.text(row.get("output"), "output")))
        return turns.chat(messages)
