"""One rendering for all: what is trained is what is served is what the exported tokenizer writes. 0 differences."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.truth.templates import FAMILIES

from tuneloop.data.formats import Format
from tuneloop.errors import RecordError
from tuneloop.models.template import plain
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Message, Record, Text
from tuneloop.serving.app import build_app
from tuneloop.serving.served import Served
from tuneloop.tasks import Example, Task

CHATS = 1000


class Rendering(Served):
    """A model in service that tells its prompt instead of answering."""

    def chat_ids(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]]) -> list[int]:
        ids = super().chat_ids(messages, tools)
        raise RecordError(json.dumps(ids), where="", fix="none needed")


class Ways:
    """Three ways from a conversation to ids, around one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, folder: Path) -> None:
        from transformers import AutoTokenizer

        self.tokenizer = tokenizer
        tokenizer.save(folder)
        self.exported = AutoTokenizer.from_pretrained(folder)
        loaded: Any = SimpleNamespace(tokenizer=tokenizer)
        served = Rendering("t/champion", "release-1", "model-1", "base", loaded, None)  # type: ignore[arg-type]
        self.client = TestClient(build_app(lambda: served, exchanges=None, keys=None), base_url="http://localhost")

    def served(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]]) -> list[int]:
        """The prompt that the service makes of a request over HTTP."""
        turns = plain(messages, json_arguments=True)
        said = self.client.post(
            "/v1/chat/completions", json={"model": "champion", "messages": turns, "tools": list(tools)}
        ).json()
        ids: list[int] = json.JSONDecoder().raw_decode(said["error"]["message"])[0]
        return ids

    def written(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], *, generation: bool) -> list[int]:
        """What the exported tokenizer makes of it in transformers."""
        for as_json in (False, True):  # a few templates paste the arguments of calls into a string
            try:
                ids: list[int] = self.exported.apply_chat_template(
                    plain(messages, json_arguments=as_json),
                    tools=list(tools) or None,
                    add_generation_prompt=generation,
                )["input_ids"]
                return ids
            except TypeError:
                continue
        raise AssertionError("neither form of arguments is taken")

    def differences(self, chat: Chat) -> list[str] | Drop:
        """Where the ways part for a conversation; or why the template cannot write it."""
        found = find(Task, "sft")().encode(Record.of(chat, origin="here:1"), self.tokenizer, 100_000)
        if isinstance(found, Drop):
            return found
        parted = []
        turns = [place for place, turn in enumerate(chat.messages) if turn.role == "assistant"]
        for turn in turns:
            before = chat.messages[:turn]
            trained, served = prompt_of(found, turns.index(turn)), self.served(before, chat.tools)
            written = self.written(before, chat.tools, generation=True)
            if trained != served:
                parted.append(f"turn {turn}: trained {trained[-9:]}, served {served[-9:]}")
            if served != written:
                parted.append(f"turn {turn}: served {served[-9:]}, exported {written[-9:]}")
        if len(found) == 1:  # else the template writes earlier turns otherwise later on
            whole = self.written(chat.messages, chat.tools, generation=False)
            end = len(found[0].ids) - 1  # a template without an end token does not write the last one
            if list(found[0].ids[:end]) != whole[:end]:
                parted.append(f"the whole: trained {found[0].ids[-9:]}, exported {whole[end - 9 : end]}")
        return parted


def prompt_of(examples: Sequence[Example], answer: int) -> list[int]:
    """Ids in front of the so-manieth learned answer."""
    starts = [
        (example, place)
        for example in examples
        for place in range(1, len(example.ids))
        if example.learn[place] and not example.learn[place - 1]
    ]
    example, place = starts[answer]
    return list(example.ids[:place])


# --- generated chats: always --------------------------------------------------------------------------------------

WORDS = [
    "hi", "yes", "The quick", "brown fox", " leading", "trailing ", "two\nlines", "\n", "", "3.5", "it's", "你好吗",
    "今天天气很好。", "naïve café", "🙂🚀", "a\u200bb", "\t", "    four", "<b>", "{{ x }}", "[INST]", "###", "a" * 40,
]  # fmt: skip


def generated(count: int, *, system: bool) -> Iterator[Chat]:
    draw = random.Random(5)

    def said() -> str:
        return draw.choice(["", " "]).join(draw.choice(WORDS) for _ in range(draw.randint(1, 5)))

    for _ in range(count):
        messages = [Message("system", said())] if system and draw.random() < 0.3 else []
        for _ in range(draw.randint(1, 3)):
            messages += [Message("user", said() + "?"), Message("assistant", said() + draw.choice(["", ".", "x"]))]
        yield Chat(tuple(messages))


@pytest.mark.parametrize("name", FAMILIES)
def test_generated_chats_have_the_same_ids_everywhere(tmp_path: Path, name: str) -> None:
    family = FAMILIES[name]
    tokenizer = Tokenizer(family.tokenizer(tmp_path / "made", template=family.unmarked))
    ways = Ways(tokenizer, tmp_path / "saved")
    each = -(-CHATS // len(FAMILIES))
    chats = list(generated(each, system="system" in family.golden))
    parted = [(chat, found) for chat in chats if (found := ways.differences(chat)) != []]
    assert parted == []


# --- real chats: where they are -----------------------------------------------------------------------------------


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON list, gzipped or not."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def real_chats(real: Path) -> list[Chat]:
    """1,000 conversations in English and Chinese, of one turn and of several, with tools and without."""
    (english,) = (real / "sft_en").glob("alpaca_data-0-*.json")
    sources = [
        (english, "alpaca", 300),
        (real / "sft_zh" / "zh-data-part-00.json.gz", "alpaca", 300),
        (real / "formats" / "llamafactory" / "glaive_toolcall_en_demo.json", "sharegpt", 200),
        (real / "formats" / "llamafactory" / "glaive_toolcall_zh_demo.json", "sharegpt", 200),
    ]
    chats: list[Chat] = []
    for path, name, count in sources:
        shape = find(Format, name)()
        contents = [shape.content(row) for row in read(path)[:count]]
        chats += [content for content in contents if isinstance(content, Chat)]
    return chats


def test_a_thousand_real_chats_have_the_same_ids_everywhere(
    real: Path, tmp_path: Path, stock_tokenizer: Callable[..., Any]
) -> None:
    chats = real_chats(real)
    assert len(chats) >= CHATS
    names = ["qwen3", "qwen2_5", "glm4moe", "deepseekv3", "llama3", "phi3", "gemma"]
    made = {name: Ways(Tokenizer(stock_tokenizer(name)), tmp_path / name) for name in names}
    parted: dict[str, list[str]] = {name: [] for name in names}
    compared = dict.fromkeys(names, 0)
    for place, chat in enumerate(chats):
        # Llama 3, Phi 3 and Gemma write no tools; DeepSeek's template opens only the first call of a conversation
        for name in (*names[place % len(names) :], *names):
            found = made[name].differences(chat)
            if isinstance(found, list):
                break
            assert "the chat template" in found.reason
        compared[name] += 1
        parted[name] += found
    assert sum(compared.values()) >= CHATS
    assert min(compared.values()) >= 80, compared
    assert {name: (len(found), found[:2]) for name, found in parted.items() if found} == {}


# --- plain texts ---------------------------------------------------------------------------------------------------


def framing(folder: Path) -> Tokenizer:
    """A tokenizer that puts a beginning and an end token around every text, as some Llama tokenizers are set up to."""
    from tokenizers import Tokenizer as Raw
    from tokenizers import processors
    from transformers import AutoTokenizer

    FAMILIES["alpaca"].tokenizer(folder)
    raw = Raw.from_file(str(folder / "tokenizer.json"))
    raw.add_special_tokens(["<s>"])
    pairs = [("<s>", raw.token_to_id("<s>")), ("</s>", raw.token_to_id("</s>"))]
    raw.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=pairs)
    raw.save(str(folder / "tokenizer.json"))
    hf = AutoTokenizer.from_pretrained(folder, bos_token="<s>")
    hf.save_pretrained(folder)
    return Tokenizer.load(folder)


def test_a_text_to_be_continued_does_not_end(tmp_path: Path) -> None:
    """The prompt of a completion is the beginning of the text as it was learned, and holds no end token."""
    tokenizer = framing(tmp_path)
    loaded: Any = SimpleNamespace(tokenizer=tokenizer)
    served = Served("t/champion", "release-1", "model-1", "base", loaded, None)  # type: ignore[arg-type]
    found = find(Task, "pretrain")().encode(Record.of(Text("the quick fox"), origin="t:1"), tokenizer, 64)
    assert isinstance(found, list)
    learned = list(found[0].ids)
    assert learned[-1] == tokenizer.eos_id
    assert [learned.count(tokenizer.eos_id), learned.count(tokenizer.hf.bos_token_id)] == [1, 1]
    assert served.text_ids("the quick fox") == learned[:-1]


def test_an_empty_text_teaches_nothing_whatever_the_tokenizer_puts_around_it(tmp_path: Path) -> None:
    found = find(Task, "pretrain")().encode(Record.of(Text(""), origin="t:1"), framing(tmp_path), 64)
    assert isinstance(found, Drop)
    assert "empty" in found.reason
