"""One answer on its way: from the engine's thread to the client, and into the log before its last byte is sent."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from tuneloop.errors import ModelError
from tuneloop.rows import Exchange
from tuneloop.serving.protocol import Refusal

if TYPE_CHECKING:
    from tuneloop.models.generate import Request, Token
    from tuneloop.serving.served import Served
    from tuneloop.store.exchanges import Exchanges

log = logging.getLogger(__name__)


class Flight:
    """One answer on its way to a client.

    Args:
        served: What answers.
        request: The prompt and the generation settings.
        prefix: What its id begins with (``chatcmpl``, ``cmpl``).
        caller: Digest of the caller's key.
        asked: The request as it is kept with the exchange.
        exchanges: Where exchanges are kept; None keeps none.
    """

    def __init__(
        self,
        served: Served,
        request: Request,
        *,
        prefix: str,
        caller: str,
        asked: dict[str, Any],
        exchanges: Exchanges | None,
    ) -> None:
        self.served = served
        self.id = f"{prefix}-{uuid.uuid4().hex}"
        self.created = time.time()
        self.prompt_tokens = len(request.prompt)
        self.completion_tokens = 0
        self.text = ""
        self.finish = ""
        self._caller = caller
        self._asked = asked
        self._unfinished = "cancelled"
        self._exchanges = exchanges
        self._inbox: asyncio.Queue[Token | Exception] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        try:
            cancel = served.running.submit(request, self._deliver)
        except ModelError as error:
            problem = error.problems[0]
            raise Refusal(
                f"{problem.what}; {problem.fix}", param=problem.where, code="context_length_exceeded"
            ) from error
        if cancel is None:
            raise Refusal(
                "too many requests are waiting; try again in a moment",
                status=429,
                code="rate_limit_exceeded",
                headers={"Retry-After": "1"},
            )
        self._cancel = cancel

    def _deliver(self, token: Token | Exception) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, token)

    async def pieces(self) -> AsyncIterator[str]:
        """The pieces of the text as they come; after the last one the exchange is on the disk.

        Raises:
            StoreError: The exchange could not be kept.
            Exception: What the engine met.
        """
        while not self.finish:
            token = await self._inbox.get()
            if isinstance(token, Exception):
                self._unfinished = "failed"
                raise token
            self.completion_tokens += 1
            self.text += token.text
            if token.finish:
                await self._keep(token.finish)
            if token.text:
                yield token.text

    async def end(self) -> None:
        """Free its place; an answer that was not finished is kept as far as it came."""
        self._cancel()
        if not self.finish:
            log.info("%s: %s after %d tokens", self.id, self._unfinished, self.completion_tokens)
            with anyio.CancelScope(shield=True):
                await self._keep(self._unfinished)

    async def _keep(self, finish: str) -> None:
        self.finish = finish  # first, so that a failed write is not tried again
        if self._exchanges is not None:
            exchange = Exchange(
                id=self.id,
                time=self.created,
                release=self.served.release,
                arm=self.served.arm,
                caller=self._caller,
                request=self._asked,
                response=self.text,
                latency=time.time() - self.created,
                prompt_tokens=self.prompt_tokens,
                completion_tokens=self.completion_tokens,
                finish=finish,
            )
            await run_sync(self._exchanges.add, exchange)

    @property
    def usage(self) -> dict[str, int]:
        """Tokens of prompt and answer, as OpenAI counts them."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }
