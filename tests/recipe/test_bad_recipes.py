"""Every kind of bad recipe gives a message that says what, where and how to mend it."""

from pathlib import Path

import pytest

from tuneloop.errors import Problem, RecipeError
from tuneloop.recipe import load

GOOD = "data: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n"

# name, text of the recipe, --set changes, what is said, where, how to mend it (pieces of each)
KINDS = [
    ("empty file", "", [], "empty", "bad.yaml", "data: {sources: [rows.jsonl]}"),
    ("only comments", "# nothing\n", [], "empty", "bad.yaml", "the smallest recipe"),
    ("a list", "- a\n- b\n", [], "a list of 2, not a block of sections", "bad.yaml:1", "the smallest recipe"),
    ("one word", "hello\n", [], "hello (text), not a block", "bad.yaml:1", "the smallest recipe"),
    ("open bracket", GOOD + "train: {batch: [\n", [], "not YAML", "bad.yaml:4", "check indentation"),
    ("tab", "data:\n\tsources: [a]\n", [], "a tab is used for indentation", "bad.yaml:2", "spaces"),
    ("colon in text", "name: a: b\n", [], "mapping values", "bad.yaml:1", "quotes"),
    (
        "two documents",
        GOOD + "---\nname: b\n",
        [],
        "more than one YAML document",
        "bad.yaml:3",
        "remove the line `---`",
    ),
    ("unknown anchor", GOOD + "name: *who\n", [], "undefined alias", "bad.yaml:3", "anchor"),
    ("python tag", GOOD + "name: !!python/name:os.system\n", [], "not YAML", "bad.yaml:3", "remove the tag"),
    ("endless alias", "data: &a {x: *a}\n", [], "repeats itself", "bad.yaml:1", "remove the alias"),
    ("key twice", GOOD + "seed: 1\nseed: 2\n", [], "'seed' is given twice", "bad.yaml:4 seed", "line 3"),
    ("block as key", GOOD + "{a: b}: c\n", [], "a key must be a word", "bad.yaml:3", "`key: value`"),
    ("no sources", "model: {base: embedded}\n", [], "`data.sources` is missing", "bad.yaml:1", "sources: [rows.jsonl]"),
    (
        "no base",
        "data: {sources: [a]}\nmodel:\n",
        [],
        "`model.base` is missing",
        "bad.yaml:2 model.base",
        "base: embedded",
    ),
    (
        "no source at all",
        "data: {sources: []}\nmodel: {base: b}\n",
        [],
        "a list of 0",
        "bad.yaml:1 data.sources",
        "rows.jsonl",
    ),
    (
        "source without path",
        "model: {base: b}\ndata:\n  sources:\n    - {limit: 3}\n",
        [],
        "`data.sources.0.path`",
        ":4",
        "path",
    ),
    ("misspelt section", GOOD + "trian: {}\n", [], "unknown key `trian`", "bad.yaml:3 trian", "did you mean `train`?"),
    (
        "misspelt option",
        GOOD + "train:\n  max_lenght: 8\n",
        [],
        "`max_lenght`",
        "bad.yaml:4",
        "did you mean `max_length`?",
    ),
    (
        "LLaMA-Factory's name",
        GOOD + "lora_rank: 8\n",
        [],
        "unknown key `lora_rank`",
        "bad.yaml:3 lora_rank",
        "LLaMA-Factory and ms-swift call this `lora_rank`; here it is `train.adapter.lora.r`",
    ),
    (
        "Axolotl's name",
        GOOD + "train: {micro_batch_size: 2}\n",
        [],
        "micro_batch_size",
        ":3",
        "per_device_train_batch_size`",
    ),
    (
        "a name for what is not there",
        GOOD + "output_dir: x\n",
        [],
        "output_dir",
        ":3",
        "no such option (the store keeps",
    ),
    (
        "right name, wrong place",
        GOOD + "train: {learning_rate: 1}\n",
        [],
        "`learning_rate`",
        ":3",
        "optimizer.adamw.learning_rate",
    ),
    (
        "unknown part",
        GOOD + "train: {schedule: cosin}\n",
        [],
        "no part 'cosin'",
        ":3 train.schedule",
        "did you mean `cosine`?",
    ),
    (
        "unknown part, nothing near",
        GOOD + "task: zzz\n",
        [],
        "no part 'zzz'",
        ":3 task",
        "known: distillation, preference, pretrain, sft",
    ),
    (
        "two parts",
        GOOD + "train:\n  adapter: {lora: {}, full: {}}\n",
        [],
        "names 2 parts: lora, full",
        ":4",
        "keep one",
    ),
    (
        "options without a part",
        GOOD + "train: {adapter: {r: 4}}\n",
        [],
        "does not name its part",
        ":3",
        "`adapter: {lora: {r: 4}}`",
    ),
    (
        "part by type",
        GOOD + "train: {adapter: {type: lora, r: 4}}\n",
        [],
        "does not name",
        ":3",
        "`adapter: {lora: {r: 4}}`",
    ),
    (
        "list for a part",
        GOOD + "task: [sft]\n",
        [],
        "a list of 1, not a part",
        "bad.yaml:3 task",
        "{name: {option: value}}",
    ),
    (
        "empty part in a list",
        "data: {sources: [a], transforms: [~]}\nmodel: {base: b}\n",
        [],
        "is empty",
        ":1",
        "normalize",
    ),
    (
        "part's option misspelt",
        GOOD + "train:\n  adapter:\n    lora:\n      lora_alfa: 1\n",
        [],
        "lora_alfa",
        ":6",
        "`lora_alpha`",
    ),
    ("text for a number", GOOD + "train: {batch: {size: many}}\n", [], "many (text)", ":3", "for example `size: 16`"),
    ("number for a text", GOOD + "name: 12\n", [], "12 (a whole number); it must be text", ":3 name", '`name: "12"`'),
    (
        "yes for a number",
        GOOD + "seed: true\n",
        [],
        "true (true or false)",
        "bad.yaml:3 seed",
        "for example `seed: 42`",
    ),
    (
        "fraction for a whole number",
        GOOD + "train: {max_steps: 1.5}\n",
        [],
        "1.5 (a number)",
        ":3",
        "for example `max_steps: 1`",
    ),
    ("too small", GOOD + "train:\n  adapter: {lora: {r: 0}}\n", [], "0 (a whole number)", ":4", "for example `r: 8`"),
    ("out of range", GOOD, ["data.split.test=1.5"], "less than 1", "--set data.split.test=1.5", "test: 0.1"),
    (
        "not one of",
        GOOD + "train: {precision: b16}\n",
        [],
        "one of auto, fp32, bf16, fp16",
        ":3",
        "did you mean `bf16`?",
    ),
    (
        "one for a list",
        "data: {sources: rows.jsonl}\nmodel: {base: b}\n",
        [],
        "it must be a list",
        ":1",
        "`sources: [rows.jsonl]`",
    ),
    (
        "value for a section",
        "data: {sources: [a]}\nmodel: gpt2\n",
        [],
        "gpt2 (text)",
        ":2 model",
        "`model: {base: gpt2}`",
    ),
    (
        "null for a section's option",
        GOOD + "train: {batch: {size: }}\n",
        [],
        "is empty",
        ":3",
        "for example `size: 16`",
    ),
    ("wrong length", GOOD + "train: {optimizer: {adamw: {betas: [0.9]}}}\n", [], "a list of 2", ":3", "[0.9, 0.999]"),
    (
        "choice of types",
        GOOD + "train: {adapter: {lora: {target_modules: 3}}}\n",
        [],
        "3 (a whole number)",
        ":3",
        "all-linear",
    ),
    ("bad name", GOOD + "name: my model\n", [], "my model (text)", "bad.yaml:3 name", "for example `name: model`"),
    (
        "two that do not fit",
        GOOD,
        ["train.batch.per_device_train_batch_size=99"],
        "larger than size 16",
        "--set",
        "explain train.batch",
    ),
    (
        "change into a part",
        GOOD,
        ["train.adapter.r=4"],
        "does not name its part",
        "--set train.adapter.r=4",
        "{lora: {r: 4}}",
    ),
    (
        "two parts in an item",
        GOOD,
        ["evaluate.metrics=[{chrf: {}, rouge_l: {}}]"],
        "names 2 parts",
        "--set",
        "an item of its own",
    ),
    ("no change", GOOD, ["seed"], "'seed' is no change", "--set seed", "--set train.batch.size=8"),
    ("change that is no YAML", GOOD, ["name=[a"], "'[a' cannot be read", "--set name=[a", "quote it"),
    (
        "item past the end",
        GOOD,
        ["data.sources.7.path=a"],
        "no item 7: the list has 1",
        "--set data.sources.7",
        "data.sources.0",
    ),
    ("no such item", GOOD, ["data.transforms.nonsense.x=1"], "nonsense", "--set data.transforms", "fix"),
    ("change of an unknown key", GOOD, ["train.lr=1"], "unknown key `lr`", "--set train.lr=1", "learning_rate"),
]


def problems(tmp_path: Path, text: str, changes: list[str]) -> list[Problem]:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as raised:
        load(path, changes)
    return list(raised.value.problems)


@pytest.mark.parametrize(("text", "changes", "what", "where", "fix"), [k[1:] for k in KINDS], ids=[k[0] for k in KINDS])
def test_a_bad_recipe_is_told_what_where_and_fix(
    tmp_path: Path, text: str, changes: list[str], what: str, where: str, fix: str
) -> None:
    found = problems(tmp_path, text, changes)
    fitting = [p for p in found if what in p.what and where in p.where and (fix in p.fix or fix == "fix")]
    assert fitting, "\n".join(map(str, found))
    assert all(p.what and p.where and p.fix for p in found)


def test_every_problem_is_told_at_once_and_in_order(tmp_path: Path) -> None:
    text = "seed: -1\ndata:\n  sorces: [a]\ntrain:\n  adapter: {lora: {r: 0, lora_alfa: 2}}\n  batch: {size: 0}\n"
    found = problems(tmp_path, text, ["evaluate.limit=0"])
    assert {p.where.rpartition(" ")[2] for p in found} == {
        "seed", "model.base", "data.sources", "data.sorces", "train.adapter.lora.r", "train.adapter.lora.lora_alfa",
        "train.batch.size", "evaluate.limit=0",
    }  # fmt: skip
    lines = [int(p.where.split(":")[1].split()[0]) for p in found if "bad.yaml:" in p.where]
    assert lines == sorted(lines)


def test_a_missing_file_names_the_recipes_beside_it(tmp_path: Path) -> None:
    (tmp_path / "faq.yaml").write_text(GOOD)
    with pytest.raises(RecipeError, match="no such recipe") as raised:
        load(tmp_path / "fag.yaml")
    assert "faq.yaml" in raised.value.problems[0].fix


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="folder"):
        load(tmp_path)


def test_a_file_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes("name: a\n# 中文\n".encode("gb18030"))
    with pytest.raises(RecipeError, match="not UTF-8") as raised:
        load(path)
    assert raised.value.problems[0].where.endswith(":2")
    assert "iconv" in raised.value.problems[0].fix


def test_a_control_character_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"name: a\nseed: \x07\n")
    with pytest.raises(RecipeError, match="may not stand in YAML") as raised:
        load(path)
    assert raised.value.problems[0].where.endswith(":2")


def test_a_mapping_from_python_is_told_by_its_path() -> None:
    with pytest.raises(RecipeError, match=r"train\.batch\.size") as raised:
        load({"data": {"sources": ["a"]}, "model": {"base": "b"}, "train": {"batch": {"size": 0}}})
    assert raised.value.problems[0].where == "recipe train.batch.size"
