"""Preference: a prompt with a better and a worse answer, or one answer with a judgement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Message
from tuneloop.rows import Preference as Pair

PROMPTS = ("prompt", "messages", "conversations", "conversation", "instruction", "question", "query")
BETTER = ("chosen", "chosen_messages", "chosen_response")
WORSE = ("rejected", "rejected_messages", "rejected_response")
JUDGED = ("kto_tag", "label")
ANSWERS = ("completion", "response", "output", "answer")


@final
class Preference(Format):
    """Reads pairs (chosen and rejected) and single judgements (a label that is true or false)."""

    shape = '{"prompt", "chosen", "rejected"} (text or messages), or {"prompt", "completion", "label": true or false}'
    fields = (*PROMPTS, *BETTER, *WORSE, *JUDGED, *ANSWERS, "input", "system", "history", "tools")

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where answers are compared or judged."""
        if any(name in row for name in WORSE) and (any(name in row for name in BETTER) or "messages" in row):
            return 1.0
        if _verdict(row) is not None and any(name in row for name in PROMPTS):
            return 1.0
        return 0.0

    def content(self, row: Mapping[str, Any]) -> Pair:
        """Read one row."""
        if any(name in row for name in WORSE + BETTER):
            prompt, chosen, rejected = _compared(row)
        else:
            prompt, chosen, rejected = _judged(row)
        if chosen == rejected:
            turns.refuse("chosen and rejected are the same", "chosen", "take the row out")
        if not prompt:
            turns.refuse("the prompt is empty", "prompt", "give every row its prompt")
        turns.check_users(prompt)
        return Pair(tuple(prompt), tuple(chosen), tuple(rejected), turns.tool_list(row.get("tools")))


def _compared(row: Mapping[str, Any]) -> tuple[list[Message], list[Message], list[Message]]:
    prompt = _prompt(row)
    better = next((name for name in BETTER if name in row), None)
    worse = next((name for name in WORSE if name in row), None)
    if worse is None:
        turns.refuse("`rejected` is missing", "rejected", "give the worse answer, or label rows true or false")
    rejected = _said(row[worse], worse)
    if better is not None:
        chosen = _said(row[better], better)
    elif prompt and prompt[-1].role == "assistant":
        prompt, chosen = prompt[:-1], prompt[-1:]  # ms-swift: the messages end with the better answer
    else:
        turns.refuse("`chosen` is missing", "chosen", "give the better answer")
    shared = _shared(chosen, rejected)
    if shared and shared < min(len(chosen), len(rejected)) and chosen[0].role in ("system", "user"):
        if len(prompt) < shared or prompt[-1].role == "assistant":
            prompt = chosen[:shared]
        chosen, rejected = chosen[shared:], rejected[shared:]
    return prompt, chosen, rejected


def _judged(row: Mapping[str, Any]) -> tuple[list[Message], list[Message], list[Message]]:
    good = _verdict(row)
    if good is None:
        turns.refuse("`label` must be true or false", "label", "write true for a good answer, false for a bad one")
    prompt = _prompt(row)
    name = next((name for name in ANSWERS if name in row), None)
    if name is not None:
        answer = _said(row[name], name)
    elif prompt and prompt[-1].role == "assistant":
        prompt, answer = prompt[:-1], prompt[-1:]
    else:
        turns.refuse("the judged answer is missing", "completion", "give the answer that the label judges")
    return (prompt, answer, []) if good else (prompt, [], answer)


def _prompt(row: Mapping[str, Any]) -> list[Message]:
    name = next((name for name in PROMPTS if name in row), None)
    if name is None:
        return []
    messages: list[Message] = []
    system = turns.optional(row, "system")
    if system.strip():
        messages.append(Message("system", system))
    messages += turns.exchanges(row.get("history", []), "history")
    if isinstance(row[name], list) or name in ("messages", "conversations", "conversation"):
        return messages + turns.conversation(row[name], name)
    asked = [turns.text(row[name], name), turns.optional(row, "input") if name == "instruction" else ""]
    return [*messages, Message("user", "\n\n".join(part for part in asked if part.strip()))]


def _said(value: Any, name: str) -> list[Message]:
    if isinstance(value, Mapping):
        return [turns.message(value)]
    if isinstance(value, list):
        return turns.conversation(value, name)
    return [Message("assistant", turns.text(value, name))]


def _shared(one: list[Message], two: list[Message]) -> int:
    count = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        count += 1
    return count


def _verdict(row: Mapping[str, Any]) -> bool | None:
    value = next((row[name] for name in JUDGED if name in row), None)
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return value if isinstance(value, bool) else None
