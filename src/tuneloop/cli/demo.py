"""``tuneloop demo``: the whole life of the small model that comes with the package."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working
from tuneloop.cli._screen import duration, figure
from tuneloop.monitoring.peak import peak_bytes

if TYPE_CHECKING:
    from tuneloop.store import Report


@click.command("demo")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to a file.")
@click.option("--chat/--no-chat", default=True, help="Whether to offer a chat at the end (on a terminal only).")
@_options.changes
@_options.store
def command(file: Path | None, chat: bool, changes: tuple[str, ...], folder: Path) -> None:
    """Tune the small model of the package, offline, in minutes.

    It learns to turn messages in English and Chinese into JSON: base against tuned on held-out rows, a
    report, and a chat.
    """
    from tuneloop import embedded, life
    from tuneloop.store.disk import writing

    if file is not None:
        with writing(file):
            file.write_text("", encoding="utf-8")  # what cannot be written is told now, not after minutes of work
    began = time.monotonic()
    recipe = _options.read(embedded.recipe(), changes)
    store = _options.open_store(folder, make=True)
    with working() as progress:
        done = life.run(recipe, store, progress)
    seconds = time.monotonic() - began
    peak = peak_bytes() / 1e6
    _told.scores(done.report)
    _samples(done.report)
    click.echo(f"\n{duration(seconds)}, {figure(round(peak))} MB at most")
    if file is not None:
        file.write_text(json.dumps(_figures(done.report, seconds, peak), indent=2) + "\n", encoding="utf-8")
    click.echo(f"chat with it:   tuneloop chat {recipe.name}/champion{_options.said(folder)}")
    click.echo("your own rows:  tuneloop new rows.jsonl")
    if chat and sys.stdin.isatty() and sys.stdout.isatty() and click.confirm("\nchat with it now?", default=True):
        from tuneloop.cli.chat import talk

        talk(life.chat(store, f"{recipe.name}/champion"))


def _samples(report: Report) -> None:
    from tuneloop.store.kinds import read_json

    for sample in read_json(report.folder / "report.json")["samples"][:3]:
        click.echo()
        for name, field in (("asked", "prompt"), ("right", "reference"), ("base", "base"), ("tuned", "tuned")):
            click.echo(f"{click.style(name.ljust(6), dim=True)} {_one_line(sample[field])}")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:197] + "..."


def _figures(report: Report, seconds: float, peak: float) -> dict[str, Any]:
    scores = report.scores
    return {
        "base_exact_match": scores["base"]["exact_match"]["mean"],
        "tuned_exact_match": scores["tuned"]["exact_match"]["mean"],
        "seconds": round(seconds, 1),
        "peak_mb": round(peak),
        "report": str((report.folder / "report.html").absolute()),
    }
