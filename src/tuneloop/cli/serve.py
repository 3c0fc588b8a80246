"""``tuneloop serve``: an OpenAI-compatible service."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from tuneloop.cli import _options


@click.command("serve")
@_options.recipe
@click.argument("name", required=False)
@_options.changes
@_options.store
def command(recipe: Path, name: str | None, changes: tuple[str, ...], folder: Path) -> None:
    """Serve the champion to any OpenAI client, until Ctrl-C.

    NAME is a ref, release or model to serve instead. The service follows a ref when it moves.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life

    def ready(address: str) -> None:
        click.echo(f"serving {name or f'{read.name}/champion'} at {address}")
        click.echo(f"  OpenAI clients: base_url={address.rstrip('/')}/v1   stop: Ctrl-C")

    switches = logging.getLogger("tuneloop.serving.serve")
    switches.setLevel(logging.INFO)
    switches.addHandler(_Told())
    life.serve(read, _options.open_store(folder), name, ready)


class _Told(logging.Handler):
    """Prints what the service says of itself: that it answers with another model now, or why it does not."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage())
