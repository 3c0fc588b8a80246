"""``tuneloop lineage``: where an answer or an artifact comes from, and what was made from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options
from tuneloop.cli._facts import brief
from tuneloop.cli._screen import duration, moment, pairs, table

if TYPE_CHECKING:
    from tuneloop.rows import Exchange
    from tuneloop.store import Manifest
    from tuneloop.store.trace import Trace


@click.command("lineage")
@click.argument("name")
@click.option("--down", is_flag=True, help="Also what was made from it.")
@_options.store
@_options.as_json
def command(name: str, down: bool, folder: Path, as_json: bool) -> None:
    """Go back from an answer or artifact to the rows it came from.

    NAME is the id of a served answer (chatcmpl-...), or a ref or id of an artifact.
    """
    from tuneloop import life

    trace = life.lineage(_options.open_store(folder), name)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(trace), indent=2).decode())
        return
    _show(trace, down)


def _show(trace: Trace, down: bool) -> None:
    if trace.exchange is not None:
        _exchange(trace.exchange)
        click.echo()
    known = {manifest.id: manifest for manifest in trace.artifacts}
    names: dict[str, list[str]] = {}
    for ref, id in trace.refs.items():
        names.setdefault(id, []).append(ref)
    if trace.artifacts:
        _tree(trace.artifacts[0], "", known, names, set(), 0)
    if trace.sources:
        click.echo("\nrows it learned from")
        rows = [(f"{source.rows:,}", source.name, source.licence, ", ".join(source.first)) for source in trace.sources]
        table(("rows", "source", "licence", "first"), rows, right=(0,))
    if trace.alike:
        click.echo(f"\nrows that ask the same: {', '.join(trace.alike)}")
    if down:
        click.echo("\nmade from it")
        pairs(
            {f"  {manifest.id}": brief(manifest.kind, manifest.facts) for manifest in trace.made}
            or {"  nothing yet": ""}
        )


def _exchange(exchange: Exchange) -> None:
    messages = exchange.request.get("messages")
    asked = (
        messages[-1].get("content", "") if isinstance(messages, list) and messages else exchange.request.get("prompt")
    )
    click.secho(exchange.id, bold=True)
    pairs(
        {
            "  asked": str(asked),
            "  answer": exchange.response,
            "  when": f"{moment(exchange.time)}, {duration(exchange.latency)}, as {exchange.arm}",
        }
    )


def _tree(
    manifest: Manifest,
    role: str,
    known: dict[str, Manifest],
    names: dict[str, list[str]],
    shown: set[str],
    depth: int,
) -> None:
    """Print an artifact and, indented below it, what it was made from; a second time only its id."""
    refs = f"  ({', '.join(names[manifest.id])})" if manifest.id in names else ""
    lead = f"{'  ' * depth}{f'{role}: ' if role and role != manifest.kind else ''}"
    if manifest.id in shown:
        click.echo(f"{lead}{manifest.id}  (above)")
        return
    shown.add(manifest.id)
    click.echo(f"{lead}{click.style(manifest.id, bold=True)}{refs}  {brief(manifest.kind, manifest.facts)}".rstrip())
    for below, id in manifest.parents.items():
        if id in known:
            _tree(known[id], below, known, names, shown, depth + 1)
