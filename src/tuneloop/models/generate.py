"""Answers from a model: requests in, text pieces out, through the one continuous-batching decoder.

:func:`generate` answers a list, :func:`stream` one request piece by piece, and :class:`Answering` is
what both and the serving engine stand on: requests join while others run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.errors import ModelError

if TYPE_CHECKING:
    from tuneloop.models import Loaded, Tokenizer

Finish = Literal["", "stop", "length"]


@dataclass(frozen=True)
class Request:
    """What is to be continued, and how.

    Attributes:
        prompt: Token ids, at least one.
        max_new_tokens: Tokens of the longest answer; the context length bounds it too.
        temperature: 0 takes the likeliest token each time; otherwise tokens are drawn.
        top_k: When drawing, only the so many likeliest tokens count; 0 leaves all.
        top_p: When drawing, only the likeliest tokens with this probability in all count.
        seed: Makes drawing repeatable; None draws anew each time.
        stop: The answer ends before the first of these strings.
    """

    prompt: tuple[int, ...]
    max_new_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Token:
    """One generated token.

    Attributes:
        id: Its id.
        text: The text that is certain now: pieces concatenate to the answer. Empty while a character is
            incomplete or a stop string may have begun; the last token brings what was held back.
        finish: Why this is the last token: ``stop`` (end token or stop string) or ``length``; empty before.
    """

    id: int
    text: str
    finish: Finish


@dataclass(frozen=True)
class Answer:
    """A whole answer: its text, its token ids (the end token included) and why it ended."""

    text: str
    ids: tuple[int, ...]
    finish: Finish


def context_length(loaded: Loaded) -> int | None:
    """Tokens that prompt and answer may have together; None where the model sets no bound."""
    model: Any = loaded.model
    length = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    if not length:
        return None
    if model.can_generate():
        return int(length)
    # Encoders of RoBERTa's kind count positions from behind the id of padding.
    places = [module for name, module in model.named_modules() if name.endswith("embeddings.position_embeddings")]
    reserved = [place.padding_idx + 1 for place in places if getattr(place, "padding_idx", None) is not None]
    return int(length) - max(reserved, default=0)


def check(loaded: Loaded, request: Request) -> None:
    """Make sure that a request can be answered.

    Raises:
        ModelError: The prompt is empty, no token may be generated, or the context has no room for an answer.
    """
    if not request.prompt:
        raise ModelError("the prompt is empty", where="prompt", fix="give at least one token")
    if request.max_new_tokens < 1:
        raise ModelError(f"max_new_tokens is {request.max_new_tokens}", where="max_new_tokens", fix="give 1 or more")
    length = context_length(loaded)
    if length is not None and len(request.prompt) >= length:
        raise ModelError(
            f"the prompt has {len(request.prompt)} tokens; with an answer the context holds {length}",
            where="prompt",
            fix=f"shorten it to {length - 1} tokens or fewer",
        )


def writes(loaded: Loaded) -> None:
    """Make sure that a model writes answers.

    Raises:
        ModelError: It is a classifier, which chooses among labels.
    """
    if not loaded.model.can_generate():  # type: ignore[operator]
        raise ModelError(
            f"{type(loaded.model).__name__} chooses among labels and writes no answers",
            where=loaded.base.name,
            fix="measure it with tuneloop evaluate; its bundle opens with transformers: "
            'pipeline("text-classification", model=FOLDER)',
        )


def generate(
    loaded: Loaded, requests: Sequence[Request], *, batch: int = 8, progress: Callable[[int], None] | None = None
) -> list[Answer]:
    """Answer requests, so many at a time.

    Args:
        loaded: The model with its tokenizer; it is put in eval mode meanwhile.
        requests: What is asked.
        batch: Requests that run together.
        progress: Called with the number of finished answers.

    Returns:
        One answer per request, in their order.

    Raises:
        ModelError: A prompt is empty or too long; nothing has been generated then.
    """
    for request in requests:
        check(loaded, request)
    training = loaded.model.training
    loaded.model.eval()
    try:
        answering = Answering(loaded, batch)
        place = {answering.add(request): index for index, request in enumerate(requests)}
        tokens: list[list[Token]] = [[] for _ in requests]
        done = 0
        while not answering.idle:
            for ticket, token in answering.step():
                tokens[place[ticket]].append(token)
                if token.finish:
                    done += 1
                    if progress is not None:
                        progress(done)
    finally:
        loaded.model.train(training)
    return [_whole(pieces) for pieces in tokens]


def stream(loaded: Loaded, request: Request) -> Iterator[Token]:
    """Answer one request token by token, as a terminal chat shows it.

    Args:
        loaded: The model with its tokenizer, in eval mode.
        request: What is asked.

    Yields:
        The tokens; the last one says why it is the last.

    Raises:
        ModelError: The prompt is empty or too long.
    """
    check(loaded, request)
    answering = Answering(loaded, 1)
    answering.add(request)
    while not answering.idle:
        for _, token in answering.step():
            yield token


class Answering:
    """Answers many requests with one model at once; new ones may join between two steps.

    Args:
        loaded: The model with its tokenizer, in eval mode.
        batch: Requests that run together at most; further ones wait.
    """

    def __init__(self, loaded: Loaded, batch: int) -> None:
        from tuneloop.models.decoder import Decoder

        writes(loaded)
        self._loaded = loaded
        self._context = context_length(loaded)
        self._decoder = Decoder(loaded.model, batch)
        self._writing: dict[int, _Writing] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is left to answer."""
        return not self._writing

    def add(self, request: Request) -> int:
        """Take a request that :func:`check` let pass.

        Returns:
            The ticket under which its tokens come out of :meth:`step`.
        """
        from tuneloop.models.decoder import Sampling

        sampling = Sampling(request.temperature, request.top_k, request.top_p, request.seed)
        ticket = self._decoder.add(request.prompt, sampling)
        room = request.max_new_tokens
        if self._context is not None:
            room = min(room, self._context - len(request.prompt))
        self._writing[ticket] = _Writing(self._loaded.tokenizer, room, request.stop)
        return ticket

    def cancel(self, ticket: int) -> None:
        """Stop answering a request; unknown and finished tickets are passed over."""
        self._decoder.remove(ticket)
        self._writing.pop(ticket, None)

    def step(self) -> list[tuple[int, Token]]:
        """Run the model once.

        Returns:
            Ticket and token of every request that got one.

        Raises:
            ModelError: The model's output is not a number.
        """
        tokens = []
        for ticket, id in self._decoder.step():
            token = self._writing[ticket].push(id)
            tokens.append((ticket, token))
            if token.finish:
                self.cancel(ticket)
        return tokens


class _Writing:
    """Turns the ids of one answer into text that never breaks a character, and knows when it ends."""

    def __init__(self, tokenizer: Tokenizer, room: int, stop: tuple[str, ...]) -> None:
        self._tokenizer = tokenizer
        self._room = room
        self._stop = tuple(text for text in stop if text)
        self._ids: list[int] = []
        self._begin = 0  # start of the ids that are decoded again for context
        self._known = 0  # the ids up to here have become text
        self._held = ""  # text that may be the beginning of a stop string

    def push(self, id: int) -> Token:
        """Take the next id; a token that ends the answer brings all text that is left."""
        self._room -= 1
        ended = id in self._tokenizer.end_ids
        if not ended:
            self._ids.append(id)
        last = ended or self._room <= 0
        self._held += self._decoded(last)
        found = min((at for at in (self._held.find(text) for text in self._stop) if at >= 0), default=-1)
        if found >= 0:
            return Token(id, self._held[:found], "stop")
        if last:
            return Token(id, self._held, "stop" if ended else "length")
        sure = len(self._held) - max((_overlap(self._held, text) for text in self._stop), default=0)
        piece, self._held = self._held[:sure], self._held[sure:]
        return Token(id, piece, "")

    def _decoded(self, last: bool) -> str:
        """The text that became certain; ids whose bytes end within a character wait for the next ones."""
        before = self._tokenizer.decode(self._ids[self._begin : self._known])
        now = self._tokenizer.decode(self._ids[self._begin :])
        if now.endswith("\ufffd") and not last:
            return ""
        piece = now[len(before) :]
        if piece:  # the context that is decoded again must have text: a leading space is stripped only before text
            self._begin = self._known
        self._known = len(self._ids)
        return piece


def _overlap(text: str, stop: str) -> int:
    """How many last characters of a text are the beginning of a stop string.

    Example:
        >>> _overlap("the en", "end")
        2
    """
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-n:])), 0)


def _whole(tokens: list[Token]) -> Answer:
    return Answer("".join(token.text for token in tokens), tuple(token.id for token in tokens), tokens[-1].finish)
