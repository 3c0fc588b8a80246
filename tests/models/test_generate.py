"""Answers: text that never breaks a character, stop strings, ends, limits, and the same alone as together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.errors import ModelError
from tuneloop.models.generate import Answer, Answering, Request, _Writing, context_length, generate, stream
from tuneloop.models.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3 if parameter.dim() > 1 else 1)
    return SimpleNamespace(model=model, tokenizer=Tokenizer.load(tiny_model))


@pytest.fixture(scope="module")
def requests(loaded: Any) -> list[Request]:
    texts = ["hello", "the quick brown fox", "今天天气很好", "what is two plus two", "a", "lazy dog over the fox"]
    return [Request(tuple(loaded.tokenizer.text_ids(text)), max_new_tokens=5 + 3 * i) for i, text in enumerate(texts)]


def test_answers_equal_generate_of_transformers(loaded: Any, requests: list[Request]) -> None:
    counted: list[int] = []
    answers = generate(loaded, requests, batch=4, progress=counted.append)
    for request, answer in zip(requests, answers, strict=True):
        ids = torch.tensor([request.prompt])
        out = loaded.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=request.max_new_tokens, do_sample=False
        )
        assert answer.ids == tuple(out[0, len(request.prompt) :].tolist())
        assert answer.text == loaded.tokenizer.decode(answer.ids)
        assert answer.finish == ("stop" if answer.ids[-1] in loaded.tokenizer.end_ids else "length")
    assert counted == [1, 2, 3, 4, 5, 6]
    assert generate(loaded, requests, batch=1) == answers


def test_a_stream_gives_the_answer_piece_by_piece(loaded: Any, requests: list[Request]) -> None:
    for request, answer in zip(requests, generate(loaded, requests), strict=True):
        tokens = list(stream(loaded, request))
        assert [token.finish for token in tokens[:-1]] == [""] * (len(tokens) - 1)
        assert Answer("".join(t.text for t in tokens), tuple(t.id for t in tokens), tokens[-1].finish) == answer


def test_the_model_is_left_in_the_mode_it_was_in(loaded: Any, requests: list[Request]) -> None:
    loaded.model.train()
    generate(loaded, requests[:1])
    assert loaded.model.training
    loaded.model.eval()


def test_an_answer_ends_where_the_context_ends(loaded: Any) -> None:
    assert context_length(loaded) == 512
    (answer,) = generate(loaded, [Request((5,) * 508, max_new_tokens=100, temperature=1.0, seed=1)])
    assert len(answer.ids) <= 4
    assert answer.finish in ("length", "stop")


@pytest.mark.parametrize("request_", [Request(()), Request((5,) * 512), Request((5,), max_new_tokens=0)])
def test_what_cannot_be_answered_is_refused_before_anything_runs(loaded: Any, request_: Request) -> None:
    with pytest.raises(ModelError) as caught:
        generate(loaded, [Request((5,)), request_])
    assert caught.value.problems[0].fix


def test_a_cancelled_request_gives_no_more_tokens(loaded: Any, requests: list[Request]) -> None:
    answering = Answering(loaded, 2)
    tickets = [answering.add(Request(request.prompt, 50, 1.0, seed=3)) for request in requests[:3]]
    answering.step()
    answering.cancel(tickets[0])
    answering.cancel(12345)
    seen = set()
    while not answering.idle:
        seen |= {ticket for ticket, _ in answering.step()}
    assert seen == set(tickets[1:])


def written(tokenizer: Any, ids: list[int], stop: tuple[str, ...] = ()) -> tuple[list[str], str]:
    writing, pieces, finish = _Writing(tokenizer, len(ids), stop), [], ""
    for id in ids:
        token = writing.push(id)
        pieces.append(token.text)
        if token.finish:
            finish = token.finish
            break
    return pieces, finish


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(3, 399), min_size=1, max_size=30))
def test_pieces_concatenate_to_the_decoded_ids(loaded: Any, ids: list[int]) -> None:
    pieces, finish = written(loaded.tokenizer, ids)
    assert "".join(pieces) == loaded.tokenizer.decode(ids)
    assert finish == "length"


@settings(deadline=None, max_examples=100)
@given(st.text(min_size=1, max_size=20).filter(lambda text: "\ufffd" not in text))
def test_no_piece_ends_within_a_character(loaded: Any, text: str) -> None:
    ids = loaded.tokenizer.hf(text, add_special_tokens=False)["input_ids"]
    pieces, _ = written(loaded.tokenizer, ids)
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


@settings(deadline=None, max_examples=200)
@given(
    st.text("ab好", min_size=1, max_size=30), st.lists(st.text("ab好", min_size=1, max_size=4), min_size=1, max_size=3)
)
def test_the_text_ends_before_the_first_stop_string(loaded: Any, text: str, stop: list[str]) -> None:
    ids = loaded.tokenizer.hf(text, add_special_tokens=False)["input_ids"]
    pieces, finish = written(loaded.tokenizer, ids, tuple(stop))
    places = [place for place in (text.find(one) for one in stop) if place >= 0]
    if places:
        assert finish == "stop"
        assert "".join(pieces) in {text[:place] for place in places}
        assert not any(one in "".join(pieces) for one in stop)
    else:
        assert (finish, "".join(pieces)) == ("length", text)


def test_the_end_token_has_no_text(loaded: Any) -> None:
    hi = loaded.tokenizer.hf("hi", add_special_tokens=False)["input_ids"]
    writing = _Writing(loaded.tokenizer, 9, ())
    texts = [writing.push(id) for id in (*hi, loaded.tokenizer.eos_id)]
    assert texts[-1].text == ""
    assert texts[-1].finish == "stop"
    assert "".join(token.text for token in texts) == "hi"


def test_pieces_of_a_sentencepiece_tokenizer_keep_their_spaces(real: Path) -> None:
    folder = real / "models" / "stories260K"
    if not folder.is_dir():
        pytest.skip("no stories260K")
    tokenizer = Tokenizer.load(folder)
    ids = tokenizer.hf("Once upon a time, there was 一只猫 called  Tom.\n", add_special_tokens=False)["input_ids"]
    pieces, _ = written(tokenizer, ids)
    assert "".join(pieces) == tokenizer.decode(ids)
    assert len([piece for piece in pieces if piece]) > 5


@pytest.mark.parametrize("name", ["stories260K", "babyllama361"])
def test_a_real_model_answers_as_with_transformers(real: Path, name: str) -> None:
    from transformers import AutoModelForCausalLM

    folder = real / "models" / name
    if not (folder / "config.json").is_file():
        pytest.skip(f"no {name}")
    tokenizer = Tokenizer.load(folder)
    loaded: Any = SimpleNamespace(model=AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer=tokenizer)
    texts = ["Once upon a time", "Lily and Tom", "从前有一只", "The king said to his", "A", "小红和妈妈"]
    asked = [Request(tuple(tokenizer.text_ids(text)), max_new_tokens=25) for text in texts]
    answers = generate(loaded, asked, batch=8)
    for request, answer in zip(asked, answers, strict=True):
        ids = torch.tensor([request.prompt])
        out = loaded.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=25,
            do_sample=False,
            eos_token_id=list(tokenizer.end_ids),
            pad_token_id=tokenizer.pad_id,
        )
        assert list(answer.ids) == out[0, len(request.prompt) :].tolist()
        assert answer.text == tokenizer.decode(answer.ids)
