"""The service as OpenAI's own client meets it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import torch

from tuneloop.models import open_model
from tuneloop.rows import Message
from tuneloop.store import Model
from tuneloop.store.exchanges import Exchanges

QUESTIONS = [f"what is {i} plus {'two ' * (i % 5)}" for i in range(50)]


def ask(client: openai.OpenAI, text: str, **more: object) -> str:
    options = {"max_tokens": 12, "temperature": 0, **more}
    answer = client.chat.completions.create(
        model="faq/champion",
        messages=[{"role": "user", "content": text}],
        **options,  # type: ignore[call-overload]
    )
    assert isinstance(answer.choices[0].message.content, str)
    return answer.choices[0].message.content


def test_a_chat_is_answered_and_counted(place: Any) -> None:
    answer = place.client.chat.completions.create(
        model="champion", messages=[{"role": "user", "content": "hello"}], max_completion_tokens=5
    )
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "faq/champion"
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert 1 <= answer.usage.completion_tokens <= 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.system_fingerprint == place.service.served.release


def test_fifty_served_answers_equal_generate_alone_and_eight_at_once(place: Any) -> None:
    store = place.store
    model = store.get(Model, place.service.served.model)
    loaded = open_model(model, store)
    right = []
    for question in QUESTIONS:
        ids = loaded.tokenizer.chat_ids([Message("user", question)], generation=True)
        out = loaded.model.generate(  # type: ignore[operator]
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=12, do_sample=False
        )
        right.append(loaded.tokenizer.decode(out[0, len(ids) :].tolist()))
    assert len(set(right)) > 10
    alone = [ask(place.client, question) for question in QUESTIONS]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda question: ask(place.client, question), QUESTIONS))
    assert alone == right
    assert together == right


def test_a_stream_brings_the_same_text_and_the_usage_at_the_end(place: Any) -> None:
    stream = place.client.chat.completions.create(
        model="faq/champion",
        messages=[{"role": "user", "content": QUESTIONS[3]}],
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ask(place.client, QUESTIONS[3])
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] in ("stop", "length")
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens <= 12
    assert len({chunk.id for chunk in chunks}) == 1


def test_plain_completions_take_text_and_tokens(place: Any) -> None:
    client = place.client
    tokenizer = place.service.served.loaded.tokenizer
    text = client.completions.create(model="champion", prompt="the quick", max_tokens=6)
    ids = client.completions.create(model="champion", prompt=tokenizer.text_ids("the quick"), max_tokens=6)
    stream = client.completions.create(model="champion", prompt="the quick", max_tokens=6, stream=True)
    assert text.id.startswith("cmpl-")
    assert text.choices[0].text == ids.choices[0].text == "".join(c.choices[0].text for c in stream)


def test_models_are_listed_and_found_by_every_name(place: Any) -> None:
    client = place.client
    (model,) = client.models.list().data
    served = place.service.served
    assert model.id == "faq/champion"
    assert model.model_extra == {"root": served.model, "parent": served.base, "release": served.release}
    for name in ("faq/champion", "champion", served.release, served.model):
        assert client.models.retrieve(name).id == "faq/champion"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


def test_a_seed_repeats_a_draw(place: Any) -> None:
    draws = [ask(place.client, "hello", temperature=1.5, seed=seed) for seed in (1, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 1


def test_a_stop_string_ends_the_answer_before_it(place: Any) -> None:
    plain = ask(place.client, QUESTIONS[0])
    middle = plain[len(plain) // 2 : len(plain) // 2 + 2]
    assert ask(place.client, QUESTIONS[0], stop=[middle]) == plain[: plain.index(middle)]
    assert ask(place.client, QUESTIONS[0], stop=middle) == plain[: plain.index(middle)]


def test_the_prompt_is_the_one_that_training_learns(place: Any) -> None:
    from tuneloop.parts import find
    from tuneloop.rows import Chat, Record
    from tuneloop.tasks import Task

    tokenizer = place.service.served.loaded.tokenizer
    turns = (
        Message("system", "你好 be brief"),
        Message("user", "the quick brown fox"),
        Message("assistant", "jumps"),
        Message("user", "over what?"),
        Message("assistant", "the lazy dog"),
    )
    served = place.service.served.chat_ids(turns[:4], ())
    examples = find(Task, "sft")().encode(Record.of(Chat(turns), origin="test:1"), tokenizer, 512)
    assert isinstance(examples, list)
    assert examples[-1].ids[: len(served)] == tuple(served)
    assert examples[-1].learn[len(served)] == 1


def test_an_exchange_is_kept_before_the_answer_ends(place: Any) -> None:
    stream = place.client.chat.completions.create(
        model="champion", messages=[{"role": "user", "content": "hello"}], max_tokens=4, stream=True, user="ann"
    )
    with Exchanges(place.store.root / "exchanges.db") as exchanges:
        for chunk in stream:
            if chunk.choices[0].finish_reason:
                kept = exchanges.get(chunk.id)
                break
    assert kept is not None
    assert kept.release == place.service.served.release
    assert kept.arm == "champion"
    assert kept.request["messages"][0]["content"] == "hello"
    assert kept.request["parameters"] == {"stream": True, "max_tokens": 4, "user": "ann"}
    assert kept.finish == chunk.choices[0].finish_reason
    assert 1 <= kept.completion_tokens <= 4


def test_a_client_that_goes_away_frees_its_place_and_is_kept(place: Any) -> None:
    stream = place.client.chat.completions.create(
        model="champion",
        messages=[{"role": "user", "content": QUESTIONS[1]}],
        max_tokens=400,
        temperature=2,
        seed=5,
        stream=True,
    )
    first = next(iter(stream))
    stream.close()
    running = place.service.served.running
    until = time.time() + 10
    with Exchanges(place.store.root / "exchanges.db") as exchanges:
        while time.time() < until and (exchanges.get(first.id) is None or running._calls):
            time.sleep(0.02)
        kept = exchanges.get(first.id)
    assert not running._calls
    assert kept is not None
    assert kept.finish == "cancelled"
    assert kept.completion_tokens < 400


def test_a_client_that_goes_away_before_a_whole_answer_frees_its_place(place: Any) -> None:
    client = openai.OpenAI(base_url=f"{place.url}/v1", api_key="none", max_retries=0, timeout=0.15)
    with pytest.raises(openai.APITimeoutError):
        while True:  # a whole answer, so nothing is sent before its end
            ask(client, QUESTIONS[2], max_tokens=480, temperature=2, seed=9)
    until = time.time() + 10
    while time.time() < until and place.service.served.running._calls:
        time.sleep(0.02)
    assert not place.service.served.running._calls


@pytest.mark.parametrize(
    ("change", "status", "param", "code"),
    [
        ({"model": "gpt-4"}, 404, "model", "model_not_found"),
        ({"n": 2}, 400, "n", "unsupported_parameter"),
        ({"logprobs": True}, 400, "logprobs", "unsupported_parameter"),
        ({"frequency_penalty": 0.5}, 400, "frequency_penalty", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, 400, "response_format", "unsupported_parameter"),
        ({"temperature": 2.5}, 400, "temperature", "invalid_value"),
        ({"top_p": -1}, 400, "top_p", "invalid_value"),
        ({"max_tokens": 0}, 400, "max_tokens", "invalid_value"),
        ({"messages": []}, 400, "messages", "invalid_value"),
        ({"stream_options": {"include_usage": True}}, 400, None, "invalid_value"),
        ({"messages": [{"role": "user", "content": "long " * 2000}]}, 400, "prompt", "context_length_exceeded"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(place: Any, change: dict, status: int, param: str, code: str) -> None:  # type: ignore[type-arg]
    asked = {"model": "champion", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, **change}
    with pytest.raises(openai.APIStatusError) as caught:
        place.client.chat.completions.create(**asked)
    assert caught.value.status_code == status
    assert caught.value.param == param
    assert caught.value.code == code


def test_values_that_ask_for_nothing_are_let_through(place: Any) -> None:
    more = {
        "n": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0.0,
        "logprobs": False,
        "logit_bias": None,
        "stop": None,
    }
    assert ask(place.client, "hello", **more, response_format={"type": "text"}) == ask(place.client, "hello")
