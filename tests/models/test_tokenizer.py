"""Tokenizers without a template, awkward seams, and properties that hold for every conversation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.errors import ModelError, RecordError
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.rows import Message, ToolCall


def edited(folder: Path, to: Path, **config: Any) -> Path:
    """Copy a tokenizer with other entries in its configuration; None removes one."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    path = to / "tokenizer_config.json"
    values = {**json.loads(path.read_text()), **config}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    (to / "chat_template.jinja").unlink(missing_ok=True)
    return to


@pytest.fixture(scope="session")
def chatml(tiny_tokenizer: Path) -> Tokenizer:
    return Tokenizer.load(tiny_tokenizer)


@pytest.fixture(scope="session")
def default(tiny_tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(edited(tiny_tokenizer, tmp_path_factory.mktemp("bare"), chat_template=None))


def test_without_a_template_the_default_needs_no_token_that_is_not_there(default: Tokenizer) -> None:
    text = default.render((Message("user", "hi"), Message("assistant", "hello")))
    assert text == "### user\nhi\n\n### assistant\nhello<|im_end|>\n\n"
    assert default.end_ids == (default.eos_id,)


def test_the_default_writes_tools_calls_and_thoughts(default: Tokenizer) -> None:
    call = Message("assistant", "", thinking="ask", tool_calls=(ToolCall("weather", {"city": "巴黎"}),))
    text = default.render((Message("user", "rain?"), call), ({"type": "function", "function": {"name": "weather"}},))
    assert '{"name": "weather", "arguments": {"city": "巴黎"}}' in text
    assert "<think>\nask\n</think>" in text
    assert text.startswith("### tools\n")


def test_the_template_is_saved_with_the_tokenizer(default: Tokenizer, tmp_path: Path) -> None:
    default.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    messages = (Message("user", "hi"), Message("assistant", "hello"))
    assert again.chat_ids(messages) == default.chat_ids(messages)
    assert again.digest == default.digest


def test_another_template_is_another_digest(chatml: Tokenizer, default: Tokenizer) -> None:
    assert chatml.digest != default.digest


def test_a_given_template_goes_before_the_tokenizers_own(tiny_tokenizer: Path) -> None:
    own = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
    tokenizer = Tokenizer.load(tiny_tokenizer, chat_template=own)
    assert tokenizer.render((Message("user", "hi"),)) == "user: hi<|im_end|>"


def test_padding_is_the_end_token_where_there_is_no_other(tiny_tokenizer: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(edited(tiny_tokenizer, tmp_path, pad_token=None))
    assert tokenizer.pad_id == tokenizer.eos_id


def test_a_tokenizer_without_an_end_token_is_refused(tiny_tokenizer: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no end token"):
        Tokenizer.load(edited(tiny_tokenizer, tmp_path, eos_token=None))


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("damage", [{"model": {"type": "Nope"}}, {"model": None}, {"added_tokens": 7}])
def test_a_damaged_tokenizer_is_refused(tiny_tokenizer: Path, tmp_path: Path, damage: dict[str, Any]) -> None:
    folder = edited(tiny_tokenizer, tmp_path)
    values = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**values, **damage}))
    with pytest.raises(ModelError, match="cannot be read"):
        Tokenizer.load(folder)


def test_end_tokens_of_the_generation_settings_count(tiny_tokenizer: Path, tmp_path: Path) -> None:
    folder = edited(tiny_tokenizer, tmp_path)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 1]}))
    assert set(Tokenizer.load(folder).end_ids) == {0, 1, 2}


def test_a_template_that_refuses_a_conversation_says_why(tiny_tokenizer: Path) -> None:
    strict = "{{ raise_exception('no system turns here') }}"
    with pytest.raises(RecordError, match="no system turns here"):
        Tokenizer.load(tiny_tokenizer, chat_template=strict).render((Message("user", "hi"),))


def test_a_template_cannot_reach_outside_its_sandbox(tiny_tokenizer: Path) -> None:
    escape = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(RecordError):
        Tokenizer.load(tiny_tokenizer, chat_template=escape).render((Message("user", "hi"),))


def test_one_beginning_token_even_where_template_and_tokenizer_both_set_it(real: Path) -> None:
    folder = real / "models" / "stories260K"
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.chat_ids((Message("user", "hi"),), generation=True).count(1) == 1
    assert tokenizer.text_ids("Once").count(1) == 1
    assert tokenizer.text_ids("<s>Once")[:2] != [1, 1]
    twice = Tokenizer.load(folder, chat_template="{{ bos_token }}{{ bos_token }}{{ messages[0].content }}")
    assert twice.chat_ids((Message("user", "hi"),)).count(1) == 1


def test_chinese_goes_through_bytes_and_comes_back(real: Path) -> None:
    tokenizer = Tokenizer.load(real / "models" / "babyllama361")
    text = "话说天下大势,分久必合"
    assert tokenizer.decode(tokenizer.text_ids(text)).strip() == text


def test_a_seam_inside_a_token_keeps_the_served_prompt(tiny_tokenizer: Path) -> None:
    glued = (
        "{% for m in messages %}{% if m.role == 'assistant' %}th{{ m.content }}{{ eos_token }}"
        "{% else %}{{ m.content }} {% endif %}{% endfor %}{% if add_generation_prompt %}th{% endif %}"
    )
    tokenizer = Tokenizer.load(tiny_tokenizer, chat_template=glued)
    messages = (Message("user", "go"), Message("assistant", "e quick"))
    prompt = tokenizer.chat_ids(messages[:1], generation=True)
    whole = tokenizer.chat_ids(messages)
    assert whole[: len(prompt)] != prompt, "the vocabulary must join the two for this test to mean anything"
    ((ids, marks),) = tokenizer.chat_examples(messages, (), [1])
    assert ids[: len(prompt)] == prompt
    assert marks[: len(prompt)] == [0] * len(prompt)
    assert tokenizer.hf.decode(ids) == tokenizer.hf.decode(whole)


def test_an_answer_opened_otherwise_than_written_is_refused(tiny_tokenizer: Path) -> None:
    odd = (
        "{% for m in messages %}{{ loop.length }}{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}answer:{% endif %}"
    )
    tokenizer = Tokenizer.load(tiny_tokenizer, chat_template=odd)
    with pytest.raises(RecordError, match="another way"):
        tokenizer.chat_examples((Message("user", "hi"), Message("assistant", "hello")), (), [1])


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda said: not any("\ufdd0" <= sign <= "\ufdef" or ord(sign) & 0xFFFE == 0xFFFE for sign in said)
)
"""No signs that Unicode says are none: rows with them are refused."""
pairs = st.lists(st.tuples(text, text), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(pairs=pairs, which=st.sampled_from(["chatml", "default"]))
def test_answers_are_learned_whole_with_their_end_and_nothing_else_is(
    chatml: Tokenizer, default: Tokenizer, pairs: list[tuple[str, str]], which: str
) -> None:
    tokenizer = {"chatml": chatml, "default": default}[which]
    messages = tuple(
        Message(role, said) for pair in pairs for role, said in zip(("user", "assistant"), pair, strict=True)
    )
    turns = list(range(1, len(messages), 2))
    examples = tokenizer.chat_examples(messages, (), turns)
    answers = []
    for ids, marks in examples:
        assert len(ids) == len(marks)
        assert ids[-1] == tokenizer.turn_end_id
        assert marks[-1] == 1
        spans = "".join(map(str, marks)).split("0")
        place = 0
        for span in spans:
            answers += [ids[place : place + len(span)]] if span else []
            place += len(span) + 1
    assert [tokenizer.hf.decode(ids) for ids in answers] == [messages[turn].content + "<|im_end|>" for turn in turns]
    last = examples[-1][0]
    assert tokenizer.chat_ids(messages[:-1], generation=True) == last[: len(last) - len(answers[-1])]


@settings(max_examples=60, deadline=None)
@given(said=text)
def test_ids_decode_back_to_the_text(chatml: Tokenizer, said: str) -> None:
    assert chatml.decode(chatml.text_ids(said)) == said
