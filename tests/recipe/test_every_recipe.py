"""Every recipe that we publish loads: files under recipes/, and YAML blocks in the documentation."""

import re
from pathlib import Path
from typing import Any

import pytest

from tuneloop.recipe import load
from tuneloop.recipe.recipe import Recipe
from tuneloop.recipe.written import parse

ROOT = Path(__file__).parents[2]
FILES = [*sorted(ROOT.glob("recipes/**/*.yaml")), *sorted(ROOT.glob("src/tuneloop/embedded/*.yaml"))]
PAGES = [*sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("README*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}:{page.read_text(encoding='utf-8').count(chr(10), 0, start) + 1}")
    for page in PAGES
    for start, block in (
        (found.start(), found[1])
        for found in re.finditer(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
    if set(re.findall(r"^(\w+):", block, re.MULTILINE)) <= set(Recipe.model_fields)
]


def completed(block: str) -> dict[str, Any]:
    """A part of a recipe, with the two things that every recipe must give."""
    value: dict[str, Any] = parse(block, "block").value
    value["data"] = {"sources": ["rows.jsonl"], **value.get("data", {})}
    value["model"] = {"base": "embedded", **value.get("model", {})}
    return value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_recipe_file_loads(path: Path) -> None:
    recipe = load(path)
    for source in recipe.data.sources:
        made_by_a_script = path.parent.parts[-2:] == ("recipes", "embedded")
        if "://" not in source.path and not made_by_a_script:
            assert list(path.parent.glob(source.path)), f"{source.path} is not there"


@pytest.mark.parametrize("block", BLOCKS)
def test_every_recipe_in_the_documentation_loads(block: str) -> None:
    load(completed(block))
