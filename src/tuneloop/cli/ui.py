"""``tuneloop ui``: runs as pages in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options


@click.command("ui")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; by default the first free from 7870 on.")
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@_options.store
def command(folders: tuple[Path, ...], port: int | None, opened: bool, folder: Path) -> None:
    """Show runs in a browser: live curves, findings, comparison.

    FOLDERS are more stores, or folders of runs, on a mounted disk of another machine too. The pages only read, work
    offline, and answer to this machine alone; from elsewhere, use ssh -L PORT:127.0.0.1:PORT.
    """
    from tuneloop.looking.look import Looking

    if folder.is_dir() or not folders:
        folders = (_options.open_store(folder).root, *folders)

    def ready(address: str) -> None:
        click.echo(f"runs are shown at {address}   stop: Ctrl-C")
        if opened:
            click.launch(address)

    Looking(folders, port).run(ready)
