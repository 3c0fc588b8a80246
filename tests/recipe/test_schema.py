"""The JSON schema for editors says what the recipe takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.recipe import Recipe, load
from tuneloop.recipe.schema import schema
from tuneloop.recipe.written import read

ROOT = Path(__file__).parents[2]
RECIPES = [*sorted(ROOT.glob("recipes/**/*.yaml")), *sorted(ROOT.glob("src/tuneloop/embedded/*.yaml"))]


def fits(value: Any, wanted: dict[str, Any], whole: dict[str, Any]) -> bool:
    """A small validator of the keywords that the schema uses."""
    if "$ref" in wanted:
        return fits(value, whole["$defs"][wanted["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in wanted:
        return any(fits(value, each, whole) for each in wanted["anyOf"])
    if "enum" in wanted or "const" in wanted:
        return value in wanted.get("enum", [wanted.get("const")])
    kind = wanted.get("type")
    if kind == "object":
        if not isinstance(value, dict) or not set(wanted.get("required", [])) <= set(value):
            return False
        known, other = wanted.get("properties", {}), wanted.get("additionalProperties", True)
        return all(
            fits(inner, known[key], whole)
            if key in known
            else (other is True or (bool(other) and fits(inner, other, whole)))
            for key, inner in value.items()
        )
    if kind == "array":
        return isinstance(value, list) and all(fits(item, wanted.get("items", {}), whole) for item in value)
    if kind in ("integer", "number"):
        lowest = wanted.get("minimum", float("-inf"))
        return isinstance(value, int | float) and not isinstance(value, bool) and value >= lowest
    kinds: dict[Any, type] = {"string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, kinds[kind]) if kind in kinds else True


def test_it_is_json_and_refuses_unknown_keys() -> None:
    made = schema()
    assert json.loads(json.dumps(made)) == made
    assert made["additionalProperties"] is False
    assert set(made["properties"]) == set(Recipe.model_fields)


def test_the_help_stands_with_every_option() -> None:
    assert schema()["$defs"]["Batch"]["properties"]["size"]["description"].startswith("Rows per optimizer step")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_recipes_of_this_repository_fit_it(path: Path) -> None:
    made = schema()
    assert fits(read(path).value, made, made)
    assert fits(load(path).spelled(), made, made)


@pytest.mark.parametrize(
    "bad",
    [
        {"model": {"base": "b"}},
        {"data": {"sources": ["a"]}, "model": {"base": "b"}, "sead": 1},
        {"data": {"sources": ["a"]}, "model": {"base": "b"}, "train": {"adapter": "loar"}},
        {"data": {"sources": ["a"]}, "model": {"base": "b"}, "train": {"adapter": {"lora": {"r": 0}}}},
        {"data": {"sources": [{"paht": "a"}]}, "model": {"base": "b"}},
    ],
)
def test_a_bad_recipe_does_not_fit(bad: dict[str, Any]) -> None:
    made = schema()
    assert not fits(bad, made, made)
