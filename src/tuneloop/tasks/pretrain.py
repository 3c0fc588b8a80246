"""Pretrain: a model goes on learning plain text, every token of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Chat, Drop, Record, Text
from tuneloop.tasks import Example, Question
from tuneloop.tasks._causal import Smoothed

if TYPE_CHECKING:
    from tuneloop.models import Tokenizer


@final
class Pretrain(Smoothed):
    """Learns every token of texts, and of conversations as the chat template writes them."""

    on_overlength: Literal["drop", "truncate", "split", "error"] = "split"
    """What happens to a text longer than ``max_length``: ``split`` makes windows, each beginning with the last token
    of the one before, so that every token is learned once; ``truncate`` keeps the beginning of a text."""

    def encode(self, record: Record, tokenizer: Tokenizer, max_length: int) -> list[Example] | Drop:
        """Make ids of a text with its end token, or of a rendered conversation, all of them learned."""
        try:
            ids = _ids(record, tokenizer)
        except RecordError as error:
            return Drop(error.problems[0].what, self.name, record.origin, error.problems[0].where, record.id)
        if ids is None:
            reason = f"pretrain learns texts and conversations, not {type(record.content).__name__.lower()} rows"
            return Drop(reason, self.name, record.origin, id=record.id)
        if len(ids) < 2 or (isinstance(record.content, Text) and not record.content.text):
            return Drop("nothing to learn: the text is empty", self.name, record.origin, id=record.id)
        if len(ids) <= max_length:
            return [_example(ids, record)]
        if self.on_overlength == "split":
            starts = range(0, len(ids) - 1, max_length - 1)
            return [_example(ids[start : start + max_length], record) for start in starts]
        if self.on_overlength == "truncate":
            return [_example(ids[:max_length], record, cut=True)]
        said = f"{len(ids)} tokens, max_length is {max_length}"
        if self.on_overlength == "error":
            raise DataError(
                f"a row is too long: {said}",
                where=record.origin,
                fix="raise train.max_length, or set task.pretrain.on_overlength to split, truncate or drop",
            )
        return Drop("longer than max_length", self.name, record.origin, said, record.id)

    def question(self, record: Record, tokenizer: Tokenizer) -> Question | None:  # noqa: ARG002
        """Plain text asks nothing: it is measured by its loss."""
        return None


def _ids(record: Record, tokenizer: Tokenizer) -> list[int] | None:
    content = record.content
    if isinstance(content, Text):
        ids = tokenizer.text_ids(content.text)
        return ids if ids[-1:] == [tokenizer.eos_id] else [*ids, tokenizer.eos_id]
    if isinstance(content, Chat):
        ids = tokenizer.chat_ids(content.messages, content.tools)
        return ids if any(id in tokenizer.end_ids for id in ids[-2:]) else [*ids, tokenizer.turn_end_id]
    return None


def _example(ids: list[int], record: Record, *, cut: bool = False) -> Example:
    return Example(tuple(ids), (0,) + (1,) * (len(ids) - 1), record.id, cut=cut)
