"""A conversation with one model, on this machine, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuneloop.rows import Message

if TYPE_CHECKING:
    from tuneloop.models import Loaded


@dataclass
class Session:
    """A conversation; it remembers what was said. A classifier is refused with a ModelError.

    Attributes:
        loaded: The model with its tokenizer.
        max_new_tokens: Tokens of the longest answer.
        temperature: 0 always takes the likeliest token.
        messages: What was said so far.
    """

    loaded: Loaded
    max_new_tokens: int = 256
    temperature: float = 0.0
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        from tuneloop.models.generate import writes

        writes(self.loaded)

    def say(self, text: str) -> Iterator[str]:
        """Say something and get the answer, piece by piece; it is remembered once it is complete."""
        from tuneloop.models.generate import Request, stream

        asked = [*self.messages, Message("user", text)]
        prompt = tuple(self.loaded.tokenizer.chat_ids(asked, generation=True))
        request = Request(prompt, max_new_tokens=self.max_new_tokens, temperature=self.temperature)
        pieces: list[str] = []
        for token in stream(self.loaded, request):
            pieces.append(token.text)
            yield token.text
        self.messages = [*asked, Message("assistant", "".join(pieces))]

    def reset(self) -> None:
        """Forget what was said."""
        self.messages = []
