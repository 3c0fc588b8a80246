"""The OpenAI-compatible service: chat, completions, models, health, and feedback on every answer."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tuneloop.errors import RecordError
from tuneloop.models import generate
from tuneloop.rows import Feedback
from tuneloop.serving.auth import Keys
from tuneloop.serving.flight import Flight
from tuneloop.serving.protocol import (
    Body,
    ChatBody,
    CompletionBody,
    FeedbackBody,
    Refusal,
    Settings,
    error_body,
    refusal,
)
from tuneloop.serving.replies import GONE, EventStream, Form, whole
from tuneloop.serving.served import Served
from tuneloop.store.exchanges import Exchanges

log = logging.getLogger(__name__)
BODY_BYTES = 8 * 2**20
LOOPBACK = ("localhost", "127.0.0.1", "::1")
B = TypeVar("B", bound=Body)


def build_app(served: Callable[[], Served], *, exchanges: Exchanges | None, keys: Keys | None) -> FastAPI:
    """Make the web application.

    Args:
        served: Tells what is served now; asked anew for every request.
        exchanges: Where answers and feedback are kept; None keeps none and refuses feedback.
        keys: Who may call; None lets callers of this machine in.

    Returns:
        An ASGI application without a server.
    """
    app = FastAPI(title="tuneloop", openapi_url=None)
    _add_errors(app)
    service = _Service(served, exchanges, keys)
    app.add_api_route("/health", service.health, methods=["GET"])
    app.add_api_route("/v1/models", service.models, methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", service.model, methods=["GET"])
    app.add_api_route("/v1/chat/completions", service.chat, methods=["POST"], response_model=None)
    app.add_api_route("/v1/completions", service.complete, methods=["POST"], response_model=None)
    app.add_api_route("/feedback", service.feedback, methods=["POST"])
    return app


class _Service:
    def __init__(self, served: Callable[[], Served], exchanges: Exchanges | None, keys: Keys | None) -> None:
        self._served = served
        self._exchanges = exchanges
        self._keys = keys

    async def health(self) -> dict[str, Any]:
        served = self._served()
        return {"status": "ok", "ready": True, "ref": served.ref, "release": served.release, "model": served.model}

    async def models(self, request: Request) -> dict[str, Any]:
        self._admit(request)
        return {"object": "list", "data": [self._served().card()]}

    async def model(self, request: Request, name: str) -> dict[str, Any]:
        self._admit(request)
        return self._called(name).card()

    async def chat(self, request: Request) -> Response:
        caller = self._admit(request)
        body = await _read(request, ChatBody)
        served = self._called(body.model)
        messages = [turn.message() for turn in body.messages]
        try:
            prompt = await run_sync(served.chat_ids, messages, body.tools)
        except RecordError as error:
            raise Refusal(error.problems[0].what, param="messages", code="invalid_value") from error
        asked = {"messages": msgspec.to_builtins(messages), "tools": body.tools, "parameters": body.parameters()}
        most = body.max_completion_tokens or body.max_tokens
        return await self._answer(request, Form(chat=True), served, body, prompt, most, caller, asked)

    async def complete(self, request: Request) -> Response:
        caller = self._admit(request)
        body = await _read(request, CompletionBody)
        served = self._called(body.model)
        if isinstance(body.prompt, str):
            text, prompt = body.prompt, await run_sync(served.text_ids, body.prompt)
        else:
            if any(id >= served.vocabulary for id in body.prompt):
                raise Refusal(f"token ids go up to {served.vocabulary - 1}", param="prompt", code="invalid_value")
            text, prompt = await run_sync(served.decode, body.prompt), body.prompt
        asked = {"prompt": text, "parameters": body.parameters()}
        most = body.max_tokens or 16  # OpenAI's default for plain completions
        return await self._answer(request, Form(chat=False), served, body, prompt, most, caller, asked)

    async def _answer(
        self,
        request: Request,
        form: Form,
        served: Served,
        body: Settings,
        prompt: list[int],
        most: int | None,
        caller: str,
        asked: dict[str, Any],
    ) -> Response:
        wanted = generate.Request(
            prompt=tuple(prompt),
            max_new_tokens=most or generate.context_length(served.loaded) or 1024,
            temperature=body.temperature,
            top_k=body.top_k,
            top_p=body.top_p,
            seed=body.seed,
            stop=body.stop,
        )
        flight = Flight(served, wanted, prefix=form.prefix, caller=caller, asked=asked, exchanges=self._exchanges)
        if body.stream:
            usage = body.stream_options is not None and body.stream_options.include_usage
            return EventStream(flight, form, usage=usage)
        return await whole(flight, form, request)

    async def feedback(self, request: Request) -> dict[str, str]:
        caller = self._admit(request)
        body = await _read(request, FeedbackBody)
        if self._exchanges is None:
            raise Refusal("answers are not kept here (serve.log is false)", status=404, code="not_found")
        said = Feedback(
            id=f"feedback-{uuid.uuid4().hex}",
            exchange=body.exchange,
            kind=body.kind,
            value=body.judgement(),
            who=body.who or caller,
            time=time.time(),
        )
        if not await run_sync(self._exchanges.judge, said):
            raise Refusal(
                f"no answer has the id {body.exchange!r}; it is the id of the answer as the client got it",
                status=404,
                param="exchange",
                code="not_found",
            )
        return {"feedback_id": said.id}

    def _admit(self, request: Request) -> str:
        """Let the caller in, or refuse; returns the digest that stands for the caller."""
        if self._keys is None:
            # A page in the browser of this machine can reach a loopback address under a name of its own.
            if request.url.hostname not in LOOPBACK:
                raise Refusal("without API keys the service answers to localhost only", status=403)
            return ""
        caller = self._keys.caller(request.headers.get("authorization"))
        if caller is None:
            raise Refusal(
                "the API key is missing or not known; send it as Authorization: Bearer KEY",
                status=401,
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return caller

    def _called(self, name: str) -> Served:
        served = self._served()
        if name not in served.names:
            raise Refusal(
                f"no model is called {name!r} here; ask for {served.ref!r}",
                status=404,
                param="model",
                code="model_not_found",
            )
        return served


async def _read(request: Request, kind: type[B]) -> B:
    """Read a JSON body of limited size."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":  # what a foreign web page may send unasked is never JSON
        raise Refusal("send the body as Content-Type: application/json", status=415, code="invalid_content_type")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_BYTES:
            raise Refusal(f"the body is larger than {BODY_BYTES} bytes", status=413, code="request_too_large")
    try:
        return kind.model_validate_json(bytes(data))
    except ValidationError as error:
        raise refusal(error) from None


def _add_errors(app: FastAPI) -> None:
    """Answer every failure with OpenAI's error object."""

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return JSONResponse(error.body, error.status, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def no_such_route(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        return JSONResponse(error_body(message, status=error.status_code), error.status_code, headers=error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=GONE)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        log.error("a request failed: %s", error)
        return JSONResponse(error_body("the server failed; its log says why", status=500), 500)
