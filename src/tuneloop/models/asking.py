"""Asking: what a model behind an OpenAI-compatible endpoint answers, or one on this machine.

Rows are said in other words and answers are judged this way. Answers are kept in the store's cache by the digest of
what was asked, so a second run asks nothing twice and gets the same.
"""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuneloop.errors import DataError, NoAnswer, RecordError
from tuneloop.models.section import ModelSection
from tuneloop.store.digest import of_value

if TYPE_CHECKING:
    from tuneloop.models import Loaded
    from tuneloop.models.find import Base

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
REFUSED = frozenset({401, 403, 404})
"""Statuses that every request will meet."""
PATIENCE = 5
"""Rows in a row that may go without any answer before the endpoint counts as down."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before the second try, and most seconds before any."""
COUNTED = ("prompt_tokens", "completion_tokens")
LARGEST = 1 << 22
"""Bytes of the largest answer that is read."""
KEPT = "answered-"
"""How the folders of kept answers begin, in the store's cache."""


@dataclass(frozen=True)
class Question:
    """What is asked of a model.

    Attributes:
        system: What it is told to do.
        text: What it is to do it with.
        temperature: 0 takes the likeliest token each time.
        max_tokens: Tokens of the longest answer.
        seed: Makes drawing repeatable, where the service follows it.
    """

    system: str
    text: str
    temperature: float
    max_tokens: int
    seed: int

    def messages(self) -> list[dict[str, str]]:
        """As a conversation."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.text}]


class Asked(Protocol):
    """A model that can be asked."""

    def ask(self, question: Question) -> str:
        """The answer.

        Raises:
            RecordError: There is none, or it was cut off.
            DataError: There can be none.
        """


@dataclass
class Cost:
    """What an endpoint was asked; several threads may add to it.

    Attributes:
        answers: Requests that were answered.
        prompt_tokens: Tokens that the endpoint read, as far as it says.
        completion_tokens: Tokens that it wrote, as far as it says.
    """

    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _adding: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, body: bytes) -> None:
        """Count one answer, as the service sent it."""
        try:
            usage = json.loads(body).get("usage") or {}
        except (ValueError, AttributeError):
            usage = {}
        read, wrote = (usage.get(name) if isinstance(usage, dict) else 0 for name in COUNTED)
        with self._adding:
            self.answers += 1
            self.prompt_tokens += read if isinstance(read, int) else 0
            self.completion_tokens += wrote if isinstance(wrote, int) else 0


@dataclass
class Endpoint:
    """A model behind an OpenAI-compatible endpoint; several threads may ask at once.

    Attributes:
        base_url: The address up to and with ``/v1``.
        model: Name of the model there.
        key: The secret that opens it; empty for none.
        timeout: Seconds that one request may take.
        retries: How often a request is tried again.
        sleep: Waits some seconds.
        cost: What was asked so far.
    """

    base_url: str
    model: str
    key: str
    timeout: float
    retries: int
    sleep: Callable[[float], None] = time.sleep
    cost: Cost = field(default_factory=Cost)
    _unanswered: int = field(default=0, init=False)

    def ask(self, question: Question) -> str:
        """The answer of the service.

        Raises:
            NoAnswer: It did not answer, although tried again.
            RecordError: It refused this one question, or the answer was cut off.
            DataError: It will refuse every question: a wrong key, model or address.
        """
        if self._unanswered >= PATIENCE:
            raise self._silent()
        asked = {
            "model": self.model,
            "messages": question.messages(),
            "temperature": question.temperature,
            "max_tokens": question.max_tokens,
            "seed": question.seed,
        }
        for attempt in range(self.retries + 1):
            try:
                body = self._post(json.dumps(asked).encode())
                self.cost.add(body)
                answer = _text(body, self.base_url)
                self._unanswered = 0
                return answer
            except urllib.error.HTTPError as error:
                wait = self._status(error)
            except (OSError, http.client.HTTPException):
                wait = 0.0
            if attempt < self.retries:
                self.sleep(max(wait, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)))
        self._unanswered += 1
        raise self._silent()

    def _silent(self) -> NoAnswer:
        fix = "start it, and run the same command again"
        return NoAnswer("the endpoint does not answer", where=self.base_url, fix=fix)

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "tuneloop"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.base_url.rstrip('/')}/chat/completions", body, headers)  # noqa: S310
        with urllib.request.build_opener(_Stay).open(request, timeout=self.timeout) as response:
            return bytes(response.read(LARGEST))

    def _status(self, error: urllib.error.HTTPError) -> float:
        """Seconds that the service asks to wait before the same request."""
        with error:
            asked = error.headers.get("Retry-After", "")
        if error.code in PASSING:
            return min(float(asked), LONGEST_WAIT) if asked.isdigit() else 0.0
        if error.code in REFUSED or 300 <= error.code < 400:
            raise DataError(
                f"the endpoint says {error.code} {error.reason}",
                where=self.base_url,
                fix="see that base_url ends with /v1, that the model is served there, and that api_key_env names the "
                "variable with a valid key",
            ) from None
        raise RecordError(
            f"the endpoint says {error.code} {error.reason}", where=self.base_url, fix="see the log of the service"
        ) from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key is for the address that the recipe names."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _text(body: bytes, where: str) -> str:
    try:
        choice = json.loads(body)["choices"][0]
        text, finish = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError):
        raise RecordError(
            "the answer is no chat completion", where=where, fix="name an OpenAI-compatible endpoint"
        ) from None
    if finish == "length":
        raise RecordError("the answer was cut off", where=where, fix="raise max_tokens")
    return text if isinstance(text, str) else ""


class Local:
    """A model on this machine; what several threads ask meanwhile is answered together.

    Args:
        base: The model.
    """

    def __init__(self, base: Base) -> None:
        self._base = base
        self._waiting: list[tuple[Question, list[str | RecordError]]] = []
        self._list, self._work = threading.Lock(), threading.Lock()
        self._loaded: Loaded | None = None

    def ask(self, question: Question) -> str:
        """The answer of the model.

        Raises:
            RecordError: The answer was cut off.
            ModelError: The model cannot be loaded.
        """
        place: list[str | RecordError] = []
        with self._list:
            self._waiting.append((question, place))
        with self._work:  # whoever comes first answers for all that wait
            if not place:
                with self._list:
                    together, self._waiting = self._waiting, []
                for (_, taker), answer in zip(together, self._answers([each for each, _ in together]), strict=True):
                    taker.append(answer)
        if isinstance(place[0], RecordError):
            raise place[0]
        return place[0]

    def _open(self) -> Loaded:
        from tuneloop.models.load import load_base

        loaded = load_base(self._base, ModelSection(base=self._base.name), _Writes())
        loaded.model.eval().requires_grad_(False)
        return loaded

    def _answers(self, questions: Sequence[Question]) -> list[str | RecordError]:
        from tuneloop.models.generate import Request, generate
        from tuneloop.rows import Message

        loaded = self._loaded = self._loaded or self._open()
        prompts = [
            loaded.tokenizer.chat_ids([Message("system", each.system), Message("user", each.text)], generation=True)
            for each in questions
        ]
        requests = [
            Request(tuple(prompt), max_new_tokens=each.max_tokens, temperature=each.temperature, seed=each.seed)
            for prompt, each in zip(prompts, questions, strict=True)
        ]
        cut = RecordError("the answer was cut off", where=self._base.name, fix="raise max_tokens")
        return [cut if answer.finish == "length" else answer.text for answer in generate(loaded, requests)]


class _Writes:
    """Opens a model that writes text."""

    def load(self, config: Any, folder: str | None, **options: Any) -> Any:
        from transformers import AutoModelForCausalLM

        from tuneloop.models.load import open_weights

        return open_weights(AutoModelForCausalLM, config, folder, **options)


class Kept:
    """Answers kept in a folder by what was asked.

    Args:
        model: Who answers what is not kept.
        folder: Where answers are kept; None keeps none.
        who: Plain values that say who answers.
    """

    def __init__(self, model: Asked, folder: Path | None, who: Mapping[str, str]) -> None:
        self._model = model
        self._folder = folder / f"{KEPT}{of_value(dict(who))[:20]}" if folder else None

    def ask(self, question: Question) -> str:
        """The answer kept, else the model's, which is kept from then on."""
        if self._folder is None:
            return self._model.ask(question)
        key = of_value([question.messages(), question.temperature, question.max_tokens, question.seed])
        place = self._folder / key[:2] / key
        try:
            return place.read_text(encoding="utf-8")
        except FileNotFoundError:
            pass
        answer = self._model.ask(question)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=place.parent, delete=False) as file:
            file.write(answer)
        os.replace(file.name, place)  # noqa: PTH105
        return answer
