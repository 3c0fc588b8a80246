"""Turns of a conversation as the many tools write them, made into messages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tuneloop.data.columns import MEDIA_REASON, unusable
from tuneloop.errors import RecordError
from tuneloop.rows import Chat, Message, ToolCall
from tuneloop.rows.record import Role

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "question"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "ai", "answer"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "ipython", "tool_response", "function_response"), "tool"),
}
"""Our role for each name that a role has elsewhere."""

CALLS = ("function_call", "tool_call")
WEIGHTS = ("learn", "train", "loss", "loss_weight", "weight")
"""Keys under which a turn may say whether it is learned."""


LONGEST_SHOWN = 80
"""Characters of a value that are shown where a row is set aside for it."""


def refuse(what: str, where: str, fix: str) -> NoReturn:
    """Set a row aside.

    Args:
        what: Why, in words that are the same for all rows of a kind: no value of the row.
        where: The field, and its value where that tells more; it stands in the drop's detail.
        fix: What to do.

    Raises:
        RecordError: Always.
    """
    raise RecordError(what, where=where, fix=fix)


def shown(name: str, value: Any) -> str:
    """A field with its value, for the detail of a drop.

    Example:
        >>> shown("role", "robot")
        "role 'robot'"
    """
    written = repr(value)
    return f"{name} {written if len(written) <= LONGEST_SHOWN else written[:LONGEST_SHOWN] + '...'}"


def text(value: Any, name: str) -> str:
    """Take a value as text; a number is taken as it is written.

    Raises:
        RecordError: It is missing, or neither text nor number.
    """
    if isinstance(value, str):
        return value
    if value is None:
        refuse(f"`{name}` is missing", name, f"give every row its {name}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        refuse(f"`{name}` must be text, it is a {type(value).__name__}", name, f"write {name} as text")
    return str(value)


def optional(row: Mapping[str, Any], name: str) -> str:
    """Take a field as text; empty where the row has none."""
    return text(row[name], name) if name in row else ""


def listed(value: Any, name: str) -> list[Any]:
    """Take a value as a list; a list written as JSON text is read.

    Raises:
        RecordError: It is no list.
    """
    if isinstance(value, str):
        value = parsed(value, name) if value.strip() else []
    if not isinstance(value, list | tuple):
        refuse(f"`{name}` must be a list, it is a {type(value).__name__}", name, f"write {name} as a list")
    return list(value)


def parsed(value: str, name: str) -> Any:
    """Read JSON that stands inside a text field.

    Raises:
        RecordError: It is no JSON.
    """
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        refuse(f"`{name}` is no JSON", name, f"write {name} as JSON")
    problem = unusable(found)
    if problem:
        refuse(f"`{name}` {problem}", name, f"write {name} as plain JSON")
    return found


def chat(messages: Sequence[Message], tools: Any = None, parameters: Mapping[str, Any] | None = None) -> Chat:
    """Put a conversation together and look whether something can be learned from it.

    Raises:
        RecordError: It has no assistant turn, or an empty turn of the user.
    """
    if not any(message.role == "assistant" for message in messages):
        refuse("the conversation has no assistant turn", "messages", "give it an answer to learn from")
    check_users(messages)
    return Chat(tuple(messages), tool_list(tools), dict(parameters or {}))


def check_users(messages: Sequence[Message]) -> None:
    """Look for turns of the user that say nothing.

    Raises:
        RecordError: There is one.
    """
    if any(message.role == "user" and not message.content.strip() for message in messages):
        refuse("the question is empty", "messages", "write the question, or take the row out")


def exchanges(pairs: Any, name: str) -> list[Message]:
    """Turn a history of ``[question, answer]`` pairs into messages.

    Raises:
        RecordError: It is no list of pairs.
    """
    messages = []
    for pair in listed(pairs, name):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            refuse(f"`{name}` must hold [question, answer] pairs", name, f"write {name} as [[question, answer], ...]")
        messages.append(Message("user", text(pair[0], name)))
        messages.append(Message("assistant", text(pair[1], name)))
    return messages


def conversation(value: Any, name: str) -> list[Message]:
    """Read a list of turns, each with role and content (or from and value), or with human and assistant.

    Raises:
        RecordError: Something in it is not as it should be.
    """
    if value is None:
        refuse(f"`{name}` is missing", name, "give the row its conversation, or name the column that holds it")
    messages: list[Message] = []
    for turn in listed(value, name):
        if not isinstance(turn, Mapping):
            refuse(f"a turn of `{name}` must be an object", name, "write {role, content} or {from, value}")
        turn = {key: item for key, item in turn.items() if item is not None}
        if {"human", "assistant"} & turn.keys() and not {"role", "from"} & turn.keys():
            for key in ("system", "human", "assistant"):
                if key in turn:
                    messages.append(Message(ROLES[key], text(turn[key], key)))
        else:
            messages.append(message(turn))
    if not messages:
        refuse(f"`{name}` is empty", name, "give the conversation its turns, or take the row out")
    return messages


def message(turn: Mapping[str, Any]) -> Message:
    """Read one turn: ``role`` and ``content``, or ``from`` and ``value``; tool calls; whether it is learned.

    Raises:
        RecordError: The role is unknown, or something has a wrong type.
    """
    said = turn.get("role", turn.get("from"))
    role = ROLES.get(str(said).strip().lower())
    if role is None:
        refuse("the role is unknown", shown("role", said), f"write one of {', '.join(ROLES)}")
    body = turn.get("content", turn.get("value", turn.get("text", "")))
    content, thinking, calls = _body(body)
    if said in CALLS:
        calls, content = tool_calls(parsed(content, str(said)) if content else [], str(said)), ""
    thinking = optional(turn, "reasoning_content") or optional(turn, "thinking") or thinking
    return Message(
        role,
        content,
        thinking,
        calls + tool_calls(turn.get("tool_calls") or turn.get("function_call") or [], "tool_calls"),
        optional(turn, "tool_call_id"),
        optional(turn, "name"),
        learned(turn) if role == "assistant" else None,
    )


def learned(turn: Mapping[str, Any]) -> bool | None:
    """Whether a turn says that it is learned; None if it says nothing.

    Raises:
        RecordError: Its weight is neither 0 nor 1.
    """
    for key in WEIGHTS:
        if key in turn:
            weight = turn[key]
            if weight not in (0, 1):
                refuse(
                    f"`{key}` of a turn is neither 1 nor 0", shown(key, weight), "write 1 (learned) or 0 (only read)"
                )
            return bool(weight)
    return None


def _body(body: Any) -> tuple[str, str, tuple[ToolCall, ...]]:
    """Content, thinking and tool calls of a turn whose body is text or a list of typed pieces."""
    if not isinstance(body, list | tuple):
        return text(body, "content"), "", ()
    said: list[str] = []
    thought: list[str] = []
    calls: tuple[ToolCall, ...] = ()
    for piece in body:
        if isinstance(piece, str):
            piece = {"type": "text", "text": piece}
        if not isinstance(piece, Mapping):
            refuse("a piece of content must be text or an object", "content", "write {type: text, text: ...}")
        kind = str(piece.get("type", "text"))
        value = piece.get("value", piece.get(kind, piece.get("text")))
        if kind == "text":
            said.append(text(value, "text"))
        elif kind in ("reasoning", "thinking"):
            thought.append(text(value, kind))
        elif kind in ("tool_call", "function_call"):
            calls += tool_calls(parsed(value, kind) if isinstance(value, str) else value, kind)
        elif any(word in kind for word in ("image", "audio", "video")):
            refuse(MEDIA_REASON, kind, "take the row out, or keep its text alone")
        else:
            refuse("content of an unknown type", shown("type", kind), "write it as text")
    return "".join(said), "".join(thought), calls


def tool_calls(value: Any, name: str) -> tuple[ToolCall, ...]:
    """Read calls of tools: OpenAI's form, or plain name and arguments; one or a list.

    Raises:
        RecordError: A call has no name, or its arguments are no object.
    """
    calls = []
    for call in [value] if isinstance(value, Mapping) else listed(value, name):
        if not isinstance(call, Mapping):
            refuse(f"`{name}` must hold objects", name, "write {name, arguments}")
        inner = call.get("function")
        body = inner if isinstance(inner, Mapping) else call
        arguments = body.get("arguments", body.get("parameters", {}))
        if isinstance(arguments, str):
            arguments = parsed(arguments, "arguments") if arguments.strip() else {}
        if not isinstance(arguments, Mapping):
            refuse("the arguments of a call must be an object", name, "write {name, arguments: {...}}")
        calls.append(ToolCall(text(body.get("name"), "name"), dict(arguments), optional(call, "id")))
    return tuple(calls)


def tool_list(value: Any) -> tuple[dict[str, Any], ...]:
    """Read the tools that a conversation may call, each in OpenAI's form ``{type: function, function: {...}}``.

    Raises:
        RecordError: They are no list of objects.
    """
    tools: list[dict[str, Any]] = []
    for tool in listed(value or [], "tools"):
        if isinstance(tool, str):
            tool = parsed(tool, "tools")
        if not isinstance(tool, Mapping):
            refuse("`tools` must hold objects", "tools", "write {name, description, parameters}")
        tools.append(dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)})
    return tuple(tools)
