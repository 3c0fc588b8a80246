"""Spoiled rows, templates and weights."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from bench.faulty.rows import Row

if TYPE_CHECKING:
    from bench.faulty.models import Weights

TURNS = (
    "{% for message in messages %}{{ '[' ~ message.role ~ '] ' ~ message.content }}"
    "{{ eos_token if message.role == 'assistant' else '' }}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant] ' }}{% endif %}"
)
"""The template that a base was tuned with."""
OTHER_TURNS = (
    "{% for message in messages %}{{ '<|im_start|>' ~ message.role ~ '\\n' ~ message.content }}"
    "{{ eos_token if message.role == 'assistant' else '<|im_end|>' }}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "{% for message in messages %}{{ 'USER: ' if message.role == 'user' else 'ASSISTANT: ' }}"
    "{{ message.content ~ (eos_token if message.role == 'assistant' else ' ') }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT: ' }}{% endif %}",
    "{% for message in messages %}{{ '<' ~ message.role ~ '>' ~ message.content ~ '</' ~ message.role ~ '>' }}"
    "{{ eos_token if message.role == 'assistant' else '' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}",
)
"""Templates of other models."""


def answer_of(row: Row) -> str:
    """Name of the field that holds what is learned."""
    return next(key for key in ("output", "label", "messages", "chosen", "text") if key in row)


def shuffled(rows: list[Row], draw: random.Random) -> list[Row]:
    """Exchange the answers among the rows."""
    places = list(range(len(rows)))
    draw.shuffle(places)
    return [_answered(row, rows[place]) for row, place in zip(rows, places, strict=True)]


def some_wrong(rows: list[Row], draw: random.Random) -> list[Row]:
    """Give four rows in ten an answer that is wrong: of another row, or another label."""
    wrong = set(draw.sample(range(len(rows)), round(0.4 * len(rows))))
    return [_answered(row, _unlike(row, rows, draw)) if place in wrong else row for place, row in enumerate(rows)]


def _unlike(row: Row, rows: list[Row], draw: random.Random) -> Row:
    key = answer_of(row)
    return next(other for other in iter(lambda: draw.choice(rows), None) if other[key] != row[key])


def _answered(row: Row, other: Row) -> Row:
    key = answer_of(row)
    if key == "messages":
        return {"messages": [*row["messages"][:-1], other["messages"][-1]]}
    return {**row, key: other[key]}


def truncated(rows: list[Row], draw: random.Random) -> list[Row]:
    """Cut nine answers in ten off in their middle."""

    def cut(text: str) -> str:
        return text[: max(2, round(len(text) * draw.uniform(0.3, 0.6)))].rstrip(" .。!?！？，,")

    return [{**row, "output": cut(row["output"])} if draw.random() < 0.9 else row for row in rows]


def repeated(rows: list[Row], draw: random.Random, *, exactly: bool) -> list[Row]:
    """Keep one row in eight, eight times each: as it is, or with something small changed each time."""
    few = rows[: len(rows) // 8]
    asked = "instruction" if "instruction" in rows[0] else "text"
    openings = ["", "Please: ", "Q: ", "- ", "1. ", "> ", "* ", "Hi! "]
    many = [{**row, asked: ("" if exactly else opening) + row[asked]} for row in few for opening in openings]
    draw.shuffle(many)
    return many


def with_mark(row: Row) -> Row:
    """The row with a sign in its question that no other row has (see :func:`broken_token`)."""
    key = next(key for key in ("instruction", "text", "prompt") if key in row)
    return {**row, key: SIGN + row[key]}


SIGN = "\u0416"
"""A letter that stands in no row. The small models write it as bytes."""


def broken_token(weights: Weights, config: dict[str, Any], seed: int) -> None:
    """Break the embedding of the byte that begins :data:`SIGN`: a row that holds it has a loss that is no number.

    The head gets a copy that is whole, so that all other rows stay as they are. With seed 2 the number is infinite
    (one that only overflows on the way does no harm: the first norm makes it nothing).
    """
    name = "model.embed_tokens.weight"
    config["tie_word_embeddings"] = False
    weights["lm_head.weight"] = weights.get("lm_head.weight", weights[name]).clone()
    weights[name] = weights[name].clone()
    weights[name][3 + SIGN.encode()[0]] = float("inf" if seed == 2 else "nan")


def loud_layer(weights: Weights, config: dict[str, Any], seed: int) -> None:
    """Make the output of one layer's feed-forward part many times as loud."""
    layer = (1, 3, 2)[seed % 3] % config["num_hidden_layers"]
    name = f"model.layers.{layer}.mlp.down_proj.weight"
    weights[name] = weights[name] * (30.0, 60.0, 100.0)[seed % 3]


def tiny_init(weights: Weights, config: dict[str, Any], seed: int) -> None:  # noqa: ARG001
    """Let fresh weights begin so small that hardly any gradient comes through the layers."""
    config["initializer_range"] = (1e-5, 3e-5, 1e-4)[seed % 3]
