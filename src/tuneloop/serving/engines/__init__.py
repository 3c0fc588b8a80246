"""Engines: what turns requests into tokens for many callers at once. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tuneloop.parts import Part

if TYPE_CHECKING:
    from tuneloop.models import Loaded
    from tuneloop.models.generate import Request, Token


class Running(Protocol):
    """One model at work. It needs no closing: when its last request is answered and nobody holds it, it is gone."""

    def submit(self, request: Request, deliver: Callable[[Token | Exception], None]) -> Callable[[], None] | None:
        """Take a request; any thread may call this.

        Args:
            request: Prompt token ids and generation settings.
            deliver: Called for every token, from the engine's thread, so it must return at once; the last token
                says why it is the last. An exception in its place means that the request failed.

        Returns:
            A function that stops the answer, also before it began; None if too many requests wait.

        Raises:
            ModelError: The request cannot be answered (empty prompt, longer than the context).
        """


class Engine(Part, ABC):
    """Generates for many callers at once."""

    @abstractmethod
    def start(self, loaded: Loaded) -> Running:
        """Set a model to work.

        Args:
            loaded: The model with its tokenizer, in eval mode.

        Raises:
            ModelError: The engine cannot run this kind of model.
        """
