"""An exchange: one served request with its answer."""

from __future__ import annotations

from typing import Any

import msgspec


class Exchange(msgspec.Struct, frozen=True):
    """One request and its answer.

    Attributes:
        id: The answer's id, as the client saw it.
        time: Seconds since the epoch.
        release: Id of the artifact that answered (a Release, or a Model where none was made).
        arm: The name under which it was served (``champion``).
        caller: Digest of the caller's key, never the key.
        request: Messages or prompt, and the generation settings.
        response: The text given back.
        latency: Seconds until the last token.
        prompt_tokens: Tokens of the rendered prompt.
        completion_tokens: Tokens of the answer, the end token included.
        finish: Why it ended: ``stop``, ``length``, ``cancelled`` (the caller went away) or ``failed``.
    """

    id: str
    time: float
    release: str
    arm: str
    caller: str
    request: dict[str, Any]
    response: str
    latency: float
    prompt_tokens: int
    completion_tokens: int
    finish: str = "stop"
