"""``tuneloop chat``: talk with a model in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options

if TYPE_CHECKING:
    from tuneloop.models.session import Session


@click.command("chat")
@click.argument("name", default="champion")
@_options.store
def command(name: str, folder: Path) -> None:
    """Talk with a model in the terminal.

    NAME is a ref or id, by default the champion. /reset forgets what was said, /quit leaves.
    Lines may also come from a pipe.
    """
    from tuneloop import life

    talk(life.chat(_options.open_store(folder), name))


def talk(session: Session) -> None:
    """Read lines and answer them, until there are no more."""
    asks = sys.stdin.isatty()
    if asks:
        click.secho("/reset forgets what was said, /quit leaves", dim=True)
        _edit_lines()
    while True:
        try:
            text = input("you    ") if asks else next(sys.stdin).rstrip("\n")
        except (EOFError, StopIteration):
            return
        if text.strip() in ("/quit", "/exit"):
            return
        if text.strip() == "/reset":
            session.reset()
            continue
        if text.strip():
            _answer(session, text, asks)


def _answer(session: Session, text: str, asks: bool) -> None:
    if asks:
        click.secho("model  ", bold=True, nl=False)
    try:
        for piece in session.say(text):
            click.echo(piece, nl=False)
    except KeyboardInterrupt:
        if not asks:
            raise
    click.echo()


def _edit_lines() -> None:
    try:
        import readline  # noqa: F401 - gives input() its line editing
    except ImportError:
        return
