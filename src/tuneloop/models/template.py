"""Chat templates: how a conversation becomes text, and the default for models that have no template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tuneloop.rows import Message

DEFAULT = """\
{%- if tools -%}
{{ '### tools\\n' }}
{%- for tool in tools -%}{{ tool | tojson ~ '\\n' }}{%- endfor -%}
{{ '\\n' }}
{%- endif -%}
{%- for message in messages -%}
{{ '### ' ~ message.role ~ '\\n' }}
{%- if message.reasoning_content -%}{{ '<think>\\n' ~ message.reasoning_content ~ '\\n</think>\\n\\n' }}{%- endif -%}
{{ message.content }}
{%- for call in message.tool_calls or [] -%}
{{ '\\n<tool_call>\\n' ~ (call.function | tojson) ~ '\\n</tool_call>' }}
{%- endfor -%}
{{ (eos_token if message.role == 'assistant' else '') ~ '\\n\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '### assistant\\n' }}{%- endif -%}
"""
"""The template for tokenizers that have none: plain words and the tokenizer's own end token.

It needs no token that the vocabulary lacks, so it fits any base model::

    ### user
    Hello!

    ### assistant
    Hi.</s>

    ### user
"""


def default(*, bos: bool) -> str:
    """Give the default template, with the beginning token where the tokenizer sets one by itself.

    Args:
        bos: Whether the tokenizer puts its beginning token before plain text.
    """
    return ("{{- bos_token -}}\n" if bos else "") + DEFAULT


def without(template: str, surplus: str) -> str:
    """Make a template that never ends the opening of an answer with some text, and is the same in all else.

    Args:
        template: A Jinja template.
        surplus: What its opening of an answer ends with.

    Example:
        >>> import jinja2
        >>> opening = without("{{ 'Q: ' }}{% if add_generation_prompt %}{{ 'A: <think>' }}{% endif %}", "<think>")
        >>> jinja2.Template(opening).render(add_generation_prompt=True)
        'Q: A: '
    """
    kept = f"whole[:-{len(surplus)}] if add_generation_prompt and whole.endswith({surplus!r}) else whole"
    return "{% set whole %}" + template.removesuffix("\n") + "{% endset %}{{ " + kept + " }}"


def shared(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Length of the beginning that two texts or lists of ids have in common.

    Example:
        >>> shared("house", "hour")
        3
    """
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def plain(messages: Sequence[Message], *, json_arguments: bool = False) -> list[dict[str, Any]]:
    """Spell messages as chat templates expect them (the OpenAI form that transformers renders).

    Args:
        messages: The conversation.
        json_arguments: Give the arguments of tool calls as JSON text rather than as an object; a few
            templates paste them into a string.

    Example:
        >>> plain([Message("assistant", "Hi.", thinking="A greeting.")])
        [{'role': 'assistant', 'content': 'Hi.', 'reasoning_content': 'A greeting.'}]
    """
    return [_plain(message, json_arguments) for message in messages]


def _plain(message: Message, json_arguments: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        row["reasoning_content"] = message.thinking
    if message.tool_calls:
        row["tool_calls"] = [
            {
                "type": "function",
                **({"id": call.id} if call.id else {}),
                "function": {
                    "name": call.name,
                    "arguments": json.dumps(call.arguments, ensure_ascii=False) if json_arguments else call.arguments,
                },
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        row["tool_call_id"] = message.tool_call_id
    if message.name:
        row["name"] = message.name
    return row
