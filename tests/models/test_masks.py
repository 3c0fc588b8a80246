"""What is learned of a conversation, against the stock chat templates and their published generation marks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import RecordError
from tuneloop.models.template import plain
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.rows import Message, ToolCall

TOOLS = ({"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}},)
CALL = Message("assistant", "", tool_calls=(ToolCall("weather", {"city": "Paris"}),))
CHATS: dict[str, tuple[Message, ...]] = {
    "one": (Message("user", "hi"), Message("assistant", "hello there")),
    "system": (Message("system", "be kind"), Message("user", "hi"), Message("assistant", "hello")),
    "turns": (
        Message("user", "hi"),
        Message("assistant", "hello"),
        Message("user", "你好吗"),
        Message("assistant", "很好,谢谢"),
    ),
    "tools": (Message("user", "weather?"), CALL, Message("tool", "sunny"), Message("assistant", "It is sunny.")),
    "thinking": (Message("user", "3+3"), Message("assistant", "six", thinking="three and three")),
}
NAMES = ["qwen3", "qwen2_5", "llama3", "phi3", "gemma", "glm4moe", "deepseekv3"]
NO_TOOLS = {"llama3", "phi3", "gemma"}


def turns(messages: tuple[Message, ...]) -> list[int]:
    return [place for place, message in enumerate(messages) if message.role == "assistant"]


def learned(tokenizer: Tokenizer, messages: tuple[Message, ...], tools: Any = ()) -> list[int]:
    """The ids that are learned, in order."""
    pairs = tokenizer.chat_examples(messages, tools, turns(messages))
    return [id for ids, marks in pairs for id, mark in zip(ids, marks, strict=True) if mark]


def bare(hf: Any, ids: list[int]) -> str:
    """Text of ids without what the published marks also cover: line ends and the opening of a turn."""
    text = hf.decode(ids)
    for opening in ("\n", "<｜Assistant｜>", "<｜tool▁outputs▁end｜>", "<|endoftext|>"):
        text = text.replace(opening, "")
    return text


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("name", NAMES)
def test_the_mask_is_that_of_the_published_marks(stock: Callable[..., Any], name: str, chat: str) -> None:
    messages, tools = CHATS[chat], TOOLS if chat == "tools" else ()
    tokenizer, marked = Tokenizer(stock(name)), stock(name, "_training")
    refused = (chat == "system" and name == "gemma") or (chat == "tools" and name in NO_TOOLS)
    if refused:
        with pytest.raises(RecordError):
            tokenizer.chat_examples(messages, tools, turns(messages))
        return
    reference = marked.apply_chat_template(
        plain(messages), tools=list(tools) or None, return_dict=True, return_assistant_tokens_mask=True
    )
    pairs = zip(reference["input_ids"], reference["assistant_masks"], strict=True)
    expected = [id for id, mark in pairs if mark]
    assert bare(marked, learned(tokenizer, messages, tools)) == bare(marked, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_learned_prompt_is_the_prompt_that_is_served(stock: Callable[..., Any], name: str) -> None:
    tokenizer, messages = Tokenizer(stock(name)), CHATS["turns"]
    pairs = tokenizer.chat_examples(messages, (), turns(messages))
    for turn in turns(messages):
        prompt = tokenizer.chat_ids(messages[:turn], generation=True)
        starts = [ids for ids, marks in pairs if ids[: len(prompt)] == prompt and marks[len(prompt)] == 1]
        assert starts, f"no example asks turn {turn} as the server does"


@pytest.mark.parametrize(("name", "end"), [("llama3", "<|eot_id|>"), ("phi3", "<|end|>"), ("gemma", "<end_of_turn>")])
def test_the_end_of_an_answer_is_found_in_the_template(stock: Callable[..., Any], name: str, end: str) -> None:
    tokenizer = Tokenizer(stock(name))
    assert tokenizer.hf.decode(tokenizer.turn_end_id) == end
    assert tokenizer.turn_end_id in tokenizer.end_ids
    assert tokenizer.eos_id in tokenizer.end_ids


def test_every_answer_ends_with_a_learned_end_token(stock: Callable[..., Any]) -> None:
    for name in NAMES:
        tokenizer = Tokenizer(stock(name))
        for ids, marks in tokenizer.chat_examples(CHATS["turns"], (), [1, 3]):
            assert ids[-1] in tokenizer.end_ids
            assert marks[-1] == 1


def test_where_the_opening_of_a_turn_ends_an_answer_the_tools_turn_counts_too(stock: Callable[..., Any]) -> None:
    tokenizer = Tokenizer(stock("glm4moe"))
    ends = [tokenizer.hf.decode(id) for id in tokenizer.end_ids]
    assert ends == ["<|user|>", "<|observation|>", "<|endoftext|>"]
    found = [tokenizer.hf.decode(id) for id in learned(tokenizer, CHATS["tools"], TOOLS)]
    assert [token for token in found if token in ends] == ["<|observation|>", "<|user|>"]


def test_a_template_that_strips_old_reasoning_gives_one_example_for_each_turn(stock: Callable[..., Any]) -> None:
    tokenizer = Tokenizer(stock("qwen3"))
    messages = (*CHATS["thinking"], Message("user", "and 4+4"), Message("assistant", "eight", thinking="four, four"))
    first, second = tokenizer.chat_examples(messages, (), [1, 3])
    assert "three and three" in tokenizer.hf.decode(first[0])
    assert "three and three" not in tokenizer.hf.decode(second[0])
    assert "four, four" in tokenizer.hf.decode(second[0])


def test_an_opened_thought_that_answers_never_have_is_not_in_the_prompt(stock: Callable[..., Any]) -> None:
    tokenizer = Tokenizer(stock("deepseekv3"))
    assert tokenizer.render((Message("user", "hi"),), generation=True).endswith("<｜Assistant｜>")


def test_a_default_system_prompt_is_read_and_not_learned(stock: Callable[..., Any]) -> None:
    tokenizer = Tokenizer(stock("qwen2_5"))
    ((ids, marks),) = tokenizer.chat_examples(CHATS["one"], (), [1])
    assert "You are Qwen" in tokenizer.hf.decode(ids)
    assert "Qwen" not in "".join(tokenizer.hf.decode(id) for id, mark in zip(ids, marks, strict=True) if mark)


def test_tool_calls_that_a_template_leaves_out_are_refused_not_learned_as_silence(stock: Callable[..., Any]) -> None:
    with pytest.raises(RecordError, match="does not write tool calls"):
        Tokenizer(stock("llama3")).chat_examples(CHATS["tools"], TOOLS, [1])


def test_ids_are_those_of_transformers_itself(stock: Callable[..., Any]) -> None:
    for name in NAMES:
        hf = stock(name)
        ours = Tokenizer(hf).chat_ids(CHATS["turns"])
        assert ours == hf.apply_chat_template(plain(CHATS["turns"]))["input_ids"]


def test_a_thousand_real_rows_are_asked_in_training_as_in_serving(stock: Callable[..., Any], real: Path) -> None:
    (path,) = (real / "sft_en").glob("alpaca_data-0-*.json")
    rows = json.loads(path.read_text(encoding="utf-8"))[:1000]
    tokenizers = [Tokenizer(stock(name)) for name in NAMES]
    for place, row in enumerate(rows):
        tokenizer = tokenizers[place % len(tokenizers)]
        question = Message("user", f"{row['instruction']}\n\n{row['input']}")
        ((ids, marks),) = tokenizer.chat_examples((question, Message("assistant", row["output"])), (), [1])
        prompt = tokenizer.chat_ids((question,), generation=True)
        assert ids[: len(prompt)] == prompt
        assert marks == [0] * len(prompt) + [1] * (len(ids) - len(prompt))
        answer = tokenizer.hf.decode(ids[len(prompt) : -1]).removeprefix("\n")
        assert (
            answer.removeprefix("<think>\n\n</think>").removeprefix("<think></think>").strip() == row["output"].strip()
        )
