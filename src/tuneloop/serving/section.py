"""The ``serve`` section: where the service listens, who may call it, which models answer."""

from __future__ import annotations

from pydantic import Field

from tuneloop.parts import OneOf, Section, find
from tuneloop.serving.engines import Engine


class ServeSection(Section):
    """The OpenAI-compatible service."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond this machine it needs ``keys``."""
    port: int = Field(8000, ge=0, le=65535)
    """Port; 0 takes a free one."""
    keys: str | None = None
    """File with one API key (or ``sha256:`` digest of one) per line, relative to the recipe."""
    engine: OneOf[Engine] = Field(default_factory=lambda: find(Engine, "batched")())
    """What generates the tokens."""
    log: bool = True
    """Whether exchanges are kept, for feedback and lineage."""
