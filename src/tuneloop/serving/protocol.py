"""What clients send and get: OpenAI's chat, completions and models, and our feedback.

A parameter that tuneloop does not act on is refused by name, never passed over; only a value that asks for
nothing (``n: 1``, ``presence_penalty: 0``, ``null``) is let through.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from tuneloop.rows import Message, ToolCall

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False, 0),
    "metadata": ({},),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "suffix": ("",),
    "tool_choice": ("auto",),
}
"""Parameters of OpenAI's that are accepted with these values only, because they then ask for nothing."""


class Refusal(Exception):
    """A request that is answered with an error object instead of a result.

    Args:
        message: What is wrong and how to mend it.
        status: The HTTP status.
        param: The parameter that is at fault.
        code: OpenAI's word for the case, where there is one.
        headers: Further HTTP headers.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.body = error_body(message, status=status, param=param, code=code)


def error_body(message: str, *, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The error object as OpenAI writes it, its type following from the HTTP status."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class Body(BaseModel):
    """A request body: unknown and ineffective parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_neutral(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {
            key: value
            for key, value in values.items()
            if value is not None and not (key not in cls.model_fields and value in NEUTRAL.get(key, ()))
        }


class StreamOptions(Body):
    """``stream_options`` of a request."""

    include_usage: bool = False


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Settings(Body):
    """What chat and completions have in common. Without a temperature the likeliest token is taken each time."""

    model: str
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=2**31)
    temperature: float = Field(0.0, ge=0, le=2)
    top_p: float = Field(1.0, ge=0, le=1)
    top_k: int = Field(0, ge=0, le=2**31)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], BeforeValidator(_listed)] = Field(
        (), max_length=16
    )
    user: str = Field("", max_length=1000)

    @model_validator(mode="after")
    def _options_need_stream(self) -> Settings:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options is for stream: true")
        return self

    def parameters(self) -> dict[str, Any]:
        """The settings that were given, as they are kept with the exchange."""
        return self.model_dump(mode="json", exclude={"model", "messages", "prompt", "tools"}, exclude_unset=True)


class Piece(Body):
    """One part of a message's content; only text is read."""

    type: Literal["text"]
    text: str


class Called(Body):
    """The function of a tool call: its name and its arguments as JSON text."""

    name: str
    arguments: str = "{}"


class Call(Body):
    """A tool call of an earlier answer."""

    id: str = ""
    type: Literal["function"] = "function"
    function: Called


class Turn(Body):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Piece] = ""
    reasoning_content: str = ""
    tool_calls: list[Call] = []
    tool_call_id: str = ""
    name: str = ""

    def message(self) -> Message:
        """The turn as training rows have it.

        Raises:
            Refusal: The arguments of a tool call are no JSON object.
        """
        text = self.content if isinstance(self.content, str) else "".join(piece.text for piece in self.content)
        role = "system" if self.role == "developer" else self.role
        calls = tuple(ToolCall(call.function.name, _arguments(call), call.id) for call in self.tool_calls)
        return Message(role, text, self.reasoning_content, calls, self.tool_call_id, self.name)


def _arguments(call: Call) -> dict[str, Any]:
    try:
        value = from_json(call.function.arguments, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(f"the arguments of {call.function.name} are no JSON: {error}", param="messages") from error
    if not isinstance(value, dict):
        raise Refusal(f"the arguments of {call.function.name} are no JSON object", param="messages")
    return value


class ChatBody(Settings):
    """``POST /v1/chat/completions``."""

    messages: list[Turn] = Field(min_length=1)
    tools: list[dict[str, Any]] = []
    max_completion_tokens: int | None = Field(None, ge=1, le=2**31)


def _one_prompt(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], int) else value


class CompletionBody(Settings):
    """``POST /v1/completions``: one prompt, as text or as token ids."""

    prompt: Annotated[str | list[Annotated[int, Field(ge=0)]], BeforeValidator(_one_prompt)]


class FeedbackBody(Body):
    """``POST /feedback``: our form, or TensorZero's ``inference_id, metric_name, value``."""

    exchange: str = Field(max_length=200)
    kind: Literal["rating", "correction", "comment"]
    value: bool | int | float | str
    who: str = Field("", max_length=200)

    @model_validator(mode="before")
    @classmethod
    def _either_form(cls, values: Any) -> Any:
        if isinstance(values, dict) and "inference_id" in values:
            values = dict(values)
            values["exchange"] = values.pop("inference_id")
            metric = values.pop("metric_name", None)
            named = {"comment": "comment", "demonstration": "correction"}
            values["kind"] = named.get(metric, "rating") if isinstance(metric, str) else metric
        return values

    def judgement(self) -> int | str:
        """The value as it is kept: 1 or -1 for a rating, otherwise the text.

        Raises:
            Refusal: The value does not fit the kind.
        """
        if self.kind == "rating":
            if isinstance(self.value, bool):
                return 1 if self.value else -1
            if self.value in (1, -1):
                return int(self.value)
            raise Refusal("the value of a rating is 1 or -1 (or true, false)", param="value")
        if not isinstance(self.value, str) or not self.value.strip():
            raise Refusal(f"the value of a {self.kind} is a text that is not empty", param="value")
        return self.value


def refusal(error: ValidationError) -> Refusal:
    """Turn what pydantic found into OpenAI's error object, naming the first parameter at fault."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return Refusal(f"the body is no valid JSON: {first['msg']}", code="invalid_json")
    if first["type"] == "extra_forbidden":
        allowed = NEUTRAL.get(where)
        hint = f"leave it out or give {msgspec.json.encode(allowed[0]).decode()}" if allowed else "leave it out"
        return Refusal(f"{where} is not supported; {hint}", param=where, code="unsupported_parameter")
    code = "missing_required_parameter" if first["type"] == "missing" else "invalid_value"
    return Refusal(f"{where or 'body'}: {first['msg']}", param=where or None, code=code)
