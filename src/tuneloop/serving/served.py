"""What is being served at this moment, and the names that clients may call it by."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuneloop.models import Loaded
    from tuneloop.rows import Message
    from tuneloop.serving.engines import Running


@dataclass(frozen=True)
class Served:
    """One model in service.

    Attributes:
        ref: The name it is served under, such as ``faq/champion``.
        release: Id of the artifact that the ref points at: a Release, or a Model.
        model: Id of the Model.
        base: Name of its base model.
        loaded: The opened model with its tokenizer.
        running: The engine at work on it.
        since: When its service began, seconds since the epoch.
    """

    ref: str
    release: str
    model: str
    base: str
    loaded: Loaded
    running: Running
    since: int = field(default_factory=lambda: int(time.time()))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def arm(self) -> str:
        """The last part of the ref, such as ``champion``."""
        return self.ref.rsplit("/", 1)[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which a client may ask for it."""
        return (self.ref, self.arm, self.release, self.model)

    def card(self) -> dict[str, Any]:
        """Its entry in the list of models, as OpenAI writes it."""
        return {
            "id": self.ref,
            "object": "model",
            "created": self.since,
            "owned_by": "tuneloop",
            "root": self.model,
            "parent": self.base,
            "release": self.release,
        }

    def chat_ids(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]]) -> list[int]:
        """The prompt of a conversation, by the very function that made the prompts of training.

        Raises:
            RecordError: The template refuses the conversation.
        """
        with self._lock:  # a Hugging Face tokenizer is not made for several threads at once
            return self.loaded.tokenizer.chat_ids(messages, tools, generation=True)

    def text_ids(self, text: str) -> list[int]:
        """The prompt of a plain text."""
        with self._lock:
            return self.loaded.tokenizer.open_ids(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids."""
        with self._lock:
            return self.loaded.tokenizer.decode(ids)

    @property
    def vocabulary(self) -> int:
        """How many token ids the model knows."""
        from tuneloop.models.layers import vocabulary_size

        return vocabulary_size(self.loaded.model)
