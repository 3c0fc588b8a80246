"""Answers in OpenAI's form: whole, or as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from tuneloop.serving.flight import Flight
from tuneloop.serving.protocol import error_body

log = logging.getLogger(__name__)
GONE = 499  # nobody reads it: the client has closed the connection


class Form:
    """How one kind of answer is written: chat or plain completion.

    Args:
        chat: Whether it is a chat.
    """

    def __init__(self, *, chat: bool) -> None:
        self.prefix = "chatcmpl" if chat else "cmpl"
        self._chat = chat

    def whole(self, flight: Flight) -> dict[str, Any]:
        """The finished answer as one object."""
        body: dict[str, Any] = (
            {"message": {"role": "assistant", "content": flight.text, "refusal": None}}
            if self._chat
            else {"text": flight.text}
        )
        kind = "chat.completion" if self._chat else "text_completion"
        return self._head(flight, kind) | {"choices": [_choice(body, flight.finish)], "usage": flight.usage}

    def opening(self, flight: Flight) -> list[dict[str, Any]]:
        """The chunks before the first piece of text."""
        return [self._chunk(flight, {"delta": {"role": "assistant", "content": ""}})] if self._chat else []

    def piece(self, flight: Flight, text: str) -> dict[str, Any]:
        """The chunk with one piece of text."""
        return self._chunk(flight, {"delta": {"content": text}} if self._chat else {"text": text})

    def closing(self, flight: Flight, *, usage: bool) -> list[dict[str, Any]]:
        """The chunks after the last piece of text: why it ended, and the usage where it was asked for."""
        last = self._chunk(flight, {"delta": {}} if self._chat else {"text": ""}, flight.finish)
        counted = self._head(flight, self._chunk_kind) | {"choices": [], "usage": flight.usage}
        return [last, counted] if usage else [last]

    def _chunk(self, flight: Flight, body: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return self._head(flight, self._chunk_kind) | {"choices": [_choice(body, finish)]}

    @property
    def _chunk_kind(self) -> str:
        return "chat.completion.chunk" if self._chat else "text_completion"

    def _head(self, flight: Flight, kind: str) -> dict[str, Any]:
        return {
            "id": flight.id,
            "object": kind,
            "created": int(flight.created),
            "model": flight.served.ref,
            "system_fingerprint": flight.served.release,
        }


def _choice(body: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, **body, "logprobs": None, "finish_reason": finish}


class EventStream(StreamingResponse):
    """An answer as server-sent events; its place is freed however the sending ends.

    Args:
        flight: The answer.
        form: Chat or completion.
        usage: Whether the tokens are told at the end.
    """

    def __init__(self, flight: Flight, form: Form, *, usage: bool) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # no proxy on the way holds pieces back
        super().__init__(_events(flight, form, usage), media_type="text/event-stream", headers=headers)
        self._flight = flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, and end the flight in any case."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._flight.end()


async def _events(flight: Flight, form: Form, usage: bool) -> AsyncIterator[bytes]:
    for chunk in form.opening(flight):
        yield _event(chunk)
    try:
        async for text in flight.pieces():
            yield _event(form.piece(flight, text))
    except Exception as error:  # noqa: BLE001 - the status is sent already: the client learns of it in the stream
        log.error("%s: %s", flight.id, error)
        await flight.end()
        yield _event(error_body("the answer could not be finished; the server's log says why", status=500))
        return
    for chunk in form.closing(flight, usage=usage):
        yield _event(chunk)
    yield b"data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


async def whole(flight: Flight, form: Form, request: Request) -> Response:
    """Wait for the answer, or for the client to go away, whichever comes first.

    Raises:
        Exception: What the engine or the log met.
    """
    answer = asyncio.create_task(_finished(flight))
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            return Response(status_code=GONE)
        answer.result()
        return JSONResponse(form.whole(flight))
    finally:
        answer.cancel()
        gone.cancel()
        await asyncio.wait({answer, gone})
        await flight.end()


async def _finished(flight: Flight) -> None:
    async for _ in flight.pieces():
        pass


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
