"""``tuneloop runs``: what the store holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options
from tuneloop.cli._facts import brief
from tuneloop.cli._screen import moment, table

if TYPE_CHECKING:
    from tuneloop.store import Manifest

KINDS = ("dataset", "run", "model", "report", "bundle", "release", "study")


@click.command("runs")
@click.option("--kind", type=click.Choice(KINDS), help="Only this kind.")
@_options.store
@_options.as_json
def command(kind: str | None, folder: Path, as_json: bool) -> None:
    """List what the store holds.

    Every dataset, run, model, report, bundle, release and study, with the refs that point at it.
    """
    store = _options.open_store(folder)
    names: dict[str, list[str]] = {}
    for ref, id in store.refs.all().items():
        names.setdefault(id, []).append(ref)
    found = [manifest for manifest in store.artifacts() if kind in (None, manifest.kind)]
    if as_json:
        _options.print_json([_plain(manifest, names.get(manifest.id, [])) for manifest in found])
        return
    if not found:
        click.echo("the store is empty; tuneloop demo or tuneloop run RECIPE fills it")
        return
    rows = [
        (_short(each.id), moment(each.created), ", ".join(names.get(each.id, [])), brief(each.kind, each.facts))
        for each in found
    ]
    table(("id", "made", "refs", "facts"), rows)


def _plain(manifest: Manifest, refs: list[str]) -> dict[str, Any]:
    return {
        "id": manifest.id,
        "kind": manifest.kind,
        "created": manifest.created,
        "parents": manifest.parents,
        "refs": refs,
        "facts": manifest.facts,
    }


def _short(id: str) -> str:
    """The shortest beginning that people copy: kind and eight digits."""
    kind, _, digits = id.partition("-")
    return f"{kind}-{digits[:8]}"
