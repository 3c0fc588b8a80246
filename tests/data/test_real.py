"""Real files of other tools: each loads with the right format, or is refused or set aside with the reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from tuneloop.errors import DataError
from tuneloop.rows import Chat, Preference
from tuneloop.store import Dataset

Make = Callable[..., Dataset]
MEDIA = "the row holds media, and only text can be learned from so far"
TWIN = "the same content as an earlier row"


class Expected(NamedTuple):
    format: str
    read: int
    dropped: Mapping[str, int] = MappingProxyType({})


LOADED = {
    "axolotl/alpaca.json": Expected("alpaca", 2),
    "fastchat/dummy_conversation.json": Expected("sharegpt", 500),
    "llamafactory/alpaca_zh_demo.json": Expected("alpaca", 1000, {TWIN: 8}),
    "llamafactory/dpo_en_demo.json": Expected("preference", 300, {TWIN: 5}),
    "llamafactory/dpo_zh_demo.json": Expected("preference", 300, {TWIN: 11}),
    "llamafactory/glaive_toolcall_en_demo.json": Expected("sharegpt", 300, {TWIN: 35}),
    "llamafactory/glaive_toolcall_zh_demo.json": Expected("sharegpt", 300, {TWIN: 43}),
    "llamafactory/identity.json": Expected("alpaca", 91),
    "llamafactory/kto_en_demo.json": Expected("preference", 300),
    "llamafactory/reason_tool_use_demo_50.jsonl": Expected("messages", 50),
    "llamafactory/v1_dpo_demo.jsonl": Expected("preference", 10),
    "llamafactory/v1_sft_demo.jsonl": Expected("messages", 500, {TWIN: 1}),
    "llamafactory/wiki_demo.txt": Expected("text", 22),
    "ms-swift/alpaca.csv": Expected("alpaca", 3),
    "ms-swift/alpaca.jsonl": Expected("alpaca", 3),
    "ms-swift/alpaca2.csv": Expected("alpaca", 3),
    "ms-swift/chatml.jsonl": Expected("messages", 3),
    "ms-swift/conversations.jsonl": Expected("sharegpt", 3),
    "ms-swift/multi_modal_1.jsonl": Expected("prompt_completion", 3, {MEDIA: 2}),
    "ms-swift/sharegpt.jsonl": Expected("sharegpt", 3),
    "ms-swift/swift_multi.json": Expected("prompt_completion", 3),
    "ms-swift/swift_multi.jsonl": Expected("prompt_completion", 3),
    "ms-swift/swift_pre.csv": Expected("text", 3),
    "ms-swift/swift_pre.jsonl": Expected("text", 3),
    "ms-swift/swift_single.csv": Expected("prompt_completion", 3),
    "ms-swift/swift_single.jsonl": Expected("prompt_completion", 3),
}
REFUSED = {
    "llamafactory/dataset_info.json": "describes 104 data sets",
    "llamafactory/mllm_demo.json": MEDIA,
    "llamafactory/v1_multimodal_demo.jsonl": MEDIA,
    "llamafactory/v1_dpo_demo.yaml": "is a configuration and holds no rows",
    "llamafactory/v1_multimodal_demo.yaml": "is a configuration and holds no rows",
    "llamafactory/v1_sft_demo.yaml": "is a configuration and holds no rows",
    "llamafactory/mllm_demo_data/1.jpg": "has no known ending",
    "llamafactory/mllm_demo_data/2.jpg": "has no known ending",
    "llamafactory/mllm_demo_data/3.jpg": "has no known ending",
    "ms-swift/multi_modal_2.jsonl": MEDIA,
    "ms-swift/multi_modal_3.jsonl": MEDIA,
}


@pytest.mark.parametrize("name", LOADED)
def test_a_real_file_loads_with_the_right_format(real: Path, make: Make, name: str) -> None:
    expected = LOADED[name]
    dataset = make(folder=real / "formats", sources=[name])
    (file,) = dataset.report["sources"][0]["files"]
    assert file["formats"] == {expected.format: expected.read - expected.dropped.get(MEDIA, 0)}
    assert file["read"] == expected.read
    assert Counter(drop.reason for drop in dataset.dropped()) == expected.dropped
    assert dataset.facts["rows"]["train"] == expected.read - sum(expected.dropped.values())


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_file_without_rows_for_text_models_is_refused_with_the_reason(real: Path, make: Make, name: str) -> None:
    with pytest.raises(DataError) as caught:
        make(folder=real / "formats", sources=[name])
    assert REFUSED[name] in caught.value.problems[0].what
    assert caught.value.problems[0].fix


def test_no_real_file_is_forgotten(real: Path) -> None:
    files = {path.relative_to(real / "formats").as_posix() for path in (real / "formats").rglob("*") if path.is_file()}
    assert {name for name in files if not name.endswith("SOURCE.md")} == LOADED.keys() | REFUSED.keys()


def test_the_page_of_formats_holds_this_table(real: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "parts" / "formats.md").read_text(encoding="utf-8")
    for name, expected in LOADED.items():
        assert f"| `{name}` | {expected.format} | {expected.read} | {sum(expected.dropped.values())} |" in page
    for name in REFUSED:
        assert f"| `{name}` |" in page


def test_tool_calls_of_real_rows_are_read_whole(real: Path, make: Make) -> None:
    for language in ("en", "zh"):
        name = f"llamafactory/glaive_toolcall_{language}_demo.json"
        source = json.loads((real / "formats" / name).read_text(encoding="utf-8"))
        records = make(folder=real / "formats", sources=[name], transforms=[]).records("train")
        chats = [record.content for record in records if isinstance(record.content, Chat)]
        calls = sum(turn["from"] == "function_call" for row in source for turn in row["conversations"])
        assert sum(len(message.tool_calls) for chat in chats for message in chat.messages) == calls
        assert sum(bool(chat.tools) for chat in chats) == sum(row["tools"] != "[]" for row in source)


def test_judged_answers_keep_their_judgement(real: Path, make: Make) -> None:
    name = "llamafactory/kto_en_demo.json"
    labels = Counter(row["label"] for row in json.loads((real / "formats" / name).read_text()))
    pairs = [record.content for record in make(folder=real / "formats", sources=[name]).records("train")]
    assert Counter(bool(pair.chosen) for pair in pairs if isinstance(pair, Preference)) == labels


def test_the_rows_of_alpaca_add_up_and_its_empty_answers_are_found(real: Path, make: Make) -> None:
    name = "alpaca_data-0-3252-英文.json"
    source = json.loads((real / "sft_en" / name).read_text(encoding="utf-8"))
    empty = [row for row in source if not row["output"].strip()]
    dataset = make(folder=real / "sft_en", sources=[name], split={"validation": 0.1, "test": 0.1})
    drops = list(dataset.dropped())
    assert len(source) == 3252 == sum(dataset.facts["rows"].values()) + len(drops)
    assert len(empty) == len(drops) == 4
    lines = (real / "sft_en" / name).read_text(encoding="utf-8").split("\n")
    for drop, row in zip(drops, empty, strict=True):
        line = int(drop.origin.rsplit(":", 1)[1])
        assert drop.reason == "the answer is empty"
        assert lines[line - 1].strip() == "{"
        assert (
            json.dumps(row["instruction"], ensure_ascii=False) in lines[line]
            or json.dumps(row["instruction"]) in lines[line]
        )
    everything = {record.id for split in dataset.splits for record in dataset.records(split)}
    assert len(everything) == 3248


CHINESE = {
    "sft_zh/medical_sft_1K_format.jsonl": (1000, 1000, "sharegpt"),
    "sft_zh/toolcall_dpo_zh_demo.jsonl": (11, 11, "preference"),
    "sft_zh/整数加减法.json": (500, 499, "alpaca"),
    "sft_zh/代码问题.json.gz": (9057, 7903, "alpaca"),
    "sft_zh/firefly/dummy_data.jsonl": (33, 33, "sharegpt"),
    "sft_zh/firefly/dummy_dpo.jsonl": (16, 16, "preference"),
    "sft_zh/firefly/dummy_pretrain.jsonl": (45, 45, "text"),
    "sft_en/train.jsonl.gz": (7473, 7473, "prompt_completion"),
    "classify/waimai_10k/waimai_10k.csv": (11987, 11983, "labeled"),
    "classify/banking77/train.csv": (10003, 9999, "labeled"),
}


@pytest.mark.parametrize("name", CHINESE)
def test_larger_real_sets_load_and_add_up(real: Path, make: Make, name: str) -> None:
    read, kept, format = CHINESE[name]
    dataset = make(folder=real, sources=[name])
    (file,) = dataset.report["sources"][0]["files"]
    assert (file["read"], file["formats"]) == (read, {format: read})
    assert dataset.report["rows"]["kept"] == kept
    assert read == kept + sum(1 for _ in dataset.dropped())


@pytest.mark.parametrize("name", ["classify/sms_spam/sms.tsv", "sft_en/seed_tasks.jsonl"])
def test_tables_of_other_kinds_are_refused_with_their_columns(real: Path, make: Make, name: str) -> None:
    with pytest.raises(DataError, match="no known format has rows like these"):
        make(folder=real, sources=[name])


def test_a_table_without_a_header_is_read_with_names(real: Path, make: Make) -> None:
    source = {"path": "classify/sms_spam/sms.tsv", "reader": {"tsv": {"names": ["label", "text"]}}}
    dataset = make(folder=real, sources=[source])
    assert dataset.report["rows"]["read"] == len((real / source["path"]).read_text(encoding="utf-8").split("\n")) - 1  # type: ignore[operator]
    assert dataset.report["kinds"].keys() == {"labeled"}
