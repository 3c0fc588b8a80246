"""Augmenters that ask a model for other words: what they share."""

from __future__ import annotations

import os
import re
import threading
from abc import abstractmethod
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.languages import language
from tuneloop.data.varying.inputs import changed_inputs, tools
from tuneloop.data.varying.protected import lost
from tuneloop.errors import DataError, RecordError
from tuneloop.models.asking import Endpoint, Kept, Local, Question
from tuneloop.models.section import ModelSection
from tuneloop.rows import Record

if TYPE_CHECKING:
    from tuneloop.models.find import Base

_OPENING = threading.Lock()
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_QUOTES = {'"': '"', "“": "”", "'": "'", "「": "」"}


class Answered(Augmenter):
    """Has every text that is asked said in other words by a model, and takes only answers that keep what they must."""

    model: str
    """With ``base_url`` the name of the model there; else one on this machine, as ``model.base`` names it."""
    base_url: str | None = Field(None, examples=["http://127.0.0.1:8000/v1"])
    """An OpenAI-compatible endpoint, with ``/v1`` at its end; null answers on this machine."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key of the endpoint; empty for none."""
    temperature: float = Field(0.7, ge=0)
    """How freely the model chooses its words; 0 gives every variant of a text the same."""
    max_tokens: int = Field(512, ge=1)
    """Tokens of the longest answer; an answer that is cut off is not taken."""
    timeout: float = Field(60.0, gt=0)
    """Seconds that one request may take."""
    retries: int = Field(2, ge=0)
    """How often a request is tried again."""
    concurrency: int = Field(8, ge=1)
    """How many rows are asked about at the same time."""

    shortest: ClassVar[float] = 0.5
    longest: ClassVar[float] = 2.0
    """Bounds of an answer's length, as multiples of the text's."""

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s@]+", value):
            raise ValueError("give an address that begins with http:// or https://, without a user or key in it")
        return value

    @property
    def together(self) -> int:
        """So many rows wait for answers at a time."""
        return self.concurrency

    def stamp(self) -> str:
        """The digest of a model on this machine.

        Raises:
            ModelError: There is no such model.
        """
        return self._base().digest if self.base_url is None else ""

    def vary(self, record: Record, random: Random) -> Record:
        """Ask for other words for every text that is asked."""
        keep = tools(record.content)

        def change(text: str) -> str:
            return self._checked(text, self.said(text, random.getrandbits(31)), keep) if text.strip() else text

        return record.having(changed_inputs(record.content, change))

    @abstractmethod
    def said(self, text: str, seed: int) -> str:
        """Say a text in other words.

        Args:
            text: The text.
            seed: For :meth:`answer`.

        Raises:
            RecordError: It cannot be said otherwise.
        """

    def answer(self, system: str, text: str, seed: int) -> str:
        """What the model answers, without thoughts and quotes around it.

        Raises:
            RecordError: There is no answer.
        """
        with _OPENING:
            asked = self._asked
        found = asked.ask(Question(system, text.strip(), self.temperature, self.max_tokens, seed))
        found = _THOUGHT.sub("", found).strip()
        if len(found) > 1 and _QUOTES.get(found[0]) == found[-1] and text.strip()[0] != found[0]:
            found = found[1:-1].strip()
        return found

    def _checked(self, text: str, answer: str, keep: frozenset[str]) -> str:
        """The answer with the blanks of the text around it.

        Raises:
            RecordError: It lost what had to stay.
        """
        plain = text.strip()
        reason = ""
        if not answer:
            reason = "the answer is empty"
        elif not self.shortest <= len(answer) / len(plain) <= self.longest:
            reason = "the answer is much longer or shorter than the text"
        elif any((word in plain) != (word in answer) for word in keep):
            reason = "the name of a tool changed"
        else:
            reason = lost(plain, answer)
        if not reason and language(plain) != language(answer):
            reason = "the answer is in another language"
        if reason:
            raise RecordError(reason, where=f"data.augment.{self.name}", fix="use another model, or leave it out")
        start = text.index(plain)
        return text[:start] + answer + text[start + len(plain) :]

    @cached_property
    def _asked(self) -> Kept:
        cache = self.place.store.root / "cache" if self.place.store else None
        if self.base_url is None:
            base = self._base()
            return Kept(Local(base), cache, {"digest": base.digest})
        key = os.environ.get(self.api_key_env, "") if self.api_key_env else ""
        if self.api_key_env and not key:
            raise DataError(
                f"the environment has no {self.api_key_env}",
                where=f"data.augment.{self.name}.api_key_env",
                fix=f"export {self.api_key_env}=... before tuneloop prepare, or leave api_key_env out",
            )
        endpoint = Endpoint(self.base_url, self.model, key, self.timeout, self.retries)
        return Kept(endpoint, cache, {"model": self.model, "base_url": self.base_url})

    def _base(self) -> Base:
        from tuneloop.models.find import find_base

        store = self.place.store
        if store is None:
            raise DataError(
                "a model on this machine is looked for from a store",
                where=f"data.augment.{self.name}.model",
                fix="prepare the rows with a store, or give base_url: of an endpoint",
            )
        return find_base(ModelSection(base=self.model), folder=self.place.folder, store=store)
