"""The ``evaluate.judge`` section: who judges, and by what."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from tuneloop.parts import Section


class JudgeSection(Section):
    """A model behind an OpenAI-compatible endpoint that says which of two answers is better, or how good one is."""

    base_url: str = Field(examples=["http://127.0.0.1:8000/v1"])
    """The endpoint, with ``/v1`` at its end. Nothing is sent anywhere unless this names it."""
    model: str
    """Name of the model there."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key of the endpoint; empty for none."""
    way: Literal["pairs", "grades"] = "pairs"
    """``pairs`` asks which of two answers is better; ``grades`` gives each answer 1 to 10 by itself."""
    against: str = "base"
    """With ``pairs``: whose answers the tuned ones are compared with, ``base`` or a name of ``evaluate.against``."""
    swap: bool = True
    """With ``pairs``: ask in both orders, and count a verdict only where both agree; else it is a tie."""
    criteria: str = "Is it correct? Does it do what was asked, all of it, and nothing else? Is it clear?"
    """What makes an answer good, in your own words."""
    limit: int = Field(50, ge=1)
    """Rows that are judged, of those that were answered."""
    max_tokens: int = Field(512, ge=16)
    """Tokens of the judge's longest answer."""
    timeout: float = Field(60.0, gt=0)
    """Seconds that one request may take."""
    retries: int = Field(2, ge=0)
    """How often a request that failed is tried again, and how often a verdict that cannot be read is asked for anew."""
    concurrency: int = Field(4, ge=1)
    """Requests at the same time."""

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s@]+", value):
            raise ValueError("give an address that begins with http:// or https://, without a user or key in it")
        return value

    def deciding(self) -> dict[str, Any]:
        """What decides the verdicts, as plain values: not how patiently they are asked for."""
        return self.model_dump(mode="json", exclude={"timeout", "retries", "concurrency", "api_key_env"})
