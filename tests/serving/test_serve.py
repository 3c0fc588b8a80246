"""The service as a process: addresses, keys, following a ref, ends, and what a kill leaves behind."""

from __future__ import annotations

import gc
import json
import signal
import socket
import subprocess
import sys
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tuneloop.errors import ServeError, StoreError
from tuneloop.serving.section import ServeSection
from tuneloop.serving.serve import Service, _listen, serve
from tuneloop.store import Store
from tuneloop.store.exchanges import Exchanges

KEY = "a-key-of-enough-length"
SCRIPT = """
import sys
from pathlib import Path
from tuneloop.serving.section import ServeSection
from tuneloop.serving.serve import serve
from tuneloop.store import Store
serve(ServeSection(port=0), ref="champion", store=Store(sys.argv[1]), folder=Path("."),
      ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


def chat(url: str, **more: Any) -> httpx.Response:
    body = {"model": "champion", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3, **more}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)


def start(store: Store) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(store.root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_feedback_that_was_confirmed_survives_a_kill(store: Store) -> None:
    process, url = start(store)
    answer = chat(url).json()["id"]
    said = httpx.post(f"{url}/feedback", json={"exchange": answer, "kind": "correction", "value": "你好"})
    process.kill()
    process.wait()
    assert said.status_code == 200
    with Exchanges(store.root / "exchanges.db") as exchanges:
        (kept,) = exchanges.feedback(answer)
    assert (kept.id, kept.kind, kept.value) == (said.json()["feedback_id"], "correction", "你好")


def test_sigterm_lets_a_running_answer_finish_and_ends_with_status_0(store: Store) -> None:
    process, url = start(store)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(chat, url, max_tokens=200, temperature=2, seed=5)
        until = time.time() + 10
        while time.time() < until and httpx.get(f"{url}/health").status_code != 200:
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert answer.result().status_code == 200
    assert process.wait(20) == 0
    assert process.stdout is not None
    assert process.stdout.read() == "ended\n"


def test_the_service_follows_its_ref(
    tmp_path: Path, tiny_model: Path, serving: Any, releasing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneloop.serving.serve.LOOK_SECONDS", 0.05)
    store = Store(tmp_path / "store")
    first, second = releasing(store, tiny_model, 1), releasing(store, tiny_model, 2)
    store.refs.move("faq/champion", first.id, why="test")
    with serving(store, tmp_path, ref="champion") as place:

        def answered_by(id: str) -> Any:
            until = time.time() + 30
            while time.time() < until:
                answer = chat(place.url).json()
                if answer["system_fingerprint"] == id:
                    return answer["choices"]
                time.sleep(0.05)
            raise AssertionError(f"{id} never answered")

        before = answered_by(first.id)
        old = weakref.ref(place.service.served.loaded.model)
        stream = place.client.chat.completions.create(
            model="champion",
            messages=[{"role": "user", "content": "hello"}],
            max_tokens=400,
            temperature=2,
            seed=5,
            stream=True,
        )
        opening = next(iter(stream))
        store.refs.move("faq/champion", second.id, why="test")
        assert answered_by(second.id) != before
        rest = list(stream)
        assert {chunk.system_fingerprint for chunk in (opening, *rest)} == {first.id}
        assert rest[-1].choices[0].finish_reason in ("stop", "length")
        until = time.monotonic() + 10  # its thread has a last step to end
        while old() is not None and time.monotonic() < until:
            gc.collect()
            time.sleep(0.05)
        assert old() is None  # the memory of the old model is free
        store.refs.move("faq/champion", "release-gone", why="test")  # what cannot be opened changes nothing
        time.sleep(0.3)
        assert answered_by(second.id)
        store.refs.move("faq/champion", first.id, why="test")
        assert answered_by(first.id) == before


def test_beyond_this_machine_keys_are_needed_before_anything_listens(store: Store, tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(ServeError, match="no API keys"):
            serve(ServeSection(host=host, port=0), ref="champion", store=store, folder=tmp_path)


def test_a_taken_port_is_said_at_once(store: Store, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match="in use") as caught:
            serve(ServeSection(port=port), ref="champion", store=store, folder=tmp_path)
    assert caught.value.problems[0].where == f"127.0.0.1:{port}"


def test_a_name_that_means_nothing_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Service(ServeSection(), ref="nobody", store=store, folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "no key"), ("# only a remark\n", "no key"), ("short\n", "too short"), ("sha256:12\n", "64 hexadecimal")],
)
def test_a_bad_key_file_is_named_by_its_line(store: Store, tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "keys.txt").write_text(text)
    with pytest.raises(ServeError, match=what):
        Service(ServeSection(keys="keys.txt"), ref="champion", store=store, folder=tmp_path)
    with pytest.raises(ServeError, match="cannot be read"):
        Service(ServeSection(keys="missing.txt"), ref="champion", store=store, folder=tmp_path)


@pytest.mark.parametrize("hashed", [False, True])
def test_only_callers_with_a_key_come_in(store: Store, tmp_path: Path, serving: Any, hashed: bool) -> None:
    import hashlib

    line = f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}" if hashed else KEY
    (tmp_path / "keys.txt").write_text(f"# callers\n{line}\nsha256:{'0' * 64}\n")
    with serving(store, tmp_path, keys="keys.txt") as place:
        assert httpx.get(f"{place.url}/health").json()["ready"] is True
        for path in ("/v1/models", "/v1/models/champion"):
            assert httpx.get(place.url + path).status_code == 401
        for path in ("/v1/chat/completions", "/v1/completions", "/feedback"):
            for header in ({}, {"authorization": "Bearer no"}, {"authorization": KEY}):
                refused = place.post(path, {}, headers=header)
                assert refused.status_code == 401
                assert refused.json()["error"]["code"] == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            place.client.models.list()
        client = openai.OpenAI(base_url=f"{place.url}/v1", api_key=KEY)
        answer = client.chat.completions.create(
            model="champion", messages=[{"role": "user", "content": "hi"}], max_tokens=2
        )
        with Exchanges(store.root / "exchanges.db") as exchanges:
            kept = exchanges.get(answer.id)
        assert kept is not None
        assert kept.caller
        assert KEY not in str(kept)


def test_without_keys_a_foreign_host_name_is_refused(place: Any) -> None:
    assert httpx.get(f"{place.url}/v1/models", headers={"host": "evil.example"}).status_code == 403
    assert httpx.get(f"{place.url}/v1/models", headers={"host": "localhost:8000"}).status_code == 200


def test_a_service_that_keeps_nothing_takes_no_feedback(store: Store, tmp_path: Path, serving: Any) -> None:
    with serving(store, tmp_path, log=False) as place:
        answer = chat(place.url).json()["id"]
        refused = place.post("/feedback", {"exchange": answer, "kind": "rating", "value": 1})
        assert refused.status_code == 404
        with Exchanges(store.root / "exchanges.db") as exchanges:
            assert exchanges.get(answer) is None


def test_too_many_waiting_are_told_to_come_again(store: Store, tmp_path: Path, serving: Any) -> None:
    with serving(store, tmp_path, engine={"batched": {"batch": 1, "queue": 1}}) as place:
        with ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(chat, place.url, max_tokens=150, temperature=2, seed=i) for i in range(6)]
            answers = [job.result() for job in jobs]
        states = [answer.status_code for answer in answers]
        assert set(states) == {200, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert chat(place.url).status_code == 200


def test_a_full_disk_is_an_error_not_a_lost_exchange(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise StoreError("served answers cannot be written: disk is full", where="exchanges.db", fix="free some space")

    monkeypatch.setattr(Exchanges, "add", full)
    failed = chat(place.url)
    assert failed.status_code == 500
    assert failed.json()["error"]["type"] == "server_error"
    events = chat(place.url, stream=True).text.strip().split("\n\n")
    assert "server_error" in events[-1]
    monkeypatch.undo()
    assert chat(place.url).status_code == 200


def test_a_failing_model_fails_its_requests_and_serves_on(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuneloop.models.decoder import Decoder

    def broken(*_: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Decoder, "_prefill", broken)
    assert chat(place.url).status_code == 500
    events = chat(place.url, stream=True).text.strip().split("\n\n")
    assert "server_error" in events[-1]
    with Exchanges(place.store.root / "exchanges.db") as exchanges:
        kept = exchanges.get(json.loads(events[0].removeprefix("data: "))["id"])
    assert kept is not None
    assert kept.finish == "failed"
    monkeypatch.undo()
    assert chat(place.url).status_code == 200


def test_small_pieces_are_sent_without_delay() -> None:
    with _listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on: 40 ms a piece
