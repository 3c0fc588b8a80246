"""Two answers to one prompt as tokens: rendered alike, made to fit alike, so that both follow the very same prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tuneloop.errors import RecordError
from tuneloop.rows import Message
from tuneloop.rows import Preference as Pair
from tuneloop.tasks import Tokens
from tuneloop.tasks._turns import exchanges

if TYPE_CHECKING:
    from tuneloop.models import Tokenizer


class Answer(NamedTuple):
    """A prompt with one answer.

    Attributes:
        desirable: Whether it is the better one.
        ids: Token ids of the prompt, then of the answer with its end token.
        learn: 1 for the answer's own tokens, 0 for all that is only read.
    """

    desirable: bool
    ids: list[int]
    learn: list[int]

    @property
    def prompt(self) -> list[int]:
        """Token ids before the first learned one."""
        return self.ids[: self.learn.index(1)]


def answers(content: Pair, tokenizer: Tokenizer) -> list[Answer]:
    """Render the answers that a row has, the chosen one first.

    Raises:
        RecordError: The template refuses the row, or the two do not follow the same prompt, or are the same.
    """
    sides = ((True, content.chosen), (False, content.rejected))
    found = [Answer(good, *_rendered(content, side, tokenizer)) for good, side in sides if side]
    if len(found) == 2 and found[0].prompt != found[1].prompt:
        raise RecordError(
            "chosen and rejected do not follow the same prompt",
            where="chosen",
            fix="write the turns that both share into prompt",
        )
    if len(found) == 2 and found[0].ids == found[1].ids:
        raise RecordError("chosen and rejected are the same tokens", where="chosen", fix="take the row out")
    return found


def shortened(content: Pair, tokenizer: Tokenizer, max_length: int) -> list[Answer]:
    """Leave out the oldest turns of the prompt, then its beginning, for all answers alike; empty if that is not enough.

    Raises:
        RecordError: The template refuses what is left.
    """
    front, parts = exchanges(content.prompt)
    for first in range(1, len(parts)):
        kept = [*front, *(place for part in parts[first:] for place in part)]
        prompt = tuple(content.prompt[place] for place in kept)
        found = answers(msgspec.structs.replace(content, prompt=prompt), tokenizer)
        if longest(found) <= max_length:
            return found
    return _cut_left(answers(content, tokenizer), max_length, tokenizer.hf.bos_token_id)


def longest(found: list[Answer]) -> int:
    """Tokens of the longest prompt with its answer."""
    return max(len(answer.ids) for answer in found)


def mismatched(asked: Tokens, answered: Tokens, max_length: int) -> Tokens:
    """One prompt with the answer to another, cut off at ``max_length``: it is only measured, never learned.

    Example:
        >>> mismatched(Tokens((1, 2, 3), (0, 0, 1)), Tokens((7, 8, 9, 9), (0, 1, 1, 1)), 4)
        Tokens(ids=(1, 2, 8, 9), learn=(0, 0, 1, 1))
    """
    at, start = list(asked.learn).index(1), list(answered.learn).index(1)
    ids = (*asked.ids[:at], *answered.ids[start:])[:max_length]
    learn = (*asked.learn[:at], *answered.learn[start:])[:max_length]
    return Tokens(ids, learn)


def _rendered(content: Pair, answer: tuple[Message, ...], tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    messages = (*content.prompt, *answer)
    learned = [
        place
        for place in range(len(content.prompt), len(messages))
        if messages[place].role == "assistant" and messages[place].learn is not False
    ]
    if not learned:
        raise RecordError(
            "an answer has no turn of the assistant", where="chosen", fix="give the assistant's words, or take it out"
        )
    found = tokenizer.chat_examples(messages, content.tools, learned)
    if len(found) > 1:
        raise RecordError(
            "the chat template rewrites the earlier turns of an answer",
            where="chosen",
            fix="compare single turns, or give another template with model.chat_template",
        )
    return found[0]


def _cut_left(found: list[Answer], max_length: int, bos: int | None) -> list[Answer]:
    prompt, over = found[0].prompt, longest(found) - max_length
    head = 1 if prompt[:1] == [bos] else 0
    if len(prompt) - head - over < 1:
        return []
    after = head + over
    return [Answer(good, ids[:head] + ids[after:], learn[:head] + learn[after:]) for good, ids, learn in found]
