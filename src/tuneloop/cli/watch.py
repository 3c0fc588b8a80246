"""``tuneloop watch``: a run's curves in the terminal, while it goes on or afterwards."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options

if TYPE_CHECKING:
    from tuneloop.cli._watched import Watched

_OTHERS_SECONDS = 5.0


@click.command("watch")
@click.argument("name", required=False)
@click.option("--once", is_flag=True, help="Print what there is now, and leave.")
@click.option("--every", default=1.0, show_default=True, metavar="SECONDS", help="How often to look.")
@_options.store
def command(name: str | None, once: bool, every: float, folder: Path) -> None:
    """Show a run's curves, figures, findings and the time left.

    Sample answers too, and what else is going on in the store.
    NAME is a run (recipe or its file, ref or id, such as faq), or a folder of runs or of one run, on a mounted disk of
    another machine too; by default the run in progress, or else the latest one.
    """
    from tuneloop.cli._watched import find
    from tuneloop.errors import StoreError

    watched = find(folder, name)
    if watched is None and once:
        raise StoreError("no run has begun here", where=name or str(folder), fix="start one: tuneloop train RECIPE")
    if watched is None:
        click.echo(f"waiting for {f'a run {name}' if name else 'a run'} to begin in {folder} (Ctrl-C leaves)", err=True)
    while watched is None:
        time.sleep(every)
        watched = find(folder, name)
    watched.look()
    if once or watched.finished:
        _list(watched)
        click.echo("\n".join(watched.frame()))
    elif sys.stdout.isatty():
        _draw(watched, every)
    else:
        _tell(watched, every)


def _list(watched: Watched) -> None:
    """Say what else is going on beside the run that is shown."""
    from tuneloop.cli._watched import others

    for other in others(watched):
        click.echo(f"also going on: {other.brief()}", err=True)


def _draw(watched: Watched, every: float) -> None:
    """Draw the frame again and again in place, until the run is over or somebody leaves."""
    from rich.live import Live
    from rich.text import Text

    from tuneloop.cli._screen import console
    from tuneloop.cli._watched import others

    looked = 0.0
    beside: list[str] = []
    try:
        with Live(console=console(), auto_refresh=False) as live:
            while True:
                if time.monotonic() - looked > _OTHERS_SECONDS:
                    looked, found = time.monotonic(), others(watched)
                    beside = (
                        ["", "also going on (tuneloop watch NAME):", *(each.brief() for each in found)] if found else []
                    )
                live.update(Text("\n".join([*watched.frame(), *beside])), refresh=True)
                if watched.finished:
                    return
                time.sleep(every)
    except KeyboardInterrupt:
        return


def _tell(watched: Watched, every: float) -> None:
    """Print a line whenever there are new figures or another state, and the whole frame at the end."""
    state = ""
    if watched.history.last:
        click.echo(watched.line())
    while not watched.finished:
        if watched.look() and not watched.finished:
            click.echo(f"cannot be read at present: {watched.away}" if watched.away else watched.line())
        if watched.state != state:
            state = watched.state
            if state in ("stopped", "failed"):
                click.echo(f"{state} after step {watched.step:,}; still looking (Ctrl-C leaves)", err=True)
        time.sleep(every)
    click.echo("\n".join(watched.frame()))
