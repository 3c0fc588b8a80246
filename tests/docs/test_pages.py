"""What the pages written by hand name is there: commands, their options, options of a recipe, pieces of Python."""

import ast
import re
from pathlib import Path

import click
import pytest

from tuneloop.cli import commands
from tuneloop.recipe.explain import explain
from tuneloop.recipe.recipe import Recipe

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*.md"))]
MADE = {"recipe.md", "commands.md", "log.md"}
WRITTEN = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if page.name not in MADE]
SECTIONS = "|".join(name for name in Recipe.model_fields if name not in ("name", "seed"))
NO_OPTION = re.compile(r"\.(generate|json|safetensors|parquet|md|py)$")


def code(page: Path) -> list[str]:
    """The pieces of a page that are set as code: spans, and the lines of shell blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [*spans, *(line.partition(" #")[0] for block in blocks for line in block.splitlines())]


@pytest.mark.parametrize("page", WRITTEN)
def test_every_command_is_one_and_takes_the_options_shown(page: Path) -> None:
    context = click.Context(commands)
    unknown = []
    for piece in code(page):
        for words in re.findall(r"(?:^|&& |; )tuneloop ([a-z].*)", piece):
            command = commands.get_command(context, words.split()[0])
            if command is None:
                unknown.append(words)
                continue
            if isinstance(command, click.Group) and len(words.split()) > 1:
                command = command.commands.get(words.split()[1], command)
            known = {"--help", *(name for option in command.params for name in (*option.opts, *option.secondary_opts))}
            unknown += [f"{words}: {option}" for option in re.findall(r"--[a-z-]+", words) if option not in known]
    assert unknown == []


@pytest.mark.parametrize("page", WRITTEN)
def test_every_option_of_a_recipe_that_is_named_is_there(page: Path) -> None:
    for piece in code(page):
        found = re.fullmatch(rf"((?:{SECTIONS})\.[a-z_]+(?:\.[a-z_]+)*)(: .*)?", piece)
        if found and not NO_OPTION.search(found[1]):
            assert explain(found[1]), piece


@pytest.mark.parametrize("page", WRITTEN)
def test_every_piece_of_python_can_be_read(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        ast.parse(block)
