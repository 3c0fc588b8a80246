"""``tuneloop show``: one artifact, or the refs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options
from tuneloop.cli._facts import spread
from tuneloop.cli._screen import moment, pairs, size, table
from tuneloop.monitoring.proof import lines

if TYPE_CHECKING:
    from tuneloop.store import Artifact, Store


@click.command("show")
@click.argument("name", required=False)
@click.option("--log", is_flag=True, help="The moves of a ref: what it pointed at, who moved it, when and why.")
@click.option("--verify", is_flag=True, help="Compare every file with its digest.")
@_options.store
@_options.as_json
def command(name: str | None, log: bool, verify: bool, folder: Path, as_json: bool) -> None:
    """Show one artifact, or all refs.

    NAME is a ref or id: what it is, what it was made from, who points at it. Without NAME the refs are listed.
    """
    store = _options.open_store(folder)
    if log:
        _log(store, name, as_json)
    elif name is None:
        _refs(store, as_json)
    else:
        if verify:
            store.verify(name)
        artifact = store.open(name)
        _options.print_json(_plain(store, artifact)) if as_json else _artifact(store, artifact)
        if verify and not as_json:
            click.echo("every file is as it was sealed")


def _refs(store: Store, as_json: bool) -> None:
    refs = store.refs.all()
    if as_json:
        _options.print_json(refs)
        return
    table(("ref", "points at"), sorted(refs.items()))


def _log(store: Store, name: str | None, as_json: bool) -> None:
    moves = [move for move in store.refs.log() if name is None or move.name == name or move.name.endswith(f"/{name}")]
    if as_json:
        _options.print_json([{field: getattr(move, field) for field in move.__struct_fields__} for move in moves])
        return
    rows = [(moment(move.when), move.who, move.name, move.previous or "nothing", move.id, move.why) for move in moves]
    table(("when", "who", "ref", "from", "to", "why"), rows)


def _pointing(store: Store, id: str) -> list[str]:
    return sorted(ref for ref, target in store.refs.all().items() if target == id)


def _plain(store: Store, artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "id": artifact.id,
        "kind": manifest.kind,
        "folder": str(artifact.folder),
        "created": manifest.created,
        "tool_version": manifest.tool_version,
        "key": manifest.key,
        "parents": manifest.parents,
        "refs": _pointing(store, artifact.id),
        "facts": manifest.facts,
        "files": {name: {"size": entry.size, "sha256": entry.sha256} for name, entry in manifest.files.items()},
    }


def _artifact(store: Store, artifact: Artifact) -> None:
    manifest = artifact.manifest
    click.secho(artifact.id, bold=True)
    rows: dict[str, Any] = {
        "folder": artifact.folder,
        "made": f"{moment(manifest.created)} by tuneloop {manifest.tool_version}",
        "refs": ", ".join(_pointing(store, artifact.id)) or "none",
    }
    rows |= {f"from {role}": id for role, id in manifest.parents.items()}
    pairs(rows)
    if manifest.facts:
        click.echo("\nfacts")
        pairs({f"  {name}": value for name, value in spread(manifest.facts)})
    if manifest.kind == "run":
        click.echo("\nwhat learning did")
        pairs({f"  {name}": value for name, value in lines(_receipts(artifact))})
    click.echo("\nfiles")
    pairs({f"  {name}": size(entry.size) for name, entry in manifest.files.items()})


def _receipts(run: Artifact) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((run.folder / "receipts.json").read_text(encoding="utf-8"))
    return told
