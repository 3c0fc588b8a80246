"""A space that the recipe cannot take is refused when it is loaded, at its place and with a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import Problem, RecipeError
from tuneloop.recipe import load

RECIPE = "data: {sources: [x.jsonl]}\nmodel: {base: embedded}\ntune:\n  space:\n"


def problems(space: dict[str, Any]) -> tuple[Problem, ...]:
    with pytest.raises(RecipeError) as caught:
        load({"data": {"sources": ["x.jsonl"]}, "model": {"base": "embedded"}, "tune": {"space": space}})
    return caught.value.problems


@pytest.mark.parametrize(
    ("space", "what", "fix"),
    [
        ({"train.batch.sise": [8]}, "has no `train.batch.sise`", "`size`"),
        ({"lr": [1e-3]}, "has no `lr`", "train.optimizer.adamw.learning_rate"),
        ({"train.batch.size": [8, "x"]}, "cannot be x", "size: 16"),
        ({"train.batch.size": {"log": [4, 64]}}, "a whole number", "write {int: [4, 64], log: true}"),
        ({"train.adapter.lora.r": {"int": [0, 4]}}, "cannot be 0", "r: 8"),
        ({"train.optimizer": ["adamw", "adamww"]}, "no part 'adamww'", "`adamw`"),
        ({"evaluate.limit": [3]}, "does not change what is learned", "train"),
        ({"train.batch": [8]}, "a block of options", "train.batch.size"),
        ({"train.batch.size": [8, 16, 8]}, "has 8 twice", "out"),
        ({"train.optimizer": ["adamw"], "train.optimizer.sgd.momentum": [0.9]}, "never counts", "add `sgd`"),
        ({"train.batch.size": [4], "train.batch.per_device_train_batch_size": [99]}, "larger than size", "change"),
    ],
)
def test_what_the_recipe_cannot_take_is_refused(space: dict[str, Any], what: str, fix: str) -> None:
    (problem,) = problems(space)
    assert what in problem.what and fix in problem.fix and "tune.space" in problem.where


def test_options_of_two_parts_need_the_choice_to_be_varied_too() -> None:
    space = {"train.optimizer.adamw.learning_rate": [1e-3], "train.optimizer.sgd.momentum": [0.9]}
    assert "train.optimizer: [adamw, sgd]" in problems(space)[0].fix
    load(
        {
            "data": {"sources": ["x"]},
            "model": {"base": "y"},
            "tune": {"space": {"train.optimizer": ["adamw", "sgd"], **space}},
        }
    )


def test_the_line_of_a_dimension_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE + "    seed: [1, 2]\n    train.batch.sise: [8]\n")
    with pytest.raises(RecipeError) as caught:
        load(path)
    assert "r.yaml:6" in caught.value.problems[0].where


def test_a_space_may_be_written_as_changes_of_the_command_line() -> None:
    recipe = load(
        {"data": {"sources": ["x"]}, "model": {"base": "y"}},
        ["tune.space.train.batch.size=[8, 16]", "tune.space.train.optimizer.adamw.learning_rate={log: [1e-5, 1e-3]}"],
    )
    assert list(recipe.tune.space) == ["train.batch.size", "train.optimizer.adamw.learning_rate"]


def test_any_place_of_what_is_learned_is_a_dimension() -> None:
    space = {
        "seed": [1, 2],
        "data.transforms.length.min_chars": [5, 10],
        "model.base": ["embedded", "other"],
        "task": ["sft", {"sft": {"learn_from": "last"}}],
        "train.stop": [None, {"patience": 2}],
        "train.adapter.lora.target_modules": ["all-linear", ["q_proj", "v_proj"]],
        "train.max_grad_norm": {"float": [0.1, 2]},
    }
    assert list(
        load({"data": {"sources": ["x"]}, "model": {"base": "y"}, "tune": {"space": space}}).tune.space
    ) == list(space)


def test_what_takes_no_signal_on_its_way_cannot_be_halved() -> None:
    with pytest.raises(RecipeError, match="at the end only"):
        load({"data": {"sources": ["x"]}, "model": {"base": "y"}, "tune": {"search": "asha", "metric": "exact_match"}})
