"""The ``model`` section: which base model, and how it is opened."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from tuneloop.models.quantizers import Quantizer
from tuneloop.parts import OneOf, Section


class ModelSection(Section):
    """The base model that is tuned."""

    base: str
    """Folder (relative to the recipe), Hugging Face name, ``embedded``, or a model of the store (ref or id)."""
    revision: str = "main"
    """Branch, tag or commit, for a Hugging Face name."""
    init: Literal["pretrained", "random"] = "pretrained"
    """``random`` takes only configuration and tokenizer, for training from nothing."""
    chat_template: str | None = None
    """File with a Jinja chat template to use instead of the tokenizer's own."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run on this machine."""
    quantization: OneOf[Quantizer] | None = None
    """Hold the frozen matrices in few bits, for an adapter to learn beside them: ``load_in_4bit`` or ``load_in_8bit``;
    null holds them in full."""
    new_tokens: list[str] = Field([])
    """Words to add to the vocabulary, each one token from then on; their rows learn beside whatever else learns."""
    new_special_tokens: list[str] = Field([])
    """Control tokens to add: as ``new_tokens``, but left out of the text that is shown."""

    @field_validator("new_tokens", "new_special_tokens")
    @classmethod
    def _are_tokens(cls, value: list[str]) -> list[str]:
        for token in value:
            if not token or token != token.strip():
                raise ValueError(f"{token!r} is no token: write it without blanks around it")
            if value.count(token) > 1:
                raise ValueError(f"{token!r} stands there twice")
        return value

    @property
    def as_it_is(self) -> ModelSection:
        """The section of a base that is taken as it stands in the store: nothing drawn, added or rounded any more."""
        done: dict[str, Any] = {"init": "pretrained", "quantization": None, "new_tokens": [], "new_special_tokens": []}
        return self.model_copy(update=done)

    @property
    def added(self) -> tuple[str, ...]:
        """All tokens that are added, in the order of their ids."""
        return (*self.new_tokens, *self.new_special_tokens)
