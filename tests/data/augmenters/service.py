"""A small OpenAI-compatible service for tests: what it answers is a function of the text."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[str, str], Any]
"""Gives for the system's and the user's text the answer, or a status of HTTP."""


class Service(ThreadingHTTPServer):
    """Counts what it is asked; its address is ``url``."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply, self.asked, self.keys = reply, 0, set[str]()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        self.server.keys.add(self.headers.get("Authorization", ""))
        system, user = (turn["content"] for turn in asked["messages"])
        said = self.server.reply(system, user)
        status = said if isinstance(said, int) else 200
        finish = "length" if said == "cut" else "stop"
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": finish}
        body = json.dumps({"object": "chat.completion", "model": asked["model"], "choices": [choice]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(reply: Reply) -> Iterator[Service]:
    """Answer at a port of this machine."""
    with Service(reply) as service:
        threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield service
        finally:
            service.shutdown()
