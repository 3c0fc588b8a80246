"""A real server on this machine that gives pages of rows, and fails on request."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Said:
    """An answer: a status, a body, headers, and how it goes wrong."""

    def __init__(
        self,
        body: Any = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
        *,
        raw: bytes | None = None,
        packed: bool = False,
        cut: int = 0,
        slow: float = 0,
    ) -> None:
        self.status, self.headers, self.cut, self.slow = status, headers or {}, cut, slow
        self.data = json.dumps(body).encode() if raw is None else raw
        if packed:
            self.data = gzip.compress(self.data)
            self.headers = {"Content-Encoding": "gzip", **self.headers}


class Server:
    """What was asked, and where to ask."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []


@contextmanager
def serving(answer: Callable[[str, dict[str, str], int], Said]) -> Iterator[Server]:
    """Answer requests by a function of path, query and the number of requests before."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            server.asked.append(self.path)
            server.headers.append(dict(self.headers))
            server.times.append(time.monotonic())
            said = answer(parts.path, dict(parse_qsl(parts.query)), len(server.asked) - 1)
            if said.status == 0:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.data)))
            self.end_headers()
            if said.slow:
                time.sleep(said.slow)
            with suppress(OSError):
                self.wfile.write(said.data[: len(said.data) - said.cut])

        def log_message(self, *args: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(listening.server_port)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
