"""A resolved recipe, spelled out with comments, loads back to the equal recipe."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.recipe import Recipe, load
from tuneloop.recipe.load import check
from tuneloop.recipe.spell import spell
from tuneloop.recipe.written import Dumper, Loader, flow, parse

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
PART = {
    "lora": st.fixed_dictionaries({}, optional={"r": st.integers(1, 64), "target_modules": st.lists(TEXT, min_size=1)}),
    "full": st.just({}),
}
TRANSFORMS = st.lists(
    st.one_of(
        st.sampled_from(["normalize", "duplicates"]),
        st.builds(lambda low: {"length": {"min_chars": low}}, st.integers(0, 99)),
    ),
    max_size=4,
)
SOURCES = st.lists(st.one_of(TEXT, st.fixed_dictionaries({"path": TEXT, "licence": TEXT})), min_size=1, max_size=3)
ADAPTERS = st.sampled_from(sorted(PART)).flatmap(lambda name: st.builds(lambda options: {name: options}, PART[name]))
RECIPES = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"sources": SOURCES},
            optional={"transforms": TRANSFORMS, "split": st.just({"validation": 0.2, "test": 0.0})},
        ),
        "model": st.fixed_dictionaries({"base": TEXT}, optional={"chat_template": st.none() | TEXT}),
    },
    optional={
        "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}", fullmatch=True),
        "train": st.fixed_dictionaries(
            {},
            optional={
                "adapter": ADAPTERS,
                "optimizer": st.builds(lambda rate: {"sgd": {"learning_rate": rate}}, st.floats(1e-12, 1e9)),
                "stop": st.none() | st.just({"patience": 9}),
                "max_grad_norm": st.none() | st.floats(1e-3, 10),
            },
        ),
        "monitor": st.fixed_dictionaries({"sample_prompts": st.lists(TEXT, max_size=3)}),
    },
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(RECIPES)
def test_a_spelled_recipe_loads_back_equal(raw: dict[str, Any]) -> None:
    recipe = load(raw)
    assert check(parse(spell(recipe), "spelled.yaml")) == recipe


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT, st.lists, max_leaves=5)
)
def test_values_read_back_the_same_by_yaml_1_2_and_1_1(value: Any) -> None:
    text = flow(value)
    assert "\n" not in text
    assert yaml.load(text, Loader) == value
    assert yaml.safe_load(text) == value


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        ["no", "yes", "2e-4", "1e3", "null", "~", "true", "0o7", "1:30", "2024-01-01", "=", "<<", "*a", "&a"]
    )
)
def test_words_that_look_like_values_are_quoted(word: str) -> None:
    assert yaml.load(yaml.dump(word, Dumper=Dumper), Loader) == word


def test_every_option_has_its_help_beside_it() -> None:
    text = spell(load({"data": {"sources": ["a"]}, "model": {"base": "b"}}))
    for name in Recipe.model_fields:
        assert any(line.startswith(f"{name}:") and "#" in line for line in text.splitlines()), name
