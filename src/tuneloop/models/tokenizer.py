"""Text and conversations to token ids and back; the one place that knows what a model reads and learns.

Training and serving render conversations here and nowhere else, so a learned prompt is token for token the
prompt that the server makes. What is learned of a conversation follows from the template alone: an answer is
what the rendering of the turns *with* it adds to the rendered prompt *before* it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.errors import ModelError, RecordError
from tuneloop.models import template
from tuneloop.models.typed import Typed, structure
from tuneloop.rows import Message, ToolCall
from tuneloop.store.digest import of_value

_WORD = "zebra"
_PROBE = (Message("user", "a"), Message("assistant", _WORD), Message("user", "b"))
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError)
_ANCHORS = ("", "\n", ".", ":", "a", "0")


class Tokenizer:
    """A Hugging Face tokenizer with its chat template and the tokens that end an answer.

    Args:
        hf: The tokenizer as transformers opened it.
        chat_template: A Jinja template that goes before the tokenizer's own.
        generation: What ``generation_config.json`` of the model says.

    Attributes:
        hf: The tokenizer as transformers opened it, now with a chat template in any case.
        eos_id: The tokenizer's own end token; an encoder's separator.
        pad_id: An id for padding; it only ever stands where the mask is 0 and the label -100.
        turn_end_id: The token by which the template ends an answer; often ``eos_id``.
        end_ids: All ids at which generation stops.

    Raises:
        ModelError: The tokenizer has no end token, so a model could never learn to stop.
    """

    def __init__(self, hf: Any, *, chat_template: str | None = None, generation: dict[str, Any] | None = None) -> None:
        self.hf = hf
        end = hf.eos_token_id if hf.eos_token_id is not None else hf.sep_token_id  # encoders end a text with it
        if end is None:
            raise ModelError(
                "the tokenizer has no end token, so answers could never end",
                where=str(hf.name_or_path),
                fix='name one in tokenizer_config.json: "eos_token": "</s>" (a token of the vocabulary)',
            )
        self.eos_id: int = end
        self.pad_id: int = hf.pad_token_id if hf.pad_token_id is not None else self.eos_id
        self._bos_added = hf.bos_token_id is not None and hf.encode("a")[:1] == [hf.bos_token_id]
        if chat_template is not None:
            hf.chat_template = chat_template
        elif not hf.chat_template:
            hf.chat_template = template.default(bos=self._bos_added)
        self._typed = Typed(hf, ())
        surplus = self._surplus()
        if surplus:
            hf.chat_template = template.without(hf.get_chat_template(), surplus)
        ends = self._learn_ends()
        self.turn_end_id = ends[0]
        said = (generation or {}).get("eos_token_id")
        also = said if isinstance(said, list) else [said] if said is not None else []
        self.end_ids: tuple[int, ...] = tuple(dict.fromkeys([*ends, self.eos_id, *also]))
        self._typed = Typed(hf, structure(hf, self._plain_turns()))

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        chat_template: str | None = None,
        trust_remote_code: bool = False,
        new_tokens: Sequence[str] = (),
        new_special_tokens: Sequence[str] = (),
    ) -> Tokenizer:
        """Open the tokenizer of a model's folder.

        Args:
            folder: A folder as Hugging Face saves it.
            chat_template: A Jinja template that goes before the tokenizer's own.
            trust_remote_code: Whether code that comes with the model may run.
            new_tokens: Words that it gets as tokens of their own, with the ids behind those that it has.
            new_special_tokens: Control tokens that it gets after these; the template may end answers with one.

        Raises:
            ModelError: It cannot be read, or has one of the new tokens already.
        """
        from transformers import AutoTokenizer

        try:
            hf = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
        except Exception as error:
            # The tokenizers library raises plain Exception for a damaged file; anything unforeseen is our fault.
            if type(error) is not Exception and not isinstance(error, _UNREADABLE):
                raise
            raise ModelError(
                f"the tokenizer cannot be read: {error}",
                where=str(folder),
                fix="copy tokenizer.json and tokenizer_config.json of the base model into the folder",
            ) from error
        _add(hf, "new_tokens", new_tokens)
        _add(hf, "new_special_tokens", new_special_tokens)
        return cls(hf, chat_template=chat_template, generation=_generation(folder / "generation_config.json"))

    # --- text ------------------------------------------------------------------------------------

    def text_ids(self, text: str) -> list[int]:
        """Ids of running text, with the beginning token where the tokenizer sets one, once."""
        return self._one_bos(self.hf(text, verbose=False)["input_ids"])

    def open_ids(self, text: str) -> list[int]:
        """Ids of a text that is to go on: as :meth:`text_ids`, without the end token that some tokenizers add."""
        ids = self.text_ids(text)
        return ids[:-1] if len(ids) > 1 and ids[-1] == self.eos_id else ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, control tokens left out."""
        text: str = self.hf.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    # --- conversations ---------------------------------------------------------------------------

    def render(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = (), generation: bool = False
    ) -> str:
        """Text of a conversation, as the chat template writes it.

        Args:
            messages: The turns; at least one.
            tools: JSON schemas of the tools that the assistant may call.
            generation: Whether the text goes on with the opening of an answer.

        Raises:
            RecordError: The template refuses the conversation.
        """
        return self._typed.show(self._apply(messages, tools, generation))

    def chat_ids(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = (), generation: bool = False
    ) -> list[int]:
        """Ids of a conversation, see :meth:`render`; with ``generation`` it is the prompt that the server makes."""
        return self._one_bos(self._ids(self._apply(messages, tools, generation)))

    def chat_examples(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], learned: Collection[int]
    ) -> list[tuple[list[int], list[int]]]:
        """Ids of a conversation and which of them are learned.

        Each learned turn is the prompt that the server would make of the turns before it, then the answer and the
        token that ends it. Turns share an example as long as the longer one begins with the ids of the shorter. A
        template that writes earlier turns differently later on (one that strips old reasoning) gives one example
        for each turn, because that is what the model will meet.

        Args:
            messages: The turns.
            tools: JSON schemas of the tools.
            learned: Positions of the assistant turns that are learned.

        Returns:
            Pairs of ids and marks (1 learned, 0 only read), each ending with a learned end token.

        Raises:
            RecordError: The template refuses the conversation, or does not show where an answer begins.
        """
        examples: list[tuple[list[int], list[int]]] = []
        for turn in sorted(learned):
            prompt, answer = self.answer_ids(messages, tools, turn)
            marks: list[int] = []
            if examples and prompt[: len(examples[-1][0])] == examples[-1][0]:
                marks = examples.pop()[1]
            examples.append((prompt + answer, marks + [0] * (len(prompt) - len(marks)) + [1] * len(answer)))
        return examples

    def answer_ids(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], turn: int
    ) -> tuple[list[int], list[int]]:
        """Ids of the prompt before one assistant turn, and of the turn itself with the token that ends it.

        Args:
            messages: The turns.
            tools: JSON schemas of the tools.
            turn: Position of the assistant turn.

        Raises:
            RecordError: The template refuses the conversation, or does not show where the answer begins.
        """
        before = self._apply(messages[:turn], tools, generation=True)
        after = self._apply(messages[: turn + 1], tools)
        if not after.startswith(before):
            raise RecordError(
                "the chat template opens an answer in another way than it writes it",
                where=f"turn {turn + 1}",
                fix="give a template that does not, with model.chat_template",
            )
        unwritten = [call.name for call in messages[turn].tool_calls if call.name not in after[len(before) :]]
        if unwritten:
            raise RecordError(
                "the chat template does not write tool calls",
                where=f"turn {turn + 1}, {unwritten[0]}",
                fix="give a template that does, with model.chat_template",
            )
        prompt, whole = self._one_bos(self._ids(before)), self._one_bos(self._ids(after))
        if whole[: len(prompt)] == prompt:
            answer = whole[len(prompt) :]
        else:
            answer = self._seam(prompt, after[len(before) :], whole, turn)
        return prompt, self._ended(answer, messages, tools, turn)

    def save(self, folder: Path) -> None:
        """Write the tokenizer and its chat template as Hugging Face does."""
        self.hf.save_pretrained(folder)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides ids: vocabulary, merges, template, end tokens."""
        backend = getattr(self.hf, "backend_tokenizer", None)
        body = backend.to_str() if backend is not None else self.hf.get_vocab()
        return of_value(
            {"tokenizer": body, "template": self.hf.chat_template, "end": self.end_ids, "typed": self._typed.tokens}
        )

    # --- how it is done --------------------------------------------------------------------------

    def _apply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], generation: bool = False) -> str:
        """The text with a stand-in for each control token that somebody typed, as :meth:`_ids` takes it."""
        from jinja2 import TemplateError

        messages, tools = self._typed.hide(messages), self._typed.hide_tools(tools)
        for json_arguments in (False, True):
            try:
                text: str = self.hf.apply_chat_template(
                    template.plain(messages, json_arguments=json_arguments),
                    tools=tools or None,
                    add_generation_prompt=generation,
                    tokenize=False,
                )
                return text
            except (TemplateError, ValueError) as error:
                problem: Exception = error
                break
            except TypeError as error:  # some templates paste the arguments of a tool call into a string
                problem = error
        raise RecordError(
            f"the chat template refuses the conversation: {problem}",
            where="messages",
            fix="change the roles or their order, or give another template with model.chat_template",
        ) from problem

    def _ids(self, text: str) -> list[int]:
        return self._typed.ids(text, lambda each: self.hf(each, add_special_tokens=False, verbose=False)["input_ids"])

    def _one_bos(self, ids: list[int]) -> list[int]:
        twice = self.hf.bos_token_id is not None and ids[:2] == [self.hf.bos_token_id] * 2
        return ids[1:] if twice else ids

    def _seam(self, prompt: list[int], answer: str, whole: list[int], turn: int) -> list[int]:
        # A token spans the seam of prompt and answer. The prompt is what the server sends, so the answer gets
        # ids of its own: read after an anchor, because many tokenizers treat the beginning of a text specially.
        wanted = self.hf.decode(whole)
        for anchor in _ANCHORS:
            start, both = self._ids(anchor), self._ids(anchor + answer)
            ids = both[len(start) :]
            if both[: len(start)] == start and self.hf.decode(prompt + ids) == wanted:
                return ids
        raise RecordError(
            "prompt and answer grow together into one token",
            where=f"turn {turn + 1}",
            fix="give a template that ends the prompt with a control token, with model.chat_template",
        )

    def _ended(
        self, answer: list[int], messages: Sequence[Message], tools: Sequence[dict[str, Any]], turn: int
    ) -> list[int]:
        body = len(answer)
        while body and (answer[body - 1] in self.end_ids or not self.hf.decode(answer[body - 1]).strip()):
            body -= 1
        for place in range(body, len(answer)):
            if answer[place] in self.end_ids:
                return answer[: place + 1]
        # No end token: in some families (GLM) the opening of the next turn ends the answer, and blanks that the
        # template writes between turns (Falcon) are not the answer's.
        return [*answer[:body], self._next_end(messages, tools, turn)]

    def _next_end(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], turn: int) -> int:
        if turn + 1 < len(messages):
            now, later = self._apply(messages[: turn + 1], tools), self._apply(messages[: turn + 2], tools)
            if later.startswith(now):
                follows = self._ids(later[len(now) :])[:1]
                if follows and follows[0] in self.end_ids:
                    return follows[0]
        return self.turn_end_id

    def _surplus(self) -> str:
        """Find what a template adds to the opening of an answer only when it asks for one (an opened ``<think>``).

        It does not stand there when the template writes an answer, so it must not be in the prompt either, neither
        here nor in what is exported: the model would be asked in a way it was never taught.
        """
        try:
            opened, written = self._apply(_PROBE[:1], (), True), self._apply(_PROBE[:2], (), False)
        except RecordError:
            return ""
        return opened[template.shared(opened, written) :]

    def _plain_turns(self) -> list[str]:
        """A few plain conversations as the template writes them; those that it refuses are left out."""
        found = []
        for messages in (_PROBE[:1], _PROBE, (Message("system", "a"), *_PROBE[:1])):
            try:
                found.append(self._apply(messages, (), generation=True))
            except RecordError:
                continue
        return found

    def _learn_ends(self) -> tuple[int, ...]:
        """Find the control tokens that the template puts behind an answer, the usual one first.

        Some families (GLM) write none: there the opening of the next turn ends an answer, and the turn of a tool
        opens otherwise than the user's. Others end a call of a tool with a token of its own.
        """
        end = self._behind_answer(_PROBE)
        if end is None:
            return (self.eos_id,)
        other = self._behind_calls()
        if self._behind_answer(_PROBE[:2]) != end:
            other = self._behind_answer((*_PROBE[:2], Message("tool", "b")))
        return (end,) if other in (None, end) else (end, other)

    def _behind_calls(self) -> int | None:
        """The control token that ends a turn with calls of tools, if it does not also stand between two calls."""
        call = ToolCall(_WORD, {"a": _WORD})
        for count in (2, 1):  # some templates refuse two calls in one turn
            try:
                text = self._apply((_PROBE[0], Message("assistant", tool_calls=(call,) * count)), (), False)
            except RecordError:
                continue
            _, *between, last = [self._control(piece) for piece in text.split(_WORD)] if _WORD in text else [[], []]
            ends = [id for id in last if not any(id in piece for piece in between)]
            return ends[-1] if ends else None
        return None

    def _behind_answer(self, messages: Sequence[Message]) -> int | None:
        try:
            text = self._apply(messages, (), False)
        except RecordError:
            return None
        control = self._control_ids
        for id in self._ids(text[text.rfind(_WORD) + len(_WORD) :]):
            if id in control:
                return id
            if self.hf.decode(id).strip():
                break
        return None

    def _control(self, text: str) -> list[int]:
        return [id for id in self._ids(text) if id in self._control_ids]

    @cached_property
    def _control_ids(self) -> set[int]:
        return {*self.hf.added_tokens_decoder, *self.hf.all_special_ids}


def _add(hf: Any, option: str, tokens: Sequence[str]) -> None:
    there = hf.get_vocab()
    known = [token for token in tokens if token in there]
    if known:
        raise ModelError(
            f"the tokenizer has {', '.join(map(repr, known))} already",
            where=f"model.{option}",
            fix="take it out of the list: it can be used as it is",
        )
    hf.add_tokens(list(tokens), special_tokens=option == "new_special_tokens")


def _generation(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        said: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ModelError(f"not a JSON object: {error}", where=str(path), fix="copy the file again") from error
    return said
