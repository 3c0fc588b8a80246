"""Answers: what a model says to the questions of held-out rows, and how good each answer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tuneloop.evaluation.section import Draw, EvaluateSection
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import Chat, Record
from tuneloop.tasks import Question, Task

if TYPE_CHECKING:
    from tuneloop.models import Loaded
    from tuneloop.models.generate import Request

CACHE = 2**30


class Said(NamedTuple):
    """One answer: its text, why it ended (``stop``, or ``length`` where it was cut off), and its tokens."""

    text: str
    finish: str
    tokens: int = 0


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of ``answers.jsonl``.

    Attributes:
        record: Id of the record.
        origin: Where the record came from.
        prompt: The question as a person reads it.
        reference: The right answer.
        tuned: What the tuned model answered.
        base: What the base answered; empty if it was not asked.
        scores: Score by metric, for ``tuned``, ``base`` (if it was asked) and other models.
        finish: Why each answer ended: ``stop``, or ``length`` where it was cut off.
        others: What other models answered, by the name they are compared under.
        sure: The probability that each model gave to the label it chose.
        size: Characters of the whole row.
    """

    record: str
    origin: str
    prompt: str
    reference: str
    tuned: str
    base: str
    scores: dict[str, dict[str, float]]
    finish: dict[str, str]
    others: dict[str, str] = {}
    sure: dict[str, float] = {}
    size: int = 0

    def said(self, side: str) -> str:
        """What ``tuned``, ``base`` or another model answered."""
        answer: str = getattr(self, side) if side in ("tuned", "base") else self.others[side]
        return answer


def questions(records: Sequence[Record], task: Task, loaded: Loaded, limit: int) -> tuple[list[Question], int]:
    """Ask about the first rows in the order of their ids, which is random but never changes.

    Args:
        records: The rows of the split.
        task: What makes a question of a row.
        loaded: The model that will answer.
        limit: Questions at most.

    Returns:
        The questions, and how many rows were passed over because their prompt fills the model's whole context.
    """
    from tuneloop.models.generate import context_length

    context = None if task.choices else context_length(loaded)  # who only chooses reads a long text in part
    found: list[Question] = []
    too_long = 0
    for record in sorted(records, key=lambda record: record.id):
        if len(found) == limit:
            break
        question = task.question(record, loaded.tokenizer)
        if question is None:
            continue
        if context is not None and len(question.prompt) >= context:
            too_long += 1
            continue
        found.append(question)
    return found, too_long


def answer(
    loaded: Loaded, asked: Sequence[Question], section: EvaluateSection, seed: int, progress: Progress
) -> list[Said]:
    """Let a model answer.

    Args:
        loaded: The model.
        asked: The questions.
        section: Gives the longest answer.
        seed: Seed for the rows whose own parameters ask for drawn tokens.
        progress: Told how many answers are finished.

    Returns:
        What it said to each question.
    """
    from tuneloop.models.generate import generate

    requests = [request(question, section.max_new_tokens, seed, section.draw) for question in asked]
    longest = max(len(one.prompt) + one.max_new_tokens for one in requests)
    batch = together(loaded.model.config, longest)
    found = generate(loaded, requests, batch=batch, progress=progress.advance)
    return [Said(one.text, one.finish, len(one.ids)) for one in found]


def together(config: Any, tokens: int) -> int:
    """How many answers may be written at once, so that their keys and values stay below 1 GiB in fp32.

    Args:
        config: Configuration of the model.
        tokens: Tokens of the longest prompt with its answer.

    Returns:
        1 to 32.
    """
    text = config.get_text_config(decoder=True)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    row: int = 4 * 2 * text.num_hidden_layers * heads * width * tokens
    return max(1, min(32, CACHE // row))


def request(question: Question, max_new_tokens: int, seed: int, draw: Draw | None = None) -> Request:
    """Ask a question greedily, or drawn as the recipe says, unless the row's own ``parameters`` say otherwise.

    A row's ``temperature``, ``top_p``, ``top_k``, ``stop`` and ``max_tokens`` (or ``max_new_tokens``) are followed
    where they are usable; ``max_tokens`` can only make an answer shorter than the section allows. Drawn tokens
    follow the seed, so that two evaluations give the same answers.
    """
    from tuneloop.models.generate import Request

    content = question.record.content
    wanted: Mapping[str, Any] = content.parameters if isinstance(content, Chat) else {}
    stop = wanted.get("stop")
    stops = stop if isinstance(stop, list | tuple) else [stop]
    return Request(
        prompt=question.prompt,
        max_new_tokens=int(_number(wanted, ("max_tokens", "max_new_tokens"), 1, max_new_tokens, max_new_tokens)),
        temperature=_number(wanted, ("temperature",), 0.0, 2.0, draw.temperature if draw else 0.0),
        top_k=int(_number(wanted, ("top_k",), 0, 1 << 20, draw.top_k if draw else 0)),
        top_p=_number(wanted, ("top_p",), 1e-6, 1.0, 1.0),
        seed=seed,
        stop=tuple(text for text in stops if isinstance(text, str) and text),
    )


def _number(wanted: Mapping[str, Any], names: Sequence[str], low: float, high: float, otherwise: float) -> float:
    for name in names:
        value = wanted.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return value
    return otherwise
