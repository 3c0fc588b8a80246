"""What ``push`` and ``pull`` have in common: their options, the way, and what they say in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options
from tuneloop.cli._progress import working
from tuneloop.cli._screen import size

if TYPE_CHECKING:
    from tuneloop.store import Store
    from tuneloop.store.remote import Sent


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of both commands."""
    for option in (
        click.option("--verify", is_flag=True, help="Read again what is there already, and mend what is damaged."),
        click.option("--force", is_flag=True, help="Move refs that were moved on both sides, too."),
        click.option("--only", is_flag=True, help="Leave out what they were made from."),
    ):
        command = option(command)
    return command


def go(store: Store, remote: Path, names: Sequence[str], how: Mapping[str, bool], *, back: bool) -> Sent:
    """Copy between a store and a remote.

    Args:
        store: The store.
        remote: Folder of another store, or of a Git work tree with DVC.
        names: What to copy.
        how: The options.
        back: From the remote into the store.
    """
    from tuneloop.store import dvc
    from tuneloop.store.remote import transfer

    names = [_options.name_of(name) for name in names]
    with working() as progress:
        started = False

        def told(done: int, total: int) -> None:
            nonlocal started
            if not started:
                progress.start("copying (MiB)", total >> 20)
                started = True
            progress.advance(done >> 20)

        if dvc.is_work_tree(remote):
            act = dvc.pull if back else dvc.push
            return act(store, remote, names, told=told, note=progress.note, **how)
        if back:
            return transfer(_options.open_store(remote), store, names, told=told, **how)
        return transfer(store, _options.open_store(remote, make=True), names, told=told, **how)


def show(sent: Sent, as_json: bool, verb: str) -> None:
    """Say what was copied and which refs moved."""
    if as_json:
        from dataclasses import asdict

        _options.print_json(asdict(sent))
        return
    for id in sent.copied:
        click.echo(f"{verb} {id}")
    for id in sent.mended:
        click.secho(f"mended {id}: the copy there was damaged", fg="yellow")
    for ref, id in sent.moved.items():
        click.echo(f"{ref} -> {id}")
    for ref, id in sent.ahead.items():
        click.echo(f"{ref} stays: it stands further there, at {id}")
    count = len(sent.copied) + len(sent.mended)
    click.echo(f"{count} {verb} ({size(sent.size)}), {len(sent.present)} there already, {len(sent.moved)} refs moved")
