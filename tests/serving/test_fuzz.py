"""Whatever is sent, the service answers with its error object, never with a 5xx, and goes on."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATHS = ("/v1/chat/completions", "/v1/completions", "/feedback")
GOOD: dict[str, dict[str, Any]] = {
    PATHS[0]: {"model": "champion", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2},
    PATHS[1]: {"model": "champion", "prompt": "hi", "max_tokens": 2},
    PATHS[2]: {"exchange": "chatcmpl-x", "kind": "rating", "value": 1},
}
OTHER = {"inference_id": "chatcmpl-x", "metric_name": "thumbs", "value": True}
SETTINGS = {
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "user",
    "n",
}
KEYS: dict[str, list[str]] = {
    PATHS[0]: sorted({*SETTINGS, "messages", "tools", "max_completion_tokens", "logprobs", "tool_choice"}),
    PATHS[1]: sorted({*SETTINGS, "prompt", "echo", "suffix", "best_of", "logit_bias"}),
    PATHS[2]: ["exchange", "inference_id", "kind", "metric_name", "value", "who"],
}
ANY_KEY = sorted({key for keys in KEYS.values() for key in keys})
ARGUMENTS = (
    "{",
    "[" * 5000,
    "[]",
    '{"a": "\\ud800"}',
    '{"a":' * 900 + "1" + "}" * 900,
    '{"a":' * 190 + "1" + "}" * 190,
)
ODD = [
    *(0, -1, 1, 2, 999999, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, -1e308, 1e-320, float("nan"), float("inf")),
    *(True, False, None, "", "x", "\x00", "\ud800", "<|im_end|>", "\u202e", "9" * 5000, [], {}, [[]], [{}], [None]),
    *({"role": "user"}, [{"role": "user", "content": [{"type": "image_url"}]}], [0, 1, 399], [400], [-1], ["a", "b"]),
    *([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": text}}]}] for text in ARGUMENTS),
    [{"role": "tool", "content": "x"}] * 30,
]


@pytest.fixture(scope="module")
def http(place: Any) -> Any:
    with httpx.Client(base_url=place.url, timeout=60) as client:
        yield client


def sent(http: Any, path: str, body: bytes, media: str = "application/json") -> int:
    answer = http.post(path, content=body, headers={"content-type": media})
    assert answer.status_code < 500, (answer.status_code, body[:300], answer.text)
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"]
    return int(answer.status_code)


@pytest.mark.parametrize(("path", "good"), [*GOOD.items(), (PATHS[2], OTHER)])
def test_odd_values_in_every_parameter(http: Any, path: str, good: dict[str, Any]) -> None:
    states = {sent(http, path, json.dumps({**good, key: value}).encode()) for key in KEYS[path] for value in ODD}
    assert 400 in states
    assert states <= {200, 400, 404}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ANY_KEY) | st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(ANY_KEY), values, max_size=4), st.booleans())
def test_random_bodies(http: Any, path: str, body: dict[str, Any], beside_good: bool) -> None:
    sent(http, path, json.dumps({**(GOOD[path] if beside_good else {}), **body}).encode())


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), st.binary(max_size=60))
def test_random_bytes(http: Any, path: str, body: bytes) -> None:
    assert sent(http, path, body) in (400, 404)


def test_bad_json_deep_json_and_large_bodies(http: Any) -> None:
    for path in PATHS:
        assert sent(http, path, b"") == 400
        assert sent(http, path, b'{"model": "champion"') == 400
        assert sent(http, path, b"[" * 100_000) == 400
        assert sent(http, path, b'{"a":' * 50_000) == 400
        assert sent(http, path, b"\xff\xfe") == 400
        assert sent(http, path, json.dumps({"model": "x" * 9 * 2**20}).encode()) == 413
        assert sent(http, path, json.dumps(GOOD[path]).encode(), media="text/plain") == 415


def test_wrong_paths_and_methods(http: Any) -> None:
    for path, status in (("/", 404), ("/v1/nothing", 404), ("/v1/models/%ff%00", 404), ("/v1/chat/completions", 405)):
        answer = http.get(path)
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_half_a_request_and_noise_do_not_hurt(place: Any, http: Any) -> None:
    port = int(place.url.rsplit(":", 1)[1])
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for noise in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", head + b'Content-Length: 500\r\n\r\n{"model"'):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(noise)
    assert http.get("/health").status_code == 200
    assert sent(http, PATHS[0], json.dumps(GOOD[PATHS[0]]).encode()) == 200
