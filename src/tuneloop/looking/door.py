"""The door: who may ask for pages, and what a browser may do with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Digest of nothing: the chart library makes an empty style element, and fills it by script."""
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {EMPTY}; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""No script, style sheet or connection but our own; the chart library sets style attributes of its drawing."""
DOCUMENT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
"""For whole pages that lie in the store: they have their styles in them, and may do nothing but be shown."""


def guard(app: FastAPI) -> None:
    """Let only this machine's own browsers in, only to read, and tell them to run nothing but our files."""

    @app.middleware("http")
    async def check(request: Request, next_one: Callable[[Request], Awaitable[Response]]) -> Response:
        # A page of elsewhere can point a name of its own at a loopback address: the name gives it away.
        if request.url.hostname not in LOOPBACK:
            return PlainTextResponse("this page answers to localhost only\n", 403)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("this page only shows\n", 405, {"Allow": "GET, HEAD"})
        response = await next_one(request)
        headers = response.headers
        headers.setdefault("Content-Security-Policy", POLICY)
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response
