"""Explanations come from the classes, for every path there is."""

import pytest

from tuneloop.errors import RecipeError
from tuneloop.recipe import load
from tuneloop.recipe.explain import explain
from tuneloop.recipe.names import everywhere, foreign
from tuneloop.recipe.written import parse

PATHS = sorted({path for paths in everywhere().values() for path in paths})


def test_an_option_is_explained_with_type_default_range_and_other_names() -> None:
    found = explain("train.adapter.lora.r")
    assert (found.value, found.default) == ("a whole number, 1 or more", "8")
    assert found.help.startswith("Rank")
    assert "LLaMA-Factory, ms-swift: `lora_rank`" in found.others


@pytest.mark.parametrize("path", PATHS)
def test_every_option_has_help_and_can_be_explained(path: str) -> None:
    found = explain(path)
    assert found.path == path
    assert found.help
    assert found.value or found.options


@pytest.mark.parametrize("path", [path for path in PATHS if explain(path).example])
def test_every_example_is_a_recipe_that_loads(path: str) -> None:
    value = parse(explain(path).example, path).value
    value["data"] = {"sources": ["rows.jsonl"], **value.get("data", {})}
    value["model"] = {"base": "embedded", **value.get("model", {})}
    load(value)


def test_a_section_lists_its_options_and_a_family_its_parts() -> None:
    assert [name for name, _, _ in explain("train.batch").options][:2] == ["size", "per_device_train_batch_size"]
    assert {"lora", "full"} <= {name for name, _ in explain("train.adapter").parts}
    assert [name for name, _, _ in explain().options][:4] == ["name", "seed", "data", "model"]


def test_a_bare_name_and_another_tools_name_lead_to_the_path() -> None:
    assert explain("lora_alpha").path == "train.adapter.lora.lora_alpha"
    assert explain("cutoff_len").path == "train.max_length"


def test_a_name_that_means_several_options_asks_which() -> None:
    with pytest.raises(RecipeError, match="several") as raised:
        explain("patience")
    assert "train.stop.patience" in raised.value.problems[0].fix


def test_a_path_that_is_not_there_gets_a_hint() -> None:
    with pytest.raises(RecipeError) as raised:
        explain("train.bach.size")
    assert "batch" in raised.value.problems[0].fix


@pytest.mark.parametrize("name", sorted(foreign()))
def test_every_foreign_name_leads_to_an_option_that_exists_or_says_why_not(name: str) -> None:
    known = foreign()[name]
    assert explain(known.path).path == known.path if known.path else known.note
    if known.path.rpartition(".")[2] == name:
        pytest.fail("the name is our own: no translation is needed")
