"""``tuneloop doctor``: what this machine can do, what will be slow or fail, and how to mend it."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options

_MARKS = {"good": ("ok", "green"), "slow": ("slow", "yellow"), "bad": ("FAILS", "red"), "note": ("-", None)}


@click.command("doctor")
@_options.store
@_options.as_json
def command(folder: Path, as_json: bool) -> int:
    """Look this machine over: versions, devices, memory, disk.

    Says what will be slow or fail, and how to mend it. Nothing is sent or fetched. The status is 1 when
    something will fail.
    """
    from dataclasses import asdict

    from tuneloop.cli import _machine
    from tuneloop.cli._screen import wide

    found = _machine.look(folder)
    failing = any(each.verdict == "bad" for each in found)
    if as_json:
        _options.print_json([asdict(each) for each in found])
        return int(failing)
    width = max(wide(each.name) for each in found)
    for each in found:
        mark, colour = _MARKS[each.verdict]
        click.echo(f"{click.style(mark.ljust(5), fg=colour)}  {each.name.ljust(width)}  {each.found}")
        if each.mend:
            click.echo(f"{' ' * (9 + width)}{click.style('mend:', dim=True)} {each.mend}")
    counts = {verdict: sum(each.verdict == verdict for each in found) for verdict in ("slow", "bad")}
    click.echo()
    if failing:
        click.echo(f"{counts['bad']} of these will fail until mended")
    elif counts["slow"]:
        click.echo(f"everything works; {counts['slow']} of these cost speed")
    else:
        click.echo("everything is in order")
    return int(failing)
