"""Pretrain learns every token of a text once, the end token included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.errors import DataError
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Labeled, Message, Record, Text
from tuneloop.tasks import Task


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer: Path) -> Tokenizer:
    return Tokenizer.load(tiny_tokenizer)


def pretrain(**options: Any) -> Task:
    return find(Task, "pretrain")(**options)


def text(words: str) -> Record:
    return Record.of(Text(words), origin="book.txt:1")


@settings(max_examples=60, deadline=None)
@given(words=st.text("abcd ", min_size=1, max_size=200), max_length=st.integers(8, 40))
def test_windows_learn_every_token_but_the_first_exactly_once(
    tokenizer: Tokenizer, words: str, max_length: int
) -> None:
    found = pretrain().encode(text(words), tokenizer, max_length)
    assert isinstance(found, list)
    assert all(2 <= len(example.ids) <= max_length for example in found)
    learned = [id for example in found for id, mark in zip(example.ids, example.learn, strict=True) if mark]
    assert [found[0].ids[0], *learned] == [*tokenizer.text_ids(words), tokenizer.eos_id]


def test_the_beginning_token_stands_once_at_the_front_of_a_text(real: Path) -> None:
    stories = Tokenizer.load(real / "models" / "stories260K")
    found = pretrain().encode(text("Once upon a time there was a king. " * 40), stories, 64)
    assert isinstance(found, list)
    assert found[0].ids[0] == 1
    assert [example.ids.count(1) for example in found] == [1] + [0] * (len(found) - 1)
    assert found[-1].ids[-1] == stories.eos_id


def test_a_conversation_is_learned_whole(tokenizer: Tokenizer) -> None:
    chat = (Message("user", "hi"), Message("assistant", "hello"))
    found = pretrain().encode(Record.of(Chat(chat), origin="c:1"), tokenizer, 512)
    assert isinstance(found, list)
    assert tokenizer.hf.decode(list(found[0].ids)) == tokenizer.render(chat)
    assert found[0].learn == (0,) + (1,) * (len(found[0].ids) - 1)


def test_truncate_keeps_the_beginning(tokenizer: Tokenizer) -> None:
    found = pretrain(on_overlength="truncate").encode(text("the fox " * 50), tokenizer, 20)
    assert isinstance(found, list)
    assert list(found[0].ids) == tokenizer.text_ids("the fox " * 50)[:20]


def test_drop_and_error_do_as_they_say(tokenizer: Tokenizer) -> None:
    row = text("the fox " * 50)
    drop = pretrain(on_overlength="drop").encode(row, tokenizer, 20)
    assert isinstance(drop, Drop)
    assert drop.reason == "longer than max_length"
    with pytest.raises(DataError, match="max_length is 20"):
        pretrain(on_overlength="error").encode(row, tokenizer, 20)


@pytest.mark.parametrize(
    ("row", "reason"), [(text(""), "text is empty"), (Record.of(Labeled("a", 1), origin="t:1"), "not labeled rows")]
)
def test_what_cannot_be_learned_is_set_aside(tokenizer: Tokenizer, row: Record, reason: str) -> None:
    drop = pretrain().encode(row, tokenizer, 20)
    assert isinstance(drop, Drop)
    assert reason in drop.reason


def test_text_asks_nothing(tokenizer: Tokenizer) -> None:
    assert pretrain().question(text("hi"), tokenizer) is None
