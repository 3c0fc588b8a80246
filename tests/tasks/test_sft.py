"""What sft learns of conversations: whose turns, how long ones are made to fit, and what is set aside."""

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
from tuneloop.tasks import Example, Task

THREE = (
    Message("system", "be kind"),
    Message("user", "one plus one"),
    Message("assistant", "two"),
    Message("user", "two plus two"),
    Message("assistant", "four"),
    Message("user", "and the fox"),
    Message("assistant", "jumps over the lazy dog"),
)


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer: Path) -> Tokenizer:
    return Tokenizer.load(tiny_tokenizer)


def sft(**options: Any) -> Task:
    return find(Task, "sft")(**options)


def record(*messages: Message) -> Record:
    return Record.of(Chat(messages), origin="chats.jsonl:7")


def encode(task: Task, row: Record, tokenizer: Tokenizer, max_length: int = 512) -> list[Example]:
    found = task.encode(row, tokenizer, max_length)
    assert isinstance(found, list), found
    return found


def learned(tokenizer: Tokenizer, example: Example) -> str:
    text: str = tokenizer.hf.decode([id for id, mark in zip(example.ids, example.learn, strict=True) if mark])
    return text


@pytest.mark.parametrize(
    ("learn_from", "expected"),
    [
        ("assistant", "two<|im_end|>four<|im_end|>jumps over the lazy dog<|im_end|>"),
        ("last", "jumps over the lazy dog<|im_end|>"),
    ],
)
def test_whose_turns_are_learned(tokenizer: Tokenizer, learn_from: str, expected: str) -> None:
    (example,) = encode(sft(learn_from=learn_from), record(*THREE), tokenizer)
    assert learned(tokenizer, example) == expected
    assert example.record == record(*THREE).id


def test_all_learns_every_token(tokenizer: Tokenizer) -> None:
    (example,) = encode(sft(learn_from="all"), record(*THREE), tokenizer)
    assert set(example.learn) == {1}
    assert tokenizer.hf.decode(list(example.ids)) == tokenizer.render(THREE).removesuffix("\n")


def test_a_message_says_itself_whether_it_is_learned(tokenizer: Tokenizer) -> None:
    rows = [
        Message("user", "a"),
        Message("assistant", "one", learn=False),
        Message("user", "b"),
        Message("assistant", "two"),
    ]
    (example,) = encode(sft(), record(*rows), tokenizer)
    assert learned(tokenizer, example) == "two<|im_end|>"
    (example,) = encode(sft(learn_from="all"), record(*rows), tokenizer)
    assert "one" not in learned(tokenizer, example)
    assert learned(tokenizer, example).endswith("two<|im_end|>")
    rows[1] = Message("assistant", "one", learn=True)
    (example,) = encode(sft(learn_from="last"), record(*rows), tokenizer)
    assert learned(tokenizer, example) == "one<|im_end|>two<|im_end|>"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Record.of(Text("plain"), origin="t:1"), "not text rows"),
        (Record.of(Labeled("plain", 1), origin="t:1"), "not labeled rows"),
        (record(Message("user", "hi")), "no turn to learn from"),
        (record(Message("user", "hi"), Message("assistant", "ho", learn=False)), "no turn to learn from"),
    ],
)
def test_a_row_with_nothing_to_learn_is_set_aside_with_the_reason(
    tokenizer: Tokenizer, row: Record, reason: str
) -> None:
    drop = sft().encode(row, tokenizer, 512)
    assert isinstance(drop, Drop)
    assert reason in drop.reason
    assert (drop.step, drop.origin, drop.id) == ("sft", row.origin, row.id)


def test_a_row_that_the_template_refuses_is_set_aside_with_its_words(tiny_tokenizer: Path) -> None:
    strict = Tokenizer.load(tiny_tokenizer, chat_template="{{ raise_exception('roles must alternate') }}")
    drop = sft().encode(record(*THREE), strict, 512)
    assert isinstance(drop, Drop)
    assert "roles must alternate" in drop.reason


def test_too_long_is_dropped_by_default(tokenizer: Tokenizer) -> None:
    drop = sft().encode(record(*THREE), tokenizer, 30)
    assert isinstance(drop, Drop)
    assert drop.reason == "longer than max_length"
    assert "max_length is 30" in drop.detail


def test_too_long_is_an_error_where_the_recipe_says_so(tokenizer: Tokenizer) -> None:
    with pytest.raises(DataError, match="max_length is 30") as caught:
        sft(on_overlength="error").encode(record(*THREE), tokenizer, 30)
    assert caught.value.problems[0].where == "chats.jsonl:7"


def length(tokenizer: Tokenizer, *messages: Message) -> int:
    (example,) = encode(sft(), record(*messages), tokenizer)
    return len(example.ids)


def test_truncate_leaves_out_the_oldest_turns_and_keeps_the_system_turn(tokenizer: Tokenizer) -> None:
    shorter = length(tokenizer, THREE[0], *THREE[3:])
    (example,) = encode(sft(on_overlength="truncate"), record(*THREE), tokenizer, shorter)
    assert tokenizer.hf.decode(list(example.ids)) == tokenizer.render((THREE[0], *THREE[3:])).removesuffix("\n")
    assert learned(tokenizer, example) == "four<|im_end|>jumps over the lazy dog<|im_end|>"


def test_truncate_cuts_the_prompt_of_a_last_exchange_but_never_the_answer(tokenizer: Tokenizer) -> None:
    row = record(Message("user", "the quick brown fox " * 20), Message("assistant", "jumps over the dog"))
    (whole,) = encode(sft(), row, tokenizer)
    answer = sum(whole.learn)
    (example,) = encode(sft(on_overlength="truncate"), row, tokenizer, answer + 10)
    assert len(example.ids) == answer + 10
    assert learned(tokenizer, example) == "jumps over the dog<|im_end|>"
    assert isinstance(sft(on_overlength="truncate").encode(row, tokenizer, answer), Drop)


def test_truncate_keeps_the_beginning_token(real: Path) -> None:
    stories = Tokenizer.load(real / "models" / "stories260K")
    row = record(Message("user", "once upon a time " * 30), Message("assistant", "the end"))
    (example,) = encode(sft(on_overlength="truncate"), row, stories, 64)
    assert example.ids[0] == stories.hf.bos_token_id
    assert len(example.ids) == 64


def test_split_learns_every_turn_once_in_pieces_that_fit(tokenizer: Tokenizer) -> None:
    fits = max(length(tokenizer, THREE[0], *THREE[i : i + 2]) for i in (1, 3, 5))
    examples = encode(sft(on_overlength="split"), record(*THREE), tokenizer, fits)
    assert all(len(example.ids) <= fits for example in examples)
    assert len(examples) > 1
    both = "".join(learned(tokenizer, example) for example in examples)
    assert both == "two<|im_end|>four<|im_end|>jumps over the lazy dog<|im_end|>"
    assert all("be kind" in tokenizer.hf.decode(list(example.ids)) for example in examples)


def test_a_piece_of_a_split_holds_as_many_turns_as_fit(tokenizer: Tokenizer) -> None:
    row = [THREE[0], *THREE[1:3] * 4]
    fits = length(tokenizer, *row[:7])
    examples = encode(sft(on_overlength="split"), record(*row), tokenizer, fits)
    assert [learned(tokenizer, example) for example in examples] == ["two<|im_end|>" * 3, "two<|im_end|>"]


def test_split_with_one_exchange_too_long_sets_the_row_aside(tokenizer: Tokenizer) -> None:
    row = record(*THREE, Message("user", "go on"), Message("assistant", "the quick brown fox " * 40))
    assert isinstance(sft(on_overlength="split").encode(row, tokenizer, 100), Drop)


def test_a_question_is_the_served_prompt_of_the_last_turn(tokenizer: Tokenizer) -> None:
    question = sft().question(record(*THREE), tokenizer)
    assert question is not None
    assert list(question.prompt) == tokenizer.chat_ids(THREE[:-1], generation=True)
    assert question.reference == "jumps over the lazy dog"
    assert question.shown.endswith("user: and the fox")


def test_plain_text_asks_nothing(tokenizer: Tokenizer) -> None:
    assert sft().question(Record.of(Text("plain"), origin="t:1"), tokenizer) is None
    assert sft().question(record(Message("user", "hi")), tokenizer) is None


words = st.text("abc ", min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    turns=st.lists(st.tuples(words, words), min_size=1, max_size=6),
    how=st.sampled_from(["drop", "truncate", "split"]),
    max_length=st.integers(8, 200),
)
def test_no_way_of_fitting_cuts_an_answer_or_leaves_its_end_unlearned(
    tokenizer: Tokenizer, turns: list[tuple[str, str]], how: str, max_length: int
) -> None:
    messages = [Message(role, text) for pair in turns for role, text in zip(("user", "assistant"), pair, strict=True)]
    found = sft(on_overlength=how).encode(record(*messages), tokenizer, max_length)
    if isinstance(found, Drop):
        return
    answers = [answer + "<|im_end|>" for _, answer in turns]
    got = "".join(learned(tokenizer, example) for example in found)
    kept = range(len(answers)) if how == "truncate" else [0]
    assert got in {"".join(answers[first:]) for first in kept}
    for example in found:
        assert len(example.ids) <= max_length
        assert example.learn[-1] == 1
        assert example.ids[-1] in tokenizer.end_ids
