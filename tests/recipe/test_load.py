"""Recipes load as they are meant: YAML 1.2 values, short forms, changes, defaults."""

from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import RecipeError
from tuneloop.recipe import Recipe, load
from tuneloop.recipe.load import check
from tuneloop.recipe.written import parse

GOOD = "data: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n"


def read(text: str, *changes: str) -> Recipe:
    return check(parse(GOOD + text, "recipe.yaml"), changes)


def test_the_smallest_recipe_has_every_default() -> None:
    recipe = read("")
    assert recipe.train.adapter.name == "lora"
    assert [part.name for part in recipe.data.transforms] == ["normalize", "length", "duplicates"]


def test_relative_paths_start_from_the_recipes_folder(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(GOOD)
    assert load(tmp_path / "recipe.yaml").folder == tmp_path
    assert load({"data": {"sources": ["a"]}, "model": {"base": "b"}}).folder == Path()


@pytest.mark.parametrize(
    ("file", "name"),
    [("kefu.yaml", "kefu"), ("faq.v2.yml", "faq.v2"), ("客服助手.yaml", "客服助手"), ("a b.yaml", "a-b")],
)
def test_a_recipe_without_a_name_is_called_like_its_file(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_text(GOOD)
    assert load(tmp_path / file).name == name
    assert load(tmp_path / file, ["name=other"]).name == "other"
    (tmp_path / file).write_text(GOOD + "name: written\n")
    assert load(tmp_path / file).name == "written"


@pytest.mark.parametrize("name", ["../x", "a/b", "'a b'", "-a", "'客：服'"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="name"):
        read(f"name: {name}\n")


def test_a_name_is_kept_composed_and_a_mapping_without_one_is_called_model() -> None:
    assert read("name: cafe\u0301\n").name == "caf\u00e9"
    assert load({"data": {"sources": ["a"]}, "model": {"base": "b"}}).name == "model"


@pytest.mark.parametrize(
    ("text", "value"),
    [("2e-4", 2e-4), ("2.0E-4", 2e-4), (".5", 0.5), ("1", 1.0), ("1e1", 10.0)],
)
def test_numbers_are_read_by_yaml_1_2(text: str, value: float) -> None:
    recipe = read(f"train: {{optimizer: {{adamw: {{learning_rate: {text}}}}}}}")
    assert recipe.spelled()["train"]["optimizer"]["adamw"]["learning_rate"] == value


@pytest.mark.parametrize("text", ["no", "on", "2024-01-01", "1_000", "12:30:45", "007"])
def test_words_that_yaml_1_1_would_turn_into_something_else_stay_words(text: str) -> None:
    assert parse(f"name: {text}", "x").value == {"name": text}


def test_yes_and_no_still_answer_a_question() -> None:
    assert read("evaluate: {baseline: no}").evaluate.baseline is False


def test_a_section_with_every_line_commented_out_has_its_defaults() -> None:
    assert read("train:\n  # max_steps: 5\n  batch:\n").train == read("").train


def test_null_turns_off_what_may_be_off() -> None:
    assert read("train: {stop: null}").train.stop is None


def test_anchors_and_merges_are_fine() -> None:
    recipe = read("train: {batch: &small {size: 4}}\n").train
    merged = parse("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: {<<: [*x, {r: 4}]}\n", "x").value
    assert recipe.batch.size == 4
    assert merged == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "c": {"p": 1, "q": 2, "r": 4}}


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).model.base == "embedded"


def test_chinese_paths_are_kept() -> None:
    assert read("name: faq\nserve: {keys: 钥匙.txt}").serve.keys == "钥匙.txt"


NORMALIZE = "data: {sources: [a], transforms: [normalize]}\nmodel: {base: b}"
CHANGES: list[tuple[str, str, str, str, Any]] = [
    ("a field", "train: {max_length: 64}", "train.max_length=128", "train.max_length", 128),
    ("a section that is not there", "", "train.batch.size=8", "train.batch.size", 8),
    ("a part by name", "", "train.adapter=full", "train.adapter", {"full": {}}),
    ("the default part", "", "train.adapter.lora.r=4", "train.adapter.lora.r", 4),
    ("a part given by name", "train: {adapter: lora}", "train.adapter.lora.r=4", "train.adapter.lora.r", 4),
    ("beside", "train: {adapter: {lora: {r: 3}}}", "train.adapter.lora.lora_alpha=1", "train.adapter.lora.r", 3),
    (
        "another part",
        "train: {schedule: step}",
        "train.schedule.linear.warmup_steps=0",
        "train.schedule.linear.warmup_steps",
        0,
    ),
    ("an item by number", "", "data.sources.0=other.jsonl", "data.sources.0.path", "other.jsonl"),
    ("an item in short form", "", "data.sources.0.limit=5", "data.sources.0.limit", 5),
    ("one more item", "", "data.sources.1=more.jsonl", "data.sources.1.path", "more.jsonl"),
    ("a part of a default list", "", "data.transforms.length.min_chars=9", "data.transforms.1.length.min_chars", 9),
    ("a part by number", "", "data.transforms.1.length.max_chars=9", "data.transforms.1.length.max_chars", 9),
    ("a new part", NORMALIZE, "data.transforms.length.min_chars=3", "data.transforms.1.length.min_chars", 3),
    (
        "a part by name in a list",
        NORMALIZE,
        "data.transforms.normalize.form=NFKC",
        "data.transforms.0.normalize.form",
        "NFKC",
    ),
    ("a mapping", "", "data.sources.0.columns.instruction=Frage", "data.sources.0.columns.instruction", "Frage"),
    ("null", "", "train.stop=null", "train.stop", None),
    ("nothing is null", "", "train.stop=", "train.stop", None),
    ("a list as a value", "", "evaluate.metrics=[chrf]", "evaluate.metrics.0.chrf.beta", 2),
    ("an equals sign in the value", "", "serve.keys=a=b.txt", "serve.keys", "a=b.txt"),
]


@pytest.mark.parametrize(("text", "change", "path", "expected"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_sets(text: str, change: str, path: str, expected: Any) -> None:
    whole = text if text.startswith("data:") else GOOD + text
    value: Any = check(parse(whole, "recipe.yaml"), [change]).spelled()
    for key in path.split("."):
        value = value[int(key) if key.isdigit() else key]
    assert value == expected


def test_later_changes_go_before_earlier_ones() -> None:
    assert read("", "seed=1", "seed=2").seed == 2


def test_changes_can_make_a_whole_recipe_of_an_empty_file() -> None:
    recipe = check(parse("", "empty.yaml"), ["data.sources.0=a.jsonl", "model.base=embedded"])
    assert recipe.data.sources[0].path == "a.jsonl"


def test_a_loaded_mapping_is_not_changed() -> None:
    given: dict[str, Any] = {"data": {"sources": ["a"]}, "model": {"base": "b"}, "train": {"batch": {"size": 2}}}
    load(given, ["train.batch.size=4", "data.sources.0.limit=1"])
    assert given == {"data": {"sources": ["a"]}, "model": {"base": "b"}, "train": {"batch": {"size": 2}}}


def test_a_change_does_not_hide_what_else_is_wrong() -> None:
    with pytest.raises(RecipeError) as raised:
        read("sead: 1", "train.batch.size=0")
    assert len(raised.value.problems) == 2
