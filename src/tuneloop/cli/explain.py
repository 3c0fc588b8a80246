"""``tuneloop explain``: what an option of the recipe does."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options

if TYPE_CHECKING:
    from tuneloop.recipe.explain import Explanation


@click.command("explain")
@click.argument("path", default="")
@click.option("--schema", is_flag=True, help="Print the JSON schema of the whole recipe, for editors.")
@_options.as_json
def command(path: str, schema: bool, as_json: bool) -> None:
    """Say what an option, section or part of the recipe does.

    PATH is a path such as train.adapter.lora.r, an option's bare name, or another tool's name for it.
    Without PATH the sections are listed.
    """
    if schema:
        from tuneloop.recipe.schema import schema as make

        _options.print_json(make())
        return
    from tuneloop.recipe.explain import explain

    found = explain(path)
    _options.print_json(asdict(found)) if as_json else _show(found)


def _show(found: Explanation) -> None:
    from tuneloop.cli._screen import table

    click.secho(found.path or "recipe", bold=True)
    for paragraph in found.help.splitlines():
        click.echo(f"  {paragraph}".rstrip())
    facts = {"value": found.value, "default": found.default, "others": "; ".join(found.others)}
    for name, text in facts.items():
        if text:
            click.echo(f"  {name.ljust(8)} {text}")
    if found.example:
        click.echo("  example")
        click.echo("\n".join(f"    {line}" for line in found.example.splitlines()))
    if found.options:
        click.echo()
        table(("option", "default", "what it does"), found.options)
    if found.parts:
        click.echo()
        table(("part", "what it is"), found.parts)
