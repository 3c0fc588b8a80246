"""Golden tables: what the model sees and learns of a conversation, for every well-known way to write one.

Three judges that do not know each other: the tables of ``templates.py``, transformers' own mask of templates with
generation marks, and, for the stock templates, the difference of two renderings laid over the tokenizer's offsets.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from tests.truth.templates import CHATS, FAMILIES, TOOLS, Family

from tuneloop.embedded import base
from tuneloop.models.template import plain
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Record
from tuneloop.tasks import Example, Task

CELLS = [(name, chat) for name, family in FAMILIES.items() for chat in family.golden]
READ = Callable[..., Any]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Opens the tokenizer of a family, once for each way of opening it."""
    made: dict[Any, Any] = {}

    def open_once(name: str, *, marked: bool = False, adds_bos: bool = False) -> Any:
        key = (name, marked, adds_bos)
        if key not in made:
            family = FAMILIES[name]
            template = family.template if marked else family.unmarked
            made[key] = family.tokenizer(tmp_path_factory.mktemp(name), template=template, adds_bos=adds_bos)
        return made[key]

    return open_once


def record(chat: str) -> Record:
    return Record.of(Chat(CHATS[chat], TOOLS if chat == "tools" else ()), origin=f"table:{chat}")


def encoded(hf: Any, chat: str, **options: Any) -> list[Example]:
    found = find(Task, "sft")(**options).encode(record(chat), Tokenizer(hf), 512)
    assert isinstance(found, list), found
    return found


def spelled(hf: Any, ids: list[int], *, words: bool) -> str:
    """Exactly what ids stand for, the mark before a word as a blank."""
    if not words:
        return str(hf.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))
    text, run = "", b""
    for piece in [*hf.convert_ids_to_tokens(ids), ""]:
        if piece.startswith("<0x"):
            run += bytes([int(piece[3:5], 16)])
        else:
            text, run = text + run.decode() + piece.replace("▁", " "), b""
    return text


def table(hf: Any, example: Example, family: Family) -> str:
    """An example as the tables write it."""
    text = ""
    for mark, group in groupby(zip(example.learn, example.ids, strict=True), key=lambda pair: pair[0]):
        piece = spelled(hf, [id for _, id in group], words=family.words)
        text += f"⟦{piece}⟧" if mark else piece
    # A tokenizer of words writes a blank before the first word behind a control token: not the template's.
    return text.replace("> ", ">") if family.words else text


# --- two judges -----------------------------------------------------------------------------------------------------

NO_END = {"falcon": "<|endoftext|>", "glm4": "<|user|>"}
"""Families whose templates write no end token, and the one that is learned."""
OPENED = "<think>\n"
"""What DeepSeek's template opens an answer with, but never writes."""


def answers(chat: str) -> list[int]:
    """Positions of the turns that are learned."""
    turns = enumerate(CHATS[chat])
    return [place for place, turn in turns if turn.role == "assistant" and turn.learn is not False]


def rendered(hf: Any, chat: str, count: int, **options: Any) -> Any:
    """The first turns as transformers renders them; some templates want the arguments of calls as text."""
    tools = list(TOOLS) if chat == "tools" else None
    messages = CHATS[chat][:count]
    try:
        return hf.apply_chat_template(plain(messages), tools=tools, **options)
    except TypeError:
        return hf.apply_chat_template(plain(messages, json_arguments=True), tools=tools, **options)


def difference(hf: Any, chat: str, turn: int) -> tuple[list[int], list[int]]:
    """Ids of the prompt before a turn, and of what the template writes for the turn."""
    before = rendered(hf, chat, turn, tokenize=False, add_generation_prompt=True)
    after = rendered(hf, chat, turn + 1, tokenize=False)
    before = before if after.startswith(before) else before.removesuffix(OPENED)
    assert after.startswith(before)
    said = hf(after, add_special_tokens=False, return_offsets_mapping=True)
    pairs = list(zip(said["input_ids"], said["offset_mapping"], strict=True))
    assert not any(start < len(before) < end for _, (start, end) in pairs), "no token spans the seam in these tables"
    return [id for id, (_, end) in pairs if end <= len(before)], [id for id, (_, end) in pairs if end > len(before)]


def marked(hf: Any, chat: str, turn: int) -> tuple[list[int], list[int]]:
    """Ids of the prompt before a turn, and of what transformers' mask holds behind it.

    The published marks of some families also hold the opening of the answer, which the prompt has already.
    """
    prompt, _ = difference(hf, chat, turn)
    said = rendered(hf, chat, turn + 1, return_dict=True, return_assistant_tokens_mask=True)
    pairs = zip(said["input_ids"][len(prompt) :], said["assistant_masks"][len(prompt) :], strict=True)
    return prompt, [id for id, mark in pairs if mark]


def upto(answer: list[int], ends: list[int]) -> list[int]:
    """An answer without what stands behind its end token: a line end, and in Phi-3 the end of the whole text."""
    first = next((place for place, id in enumerate(answer) if id in ends), len(answer))
    return answer[: first + 1]


def run_at(examples: list[Example], prompt: list[int]) -> list[int]:
    """What is learned directly behind a prompt."""
    (example,) = [e for e in examples if list(e.ids[: len(prompt)]) == prompt and e.learn[len(prompt)] == 1]
    assert example.learn[len(prompt) - 1] == 0
    end = next((place for place in range(len(prompt), len(example.ids)) if not example.learn[place]), None)
    return list(example.ids[len(prompt) : end])


def learned_runs(examples: list[Example]) -> int:
    return sum(mark > before for e in examples for before, mark in zip((0, *e.learn), e.learn, strict=False))


# --- the tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "chat"), CELLS)
def test_what_is_seen_and_learned_is_what_the_table_says(opened: READ, name: str, chat: str) -> None:
    family, hf = FAMILIES[name], opened(name)
    found = [table(hf, example, family) for example in encoded(hf, chat)]
    wanted = family.golden[chat]
    assert found == ([text.replace("> ", ">") for text in wanted] if family.words else wanted)


@pytest.mark.parametrize(("name", "chat"), CELLS)
def test_generation_marks_change_nothing(opened: READ, name: str, chat: str) -> None:
    assert encoded(opened(name, marked=True), chat) == encoded(opened(name), chat)


@pytest.mark.parametrize(("name", "chat"), [cell for cell in CELLS if cell[1] != "muted"])
def test_the_mask_is_the_one_that_transformers_makes_of_generation_marks(opened: READ, name: str, chat: str) -> None:
    hf, examples = opened(name, marked=True), encoded(opened(name), chat)
    for turn in answers(chat):
        prompt, answer = marked(hf, chat, turn)
        if name in NO_END:
            answer.append(hf.convert_tokens_to_ids(NO_END[name]))
        assert run_at(examples, prompt) == answer


@pytest.mark.parametrize("adds_bos", [False, True], ids=["template", "template and tokenizer"])
@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.bos])
def test_there_is_exactly_one_beginning_token(opened: READ, name: str, adds_bos: bool) -> None:
    hf = opened(name, adds_bos=adds_bos)
    for example in encoded(hf, "turns"):
        end = len(example.ids) - (1 if hf.bos_token_id == hf.eos_token_id else 0)
        assert example.ids[0] == hf.bos_token_id
        inner = [id for id, mark in zip(example.ids[1:end], example.learn[1:end], strict=True) if not mark]
        assert hf.bos_token_id not in inner
    tokenizer = Tokenizer(hf)
    served = tokenizer.chat_ids(CHATS["turns"][:1], generation=True)
    assert served.count(hf.bos_token_id) == 1
    for words, written in (("yes", adds_bos), (f"{hf.bos_token}yes", True)):  # a text may bring its own
        text = find(Task, "pretrain")().encode(_text(words), tokenizer, 64)
        assert text[0].ids[:-1].count(hf.bos_token_id) == written


def _text(words: str) -> Record:
    from tuneloop.rows import Text

    return Record.of(Text(words), origin="text:1")


@pytest.mark.parametrize(("name", "chat"), CELLS)
def test_every_example_ends_with_a_learned_end_token_that_stops_generation(opened: READ, name: str, chat: str) -> None:
    tokenizer = Tokenizer(opened(name))
    for example in encoded(opened(name), chat):
        assert example.learn[-1] == 1
        assert example.ids[-1] in tokenizer.end_ids
        assert example.learn[0] == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_no_padding_is_supervised(opened: READ, name: str) -> None:
    """Also where the padding is an end token, as it is for tokenizers without a padding token of their own."""
    hf = opened(name)
    examples = encoded(hf, "one") + encoded(hf, "turns" if "turns" in FAMILIES[name].golden else "one")
    task = find(Task, "sft")()
    for pad in (hf.pad_token_id, hf.eos_token_id):
        batch = task.collate(examples, pad)
        assert ((batch.labels != -100) <= (batch.mask == 1)).all()
        assert batch.supervised == sum(sum(example.learn) for example in examples)
        for row, example in enumerate(examples):
            wanted = [id if mark else -100 for id, mark in zip(example.ids, example.learn, strict=True)]
            assert batch.labels[row].tolist() == wanted + [-100] * (batch.ids.shape[1] - len(wanted))


@pytest.mark.parametrize("name", FAMILIES)
def test_learning_everything_leaves_out_only_muted_turns(opened: READ, name: str) -> None:
    examples = encoded(opened(name), "one", learn_from="all")
    assert all(set(example.learn) == {1} for example in examples)
    if "muted" in FAMILIES[name].golden:
        (whole,) = encoded(opened(name), "muted", learn_from="all")
        (answers,) = encoded(opened(name), "muted")
        muted = encoded(opened(name), "one")[0]
        assert whole.ids == answers.ids
        silent = [place for place, mark in enumerate(whole.learn) if not mark]
        assert silent == [place for place, mark in enumerate(muted.learn) if mark]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("how", ["truncate", "split"])
def test_a_row_made_to_fit_still_ends_every_answer(opened: READ, name: str, how: str) -> None:
    tokenizer = Tokenizer(opened(name))
    turns = CHATS["turns"] * 3
    whole = find(Task, "sft")().encode(Record.of(Chat(turns), origin="long:1"), tokenizer, 4096)
    longest = max(len(example.ids) for example in whole)
    first = len(encoded(opened(name), "one")[0].ids)
    found = 0
    for length in range(first - 4, longest, 3):
        fitted = find(Task, "sft")(on_overlength=how).encode(Record.of(Chat(turns), origin="long:1"), tokenizer, length)
        for example in [] if isinstance(fitted, Drop) else fitted:
            found += 1
            assert len(example.ids) <= length
            assert example.ids[-1] in tokenizer.end_ids
            assert example.learn[-1] == 1
            assert example.ids[0] == whole[0].ids[0] or tokenizer.hf.bos_token_id is None
    assert found


# --- the stock templates ------------------------------------------------------------------------------------------

ENDS = {
    "qwen3": ["<|im_end|>"],
    "qwen2_5": ["<|im_end|>"],
    "llama3": ["<|eot_id|>"],
    "phi3": ["<|end|>"],
    "gemma": ["<end_of_turn>"],
    "glm4moe": ["<|user|>", "<|observation|>"],
    "deepseekv3": ["<｜end▁of▁sentence｜>"],
}
REFUSED = {("gemma", "system"), ("llama3", "tools"), ("phi3", "tools"), ("gemma", "tools")}
STOCK = [(name, chat) for name in ENDS for chat in CHATS]


@pytest.mark.parametrize(("name", "chat"), [cell for cell in STOCK if cell not in REFUSED])
def test_stock_templates_are_learned_by_the_difference_of_two_renderings(
    stock_tokenizer: READ, name: str, chat: str
) -> None:
    hf = stock_tokenizer(name)
    examples = encoded(stock_tokenizer(name), chat)
    for turn in answers(chat):
        prompt, answer = difference(hf, chat, turn)
        ends = [hf.convert_tokens_to_ids(end) for end in ENDS[name]]
        answer = upto(answer, ends)
        if name == "glm4moe":  # there the opening of the next turn is the end
            before_tool = CHATS[chat][turn + 1 : turn + 2] and CHATS[chat][turn + 1].role == "tool"
            answer.append(ends[1 if before_tool else 0])
        assert run_at(examples, prompt) == answer
    assert learned_runs(examples) == len(answers(chat))


@pytest.mark.parametrize(("name", "chat"), [cell for cell in STOCK if cell not in REFUSED])
def test_stock_templates_with_marks_give_the_mask_of_transformers(stock_tokenizer: READ, name: str, chat: str) -> None:
    hf = stock_tokenizer(name, "_training")
    examples = encoded(stock_tokenizer(name, "_training"), chat)
    ends = [hf.convert_tokens_to_ids(end) for end in ENDS[name]]
    for turn in answers(chat):
        prompt, answer = marked(hf, chat, turn)
        assert run_at(examples, prompt) == upto(answer, ends)
        assert upto(answer, ends)[-1] in ends
    assert learned_runs(examples) == len(answers(chat))


@pytest.mark.parametrize(("name", "chat"), sorted(REFUSED))
def test_what_a_template_does_not_write_is_set_aside_never_learned_in_silence(
    stock_tokenizer: READ, name: str, chat: str
) -> None:
    assert isinstance(find(Task, "sft")().encode(record(chat), Tokenizer(stock_tokenizer(name)), 512), Drop)


# --- our own models, token by token ---------------------------------------------------------------------------------

EMBEDDED = (["<|begin|>", "<|user|>", "hi", "<|end|>", "<|assistant|>"], ["yes", "<|end|>"])
CHATML_TINY = (
    [*["<|im_start|>", "user", "\n", "h", "i", "<|im_end|>", "\n"], *["<|im_start|>", "a", "s", "sis", "tant", "\n"]],
    ["y", "e", "s", "<|im_end|>"],
)
PLAIN_TINY = (
    [*["#", "#", "#", " ", "user", "\n", "h", "i", "\n", "\n"], *["#", "#", "#", " assistant", "\n"]],
    ["y", "e", "s", "<|im_end|>"],
)
"""Pieces that are read, and pieces that are learned."""


def pieces(hf: Any) -> tuple[list[str], list[str]]:
    (example,) = encoded(hf, "one")
    found = [hf.decode([id]) for id in example.ids]
    start = example.learn.index(1)
    assert set(example.learn[start:]) == {1}
    return found[:start], found[start:]


def test_the_embedded_base_token_by_token() -> None:
    assert pieces(Tokenizer.load(base()).hf) == EMBEDDED


def test_the_tiny_models_token_by_token(tiny_tokenizer: Path) -> None:
    from transformers import AutoTokenizer

    hf = AutoTokenizer.from_pretrained(tiny_tokenizer)
    assert pieces(hf) == CHATML_TINY
    hf.chat_template = None
    assert pieces(Tokenizer(hf).hf) == PLAIN_TINY
