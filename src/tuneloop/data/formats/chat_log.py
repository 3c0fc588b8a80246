"""Chat logs: requests to a chat API with their responses, as OpenAI's API and its look-alikes write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import msgspec

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Chat, Message, Text

WHOLE = ("stop", "tool_calls", "function_call", "end_turn", "completed", None)
"""Why an answer may have ended that is all there."""


@final
class ChatLog(Format):
    """Reads a request and its response; only the response is learned, earlier answers were of some model as well.

    An answer that was cut off or filtered, or that is an error, sets its row aside.
    """

    shape = '{"request": {"messages" or "prompt"}, "response": {"choices": [{"message"}]} or text}'
    fields = ("request", "body", "response", "error", "custom_id", "method", "url")

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where a request with messages or a prompt stands beside a response."""
        asked = _request(row)
        if asked is not None and ("response" in row or "error" in row):
            return 1.0
        response = row.get("response")
        batch = "custom_id" in row and isinstance(response, Mapping) and "body" in response
        return 1.0 if batch or (asked is not None and "custom_id" in row) else 0.0

    def content(self, row: Mapping[str, Any]) -> Chat | Text:
        """Read one row."""
        asked = _request(row)
        if asked is None:
            turns.refuse(
                "the answer stands without its request",
                "request",
                "give the file of the requests, too: reader: {openai_batch: {requests: FILE}}",
            )
        answer = _answer(row)
        if "messages" not in asked:
            return Text(turns.text(asked.get("prompt"), "prompt") + answer.content)
        given = [
            msgspec.structs.replace(turn, learn=False) if turn.role == "assistant" else turn
            for turn in turns.conversation(asked["messages"], "messages")
        ]
        return turns.chat([*given, answer], asked.get("tools"))


def _request(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The request, whatever it is wrapped in; None where there is none."""
    for name in ("request", "body"):
        asked = row.get(name)
        if isinstance(asked, Mapping):
            inner = asked.get("body")
            asked = inner if isinstance(inner, Mapping) else asked
            if "messages" in asked or "prompt" in asked:
                return asked
    return None


def _answer(row: Mapping[str, Any]) -> Message:
    """What the assistant said."""
    response = row.get("response")
    if response is None or row.get("error"):
        turns.refuse("the request failed: there is no answer", "response", "take the row out")
    if isinstance(response, str):
        return Message("assistant", response)
    if not isinstance(response, Mapping):
        turns.refuse("the response is neither text nor an object", "response", "write the answer of the API")
    if isinstance(response.get("body"), Mapping):  # of a batch
        if response.get("status_code", 200) != 200:
            turns.refuse("the request failed: there is no answer", "status_code", "take the row out")
        response = response["body"]
    if response.get("error"):
        turns.refuse("the request failed: there is no answer", "error", "take the row out")
    choices = response.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        choice = choices[0]
        if choice.get("finish_reason") not in WHOLE:
            where = turns.shown("finish_reason", choice["finish_reason"])
            turns.refuse("the answer is not whole", where, "take the row out")
        said = choice.get("message")
        if isinstance(said, Mapping):
            return _said(said)
        return Message("assistant", turns.text(choice.get("text"), "text"))
    if "role" not in response or "content" not in response:
        turns.refuse("the response has no choices", "choices", "write the answer of the API as it came")
    return _said(response)


def _said(said: Mapping[str, Any]) -> Message:
    fields = {key: value for key, value in {"role": "assistant", **said}.items() if value is not None}
    fields = {key: value for key, value in fields.items() if key not in ("annotations", "audio", "refusal")}
    found = turns.message(fields)
    if said.get("refusal"):
        turns.refuse("the model refused to answer", "refusal", "take the row out")
    if not found.content.strip() and not found.tool_calls:
        turns.refuse("the answer is empty", "response", "take the row out")
    return msgspec.structs.replace(found, role="assistant", learn=None)
