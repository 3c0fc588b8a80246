"""What ``tuneloop data`` says of versions, differences and acts of forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options
from tuneloop.cli._facts import brief
from tuneloop.cli._screen import figure, moment, pairs, table

if TYPE_CHECKING:
    from tuneloop.data.card.asked import Card
    from tuneloop.data.compare import Difference
    from tuneloop.data.forgetting.act import Done
    from tuneloop.data.forgetting.holding import Found
    from tuneloop.store import Manifest
    from tuneloop.store.forgotten import Act
    from tuneloop.store.versions import Version

KINDS = ("same", "renumbered", "changed", "added", "removed", "moved")
WIDTH = 200


def listed(found: Sequence[tuple[Manifest, list[str]]], as_json: bool) -> None:
    """Print dataset versions, oldest first."""
    if as_json:
        _options.print_json([{"id": m.id, "created": m.created, "refs": refs, "facts": m.facts} for m, refs in found])
        return
    rows = [(m.id, moment(m.created), ", ".join(refs), brief(m.kind, m.facts)) for m, refs in found]
    table(("id", "made", "refs", "rows"), rows)


def logged(found: Sequence[Version], as_json: bool) -> None:
    """Print the versions of one recipe, each with what changed against the one before."""
    entries = [
        {
            "when": each.move.when,
            "who": each.move.who,
            "id": each.move.id,
            "why": each.move.why,
            "rows": each.dataset.facts.get("rows", {}) if each.dataset else {},
            "tags": list(each.tags),
            "change": _change(each),
        }
        for each in found
    ]
    if as_json:
        _options.print_json(entries)
        return
    rows = [
        (
            moment(entry["when"]),
            entry["who"],
            entry["id"],
            figure(sum(entry["rows"].values())) if entry["rows"] else "-",
            ", ".join(tag.rpartition("/")[2] for tag in entry["tags"]),
            entry["why"],
            entry["change"],
        )
        for entry in entries
    ]
    table(("when", "who", "id", "rows", "tags", "why", "against the one before"), rows, right=(3,))


def _change(version: Version) -> str:
    from tuneloop.data.compare import compare

    if version.dataset is None:
        return version.note
    if version.before is None:
        return "" if not version.move.previous else "the one before is not there to compare with"
    found = compare(version.before, version.dataset, examples=0)
    told = [f"{found.rows[kind]:,} {kind}" for kind in KINDS[2:] if found.rows[kind]]
    told += [f"other {what}" for what in found.made if what not in ("parents", "tool_version")]
    return ", ".join(told) or "the same rows"


def compared(found: Difference) -> None:
    """Print a difference between two versions."""
    click.echo(f"a  {found.a}\nb  {found.b}\n")
    table(
        ("rows", *KINDS),
        [_counts("all", found.rows), *_blocks(found.splits), *_blocks(found.sources)],
        right=range(1, 7),
    )
    if found.rows["moved"]:
        click.secho(f"{found.rows['moved']} rows stand in another split than before", fg="red")
    if found.made:
        click.echo("\nmade otherwise")
        pairs({f"  {what}": _both(values) for what, values in _flat(found.made)})
    differing = [(name, _cell(a), _cell(b)) for name, (a, b) in found.figures.items() if a != b]
    if differing:
        click.echo("\nfigures")
        table(("", "a", "b"), differing, right=(1, 2))
    for kind, examples in found.examples.items():
        click.echo(f"\n{kind}")
        for each in examples:
            click.echo(f"  {each.origin}  {f'{each.was} -> ' if each.was else ''}{each.split}")
            for mark, text, colour in (("-", each.before, "red"), ("+", each.after, "green")):
                if text:
                    click.secho(f"    {mark} {text[:WIDTH]}", fg=colour)


def _counts(name: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    return (name, *(f"{counts.get(kind, 0):,}" for kind in KINDS))


def _blocks(values: Mapping[str, Mapping[str, int]]) -> list[tuple[str, ...]]:
    return [_counts(f"  {name}", counts) for name, counts in values.items()]


def _flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for what, value in values.items():
        flat += (
            [(f"{what} {name}", each) for name, each in value.items()] if isinstance(value, dict) else [(what, value)]
        )
    return flat


def _both(values: Sequence[Any]) -> str:
    return " -> ".join("nothing" if value is None else str(value) for value in values)


def _cell(value: Any) -> str:
    return "-" if value is None else figure(value)


def found(what: Found) -> None:
    """Print who holds a subject, and what is to be done."""
    if not what:
        click.echo("nothing in the store goes back to it")
        return
    _holders(what)
    if what.origins:
        click.echo(f"\nto be deleted in the sources, which are yours ({len(what.origins):,} rows)")
        for origin in what.origins[:50]:
            click.echo(f"  {origin}")
        if len(what.origins) > 50:
            click.echo(f"  and {len(what.origins) - 50:,} more: --json lists all")
    if what.unsure:
        click.echo("\nto be looked for in the sources, which are yours")
        pairs({f"  {name}": why for name, why in what.unsure.items()})


def _holders(what: Found) -> None:
    if what.holders:
        table(("id", "refs", "how"), [(each.id, ", ".join(each.refs), each.how) for each in what.holders])
    told = {
        "served answers": ", ".join(what.exchanges[:5]) + (" ..." if len(what.exchanges) > 5 else ""),
        "unfinished training": ", ".join(what.work),
        "other files": ", ".join(what.elsewhere),
    }
    pairs({name: value for name, value in told.items() if value})
    if what.caches:
        click.echo("caches")
        pairs({f"  {name}": why for name, why in what.caches.items()})


def done(act: Done) -> None:
    """Print what was done, what could not be, and what still goes back to the subject."""
    click.echo(
        f"{click.style(act.act.id, bold=True)}  {act.act.rows:,} rows taken out of {len(act.act.replaced)} datasets"
    )
    for old, new in act.act.replaced.items():
        click.echo(f"  {old} -> {new}")
    for ref, id in act.moved.items():
        click.echo(f"  {ref} -> {id}")
    if act.act.exchanges:
        click.echo(f"  {act.act.exchanges:,} served answers deleted")
    for id in act.act.purged:
        click.echo(f"  deleted {id}")
    for id, refs in act.kept.items():
        click.secho(f"  not deleted: {id}, which {', '.join(refs)} needs", fg="yellow")
    click.echo()
    if act.left:
        click.secho("what still goes back to it", bold=True)
        _holders(act.left)
    else:
        click.secho("searched again: nothing in the store goes back to it any more", fg="green")
    for command in act.commands:
        click.echo(f"next: {command}")


def card(told: Card) -> None:
    """Print where a card is, the verdict, and the points that are not good."""
    colours = {"good": "green", "warning": "yellow", "error": "red"}
    pairs({"page": told.page, "text": told.text} if told.page else {"text": told.text})
    click.secho(told.verdict, bold=True, fg=colours.get(told.severity))
    rows = [(point.severity, point.check, point.evidence, point.advice) for point in told.points]
    table(("", "point", "evidence", "what to do"), [row for row in rows if row[0] != "good"])


def acts(found: Sequence[Act], present: set[str], refs: Mapping[str, str], as_json: bool) -> None:
    """Print the acts, and the refs that still point at what holds forgotten rows."""
    latest = {act.id: act for act in found}
    if as_json:
        entries = [
            {
                "id": act.id,
                "when": act.when,
                "who": act.who,
                "why": act.why,
                "rows": act.rows,
                "replaced": act.replaced,
                "purged": act.purged,
                "present": sorted(present & act.held.keys()),
                "refs": {ref: id for ref, id in refs.items() if id in act.held},
            }
            for act in latest.values()
        ]
        _options.print_json(entries)
        return
    if not latest:
        click.echo("nothing was forgotten yet")
        return
    rows = [
        (act.id, moment(act.when), act.who, f"{act.rows:,}", len(act.purged), len(present & act.held.keys()), act.why)
        for act in latest.values()
    ]
    table(("act", "when", "who", "rows", "deleted", "still there", "why"), rows, right=(3, 4, 5))
    for ref, id in refs.items():
        click.secho(f"{ref} still points at {id}", fg="yellow")
