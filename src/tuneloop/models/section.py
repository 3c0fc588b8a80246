"""The ``model`` section: which base model, and how it is opened."""

from __future__ import annotations

from typing import Literal

from tuneloop.parts import Section


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
