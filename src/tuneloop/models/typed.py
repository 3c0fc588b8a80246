"""Control tokens that somebody typed: in the text of a turn they are text, not the end of the turn.

A tokenizer takes every ``<|im_end|>`` for the control token, whoever wrote it. So whoever may write a turn could end it
and open another one, the system's or the assistant's. Here the turns that others write (user, system, tool) and what
tools say of themselves are rendered with a stand-in for each control token in them, and where a stand-in is, the text
between two real control tokens is read by a copy of the tokenizer that knows no control tokens. A conversation without
typed control tokens goes the usual way and gets the usual ids. The assistant's own turns are left as they are: what it
writes is what it generated. A template that makes its turns of plain words, without control tokens, has nothing that
could be kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import msgspec

from tuneloop.errors import RecordError
from tuneloop.rows import Message

FIRST, LAST = 0xFDD0, 0xFDEF
"""Code points that are no characters: Unicode keeps them for the inside of programs, no text may hold them."""
_ANCHOR = "\U0010ffff"
_ANY = re.compile(f"[{chr(FIRST)}-{chr(LAST)}]")


class Typed:
    """Keeps the control tokens of a template apart from those that stand in the text of a turn.

    Args:
        hf: The tokenizer as transformers opened it.
        tokens: The control tokens of the template; the most telling ones first, since there are 32 stand-ins.
    """

    def __init__(self, hf: Any, tokens: Sequence[str]) -> None:
        self._hf = hf
        fast = getattr(hf, "backend_tokenizer", None) is not None
        self.tokens = tuple(tokens)[: LAST - FIRST + 1] if fast else ()
        self._stand_ins = {token: chr(FIRST + place) for place, token in enumerate(self.tokens)}
        self._shown = {stand_in: token for token, stand_in in self._stand_ins.items()}
        longest_first = sorted(self.tokens, key=len, reverse=True)
        self._typed = re.compile("|".join(map(re.escape, longest_first))) if self.tokens else None

    def hide(self, messages: Sequence[Message]) -> list[Message]:
        """Put stand-ins for the control tokens in the turns that others than the assistant write.

        Raises:
            RecordError: A turn holds a code point that is no character.
        """
        return [self._hidden_turn(message, place) for place, message in enumerate(messages, start=1)]

    def hide_tools(self, tools: Sequence[dict[str, Any]]) -> list[Any]:
        """Put stand-ins for the control tokens in what tools say of themselves."""
        return [self._hidden(tool) for tool in tools]

    def show(self, text: str) -> str:
        """The text with the control tokens that the stand-ins stand for."""
        return _ANY.sub(lambda found: self._shown.get(found[0], found[0]), text)

    def ids(self, text: str, usual: Callable[[str], list[int]]) -> list[int]:
        """Ids of a rendered conversation, typed control tokens as text.

        Args:
            text: The text, with stand-ins.
            usual: Gives the ids of a text without them.

        Raises:
            RecordError: The tokenizer cannot read a typed control token as text.
        """
        if not _ANY.search(text):
            return usual(text)
        found: list[int] = []
        for piece, ids, first in self._pieces(text):
            if not _ANY.search(piece):
                found += ids
                continue
            read = self._read(self.show(piece), first)
            if self._read(piece, first) != ids or set(read) & self._control:
                typed = sorted({self.show(stand_in) for stand_in in _ANY.findall(piece)})
                raise RecordError(
                    f"the tokenizer cannot read {' and '.join(typed)} in a text as text",
                    where=f"the text {self.show(piece).strip()[:60]!r}",
                    fix="write it otherwise",
                )
            found += read
        return found

    def _hidden_turn(self, message: Message, place: int) -> Message:
        odd = _ANY.search(message.content + message.thinking)
        if odd is not None:
            raise RecordError(
                f"the text holds U+{ord(odd[0]):X}, which is no character",
                where=f"turn {place}",
                fix="take it out of the text",
            )
        if message.role == "assistant":
            return message
        fields = {name: getattr(message, name) for name in ("content", "name", "tool_call_id")}
        return msgspec.structs.replace(message, **self._hidden(fields))

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._typed.sub(lambda found: self._stand_ins[found[0]], value) if self._typed else value
        if isinstance(value, dict):
            return {key: self._hidden(inner) for key, inner in value.items()}
        return [self._hidden(inner) for inner in value] if isinstance(value, list) else value

    def _pieces(self, text: str) -> Iterator[tuple[str, list[int], bool]]:
        """Cut a text at its real control tokens: text, ids, and whether no control token stands before."""
        backend = self._hf.backend_tokenizer
        read = backend.encode(text, add_special_tokens=False)
        ids: list[int] = []
        begin, first = 0, True
        for id, (start, end) in zip(read.ids, read.offsets, strict=True):
            if self._added.get(id) != text[start:end].strip():  # an <unk> that nobody wrote is an ordinary piece
                ids.append(id)
                continue
            yield text[begin:start], ids, first
            yield "", [id], False
            ids, begin, first = [], end, False
        yield text[begin:], ids, first

    def _read(self, piece: str, first: bool) -> list[int]:
        """Ids of a piece by the copy that knows no control tokens; behind another token if it is not the first."""
        if first:
            alone: list[int] = self._plain.encode(piece, add_special_tokens=False).ids
            return alone
        behind: list[int] = self._plain.encode(_ANCHOR + piece, add_special_tokens=False).ids
        return behind[1:]

    @cached_property
    def _added(self) -> dict[int, str]:
        return {id: token.content for id, token in self._hf.added_tokens_decoder.items()}

    @cached_property
    def _control(self) -> frozenset[int]:
        return frozenset(self._hf.convert_tokens_to_ids(list(self.tokens)))

    @cached_property
    def _plain(self) -> Any:
        from tokenizers import AddedToken, Tokenizer

        told = msgspec.json.decode(self._hf.backend_tokenizer.to_str())
        told["added_tokens"] = []
        plain = Tokenizer.from_str(msgspec.json.encode(told).decode())
        plain.add_special_tokens([AddedToken(_ANCHOR, special=True, normalized=False)])
        return plain


def structure(hf: Any, rendered: Sequence[str]) -> list[str]:
    """The control tokens that make a template's turns, those at the ends of turns first.

    They are the tokenizer's own beginning and end, what the template writes around plain turns, and the special
    tokens that stand in the template itself. A tag for reasoning or tools that is no special token is not among them:
    some templates look for it in a turn's text.

    Args:
        hf: The tokenizer as transformers opened it, with its template.
        rendered: Plain conversations as the template writes them.
    """
    added = {token.content: token.special for token in hf.added_tokens_decoder.values()}
    around = [token for token in added if any(token in text for text in rendered)]
    named = [token for token, special in added.items() if special and token in hf.get_chat_template()]
    own = [token for token in (hf.eos_token, hf.bos_token, hf.pad_token) if token in added]
    return list(dict.fromkeys([*own, *around, *named]))
