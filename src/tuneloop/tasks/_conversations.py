"""What all tasks that learn the answers of conversations share: how a conversation becomes tokens and a question."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.errors import DataError, RecordError
from tuneloop.models.template import shared
from tuneloop.rows import Chat, Drop, Message, Record
from tuneloop.tasks import Example, Question
from tuneloop.tasks._causal import Causal
from tuneloop.tasks._turns import Pairs, cut_left, pieces, shortened

if TYPE_CHECKING:
    from tuneloop.models import Tokenizer


class Conversations(Causal, ABC):
    """A task that learns what the assistant says, the token that ends its turn included."""

    learn_from: Literal["assistant", "last", "all"] = "assistant"
    """What is learned: every assistant turn, only the last one, or every token, the user's too. A message's own
    ``learn`` goes before this."""

    def encode(self, record: Record, tokenizer: Tokenizer, max_length: int) -> list[Example] | Drop:
        """Render the conversation, mark what is learned, and fit it into ``max_length``."""
        content = record.content
        if not isinstance(content, Chat):
            reason = f"{self.name} learns conversations, not {type(content).__name__.lower()} rows"
            return Drop(reason, self.name, record.origin, "use the task pretrain for plain text", record.id)
        learned = self._learned(content.messages)
        if not learned:
            return Drop("no turn to learn from", self.name, record.origin, id=record.id)
        try:
            pairs = self._pairs(content, learned, tokenizer)
            longest = max(len(ids) for ids, _ in pairs)
            if longest > max_length:
                return self._too_long(record, content, learned, tokenizer, max_length, longest)
        except RecordError as error:
            return Drop(error.problems[0].what, self.name, record.origin, error.problems[0].where, record.id)
        return _examples(pairs, record)

    def question(self, record: Record, tokenizer: Tokenizer) -> Question | None:
        """Ask for the last answer: the prompt is what the server makes of the turns before it."""
        content = record.content
        if not isinstance(content, Chat):
            return None
        return last_answer(record, content.messages, content.tools, tokenizer)

    def _learned(self, messages: tuple[Message, ...]) -> list[int]:
        turns = [place for place, message in enumerate(messages) if message.role == "assistant"]
        chosen = turns[-1:] if self.learn_from == "last" else turns
        return [
            place for place in turns if messages[place].learn or (messages[place].learn is None and place in chosen)
        ]

    def _pairs(self, content: Chat, learned: list[int], tokenizer: Tokenizer) -> Pairs:
        pairs = tokenizer.chat_examples(content.messages, content.tools, learned)
        return self._everything(content, learned, pairs, tokenizer) if self.learn_from == "all" else pairs

    def _everything(self, content: Chat, learned: list[int], pairs: Pairs, tokenizer: Tokenizer) -> Pairs:
        """Mark all tokens, each once, but those of assistant turns that are not learned."""
        excluded = [p for p, m in enumerate(content.messages) if m.role == "assistant" and p not in learned]
        spans = [tokenizer.answer_ids(content.messages, content.tools, place) for place in excluded]
        marked: Pairs = []
        for ids, _ in pairs:
            seen = shared(ids, marked[-1][0]) if marked else 0
            learn = [0] * seen + [1] * (len(ids) - seen)
            for prompt, answer in spans:
                if ids[: len(prompt) + len(answer)] == prompt + answer:
                    learn[len(prompt) : len(prompt) + len(answer)] = [0] * len(answer)
                elif len(prompt) < len(ids):
                    raise RecordError(
                        "the chat template rewrites a turn that is not to be learned",
                        where="messages",
                        fix="use learn_from: assistant, or another template",
                    )
            marked.append((ids, learn))
        return marked

    def _too_long(
        self,
        record: Record,
        content: Chat,
        learned: list[int],
        tokenizer: Tokenizer,
        max_length: int,
        longest: int,
    ) -> list[Example] | Drop:
        said = f"{longest} tokens, max_length is {max_length}"
        if self.on_overlength == "error":
            raise DataError(
                f"a row is too long: {said}",
                where=record.origin,
                fix=f"raise train.max_length, or set task.{self.name}.on_overlength to drop, truncate or split",
            )
        pairs: Pairs = []
        cut = self.on_overlength == "truncate"

        def encode(part: Chat, turns: list[int]) -> Pairs:
            return self._pairs(part, turns, tokenizer)

        if cut:
            pairs = shortened(content, learned, max_length, encode)
            pairs = pairs or cut_left(encode(content, learned)[-1:], max_length, tokenizer.hf.bos_token_id)
        elif self.on_overlength == "split":
            pairs = pieces(content, learned, max_length, encode)
        if not pairs:
            return Drop("longer than max_length", self.name, record.origin, said, record.id)
        return _examples(pairs, record, cut=cut)


def last_answer(
    record: Record, messages: tuple[Message, ...], tools: tuple[dict[str, Any], ...], tokenizer: Tokenizer
) -> Question | None:
    """Ask for the last answer of a conversation; None if there is none, or the template refuses it."""
    turns = [place for place, message in enumerate(messages) if message.role == "assistant"]
    if not turns or turns[-1] == 0:
        return None
    try:
        prompt, answer = tokenizer.answer_ids(messages, tools, turns[-1])
    except RecordError:
        return None
    before = messages[: turns[-1]]
    shown = before[0].content if len(before) == 1 else "\n".join(f"{m.role}: {m.content}" for m in before)
    return Question(record, tuple(prompt), tokenizer.decode(answer).strip(), shown)


def _examples(pairs: Pairs, record: Record, *, cut: bool = False) -> list[Example]:
    return [Example(tuple(ids), tuple(learn), record.id, cut=cut) for ids, learn in pairs]
