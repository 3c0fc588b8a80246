"""What a command says of what it made."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tuneloop.cli import _options
from tuneloop.cli._screen import figure, pairs, paragraph, table

if TYPE_CHECKING:
    from tuneloop.life import Life
    from tuneloop.store import Artifact, Bundle, Dataset, Move, Report, Run

A = TypeVar("A", bound="Artifact")


def artifact(made: A, *, as_json: bool = False, then: Callable[[A], None] | None = None) -> None:
    """Print an artifact's id and folder, and then more of it; or its id, folder and facts as JSON."""
    if as_json:
        _options.print_json({"id": made.id, "folder": str(made.folder), "parents": made.parents, "facts": made.facts})
        return
    click.echo(f"{made.kind.ljust(8)} {click.style(made.id, bold=True)}")
    click.echo(f"folder   {made.folder}")
    if then is not None:
        then(made)


REASONS = 8
"""Reasons for setting rows aside that are told; the card has all of them."""
MET = 8
"""Things met by a step that are told."""


def dataset(made: Dataset) -> None:
    """Print what became of the rows: the splits, what the steps did, why rows were set aside, what may leak."""
    report = made.report
    collected = report.get("made", {})
    click.echo()
    if "new" in collected:
        click.echo(f"corrected answers: {collected['new']:,}, in the place of old rows: {collected['superseded']:,}")
    pairs({name: figure(count).rjust(9) for name, count in {**report["rows"], **report["splits"]}.items()})
    steps = dict(filter(None, map(_step, [*report.get("steps", ()), *report.get("growth", ())])))
    pairs(steps)
    _aside(report.get("dropped", ()))
    from tuneloop.data.card.asked import asked
    from tuneloop.data.certificate import leaks

    if report.get("certificate"):
        found = "; ".join(leaks(report["certificate"]))
        click.echo(f"leaks between splits: {found or 'none (certificate.json)'}")
    card = asked(made)
    click.echo(f"before you train: {card.verdict}")
    click.echo(f"card: {card.page or card.text}")


def _step(step: Mapping[str, Any]) -> tuple[str, str] | None:
    """The name of a step, and in a line what it did; None if it left all rows as they were."""
    done = {"rows changed": step.get("changed", 0), "made": step.get("made", 0), "set aside": _sum(step["dropped"])}
    said = ", ".join(f"{count:,} {what}" for what, count in done.items() if count)
    if not said:
        return None
    tally = sorted((step.get("tally") or {}).items(), key=lambda entry: (-entry[1], entry[0]))
    met = ", ".join(f"{name} {count:,}" for name, count in tally[:MET]) + (", ..." if len(tally) > MET else "")
    return step["step"], said + (f": {met}" if met else "")


def _aside(dropped: Sequence[Mapping[str, Any]]) -> None:
    """Print the most frequent reasons, each with the place of one row, and how many are not told."""
    if not dropped:
        return
    told, rest = dropped[:REASONS], dropped[REASONS:]
    click.echo(f"{_rows(dropped):,} row{'s' * (_rows(dropped) != 1)} set aside, each with its place in dropped.jsonl")
    lines = [(f"{each['rows']:,}", f"{each['step']}: {each['reason']}", each["examples"][0]["origin"]) for each in told]
    table(("rows", "why", "for example"), lines, right=(0,))
    if rest:
        click.echo(f"{len(rest)} more reason{'s' * (len(rest) > 1)} ({_rows(rest):,} rows): see the card")


def _rows(dropped: Sequence[Mapping[str, Any]]) -> int:
    return sum(each["rows"] for each in dropped)


def _sum(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


def bundle(made: Bundle) -> None:
    """Print where each form is, and what the comparison with the original met that is no fault."""
    for form in made.facts["forms"]:
        click.echo(f"{form.ljust(8)} {made.folder / form}")
        told = made.facts.get("verified", {}).get(form, {})
        if told.get("greedy_ties"):
            ties, prompts = told["greedy_ties"], told["greedy_prompts"]
            click.echo(
                f"{ties} of {prompts} greedy answers part at two tokens with the same logit, within the tolerance"
            )


def findings(run: Run) -> None:
    """Print what the checks found in a run."""
    for finding in run.findings():
        colour = {"good": "green", "warning": "yellow", "error": "red"}.get(finding.severity)
        told = f"{finding.severity.ljust(8)} {finding.check}: {finding.evidence}"
        click.secho(paragraph(told, 9), fg=colour)
        if finding.advice:
            click.echo(" " * 9 + paragraph(finding.advice, 9))
        if finding.change:
            click.echo(f"{' ' * 9}--set {shlex.quote(finding.change)}")


def scores(report: Report) -> None:
    """Print the verdict, base, other models and tuned side by side, and where the page is."""
    values = report.scores
    sides = ["base", *(side for side in values if side not in ("base", "tuned")), "tuned"]
    rows = [
        (name, *(_score(name, values.get(side, {}).get(name)) for side in sides), _range(name, score))
        for name, score in values["tuned"].items()
    ]
    click.echo()
    table(("", *sides, "tuned, 95 %"), rows, right=range(1, len(sides) + 1))
    click.echo()
    if report.facts.get("verdict"):
        click.secho(report.facts["verdict"], bold=True)
    click.echo(f"page: {report.folder / 'report.html'}")


def _score(name: str, score: dict[str, float] | None) -> str:
    return "-" if score is None else _spoken(name, score["mean"])


def _spoken(name: str, value: float) -> str:
    if name in ("loss", "perplexity", "rewards/margins"):
        return figure(value)
    return f"{100 * value:.1f} %"


def _range(name: str, score: dict[str, float]) -> str:
    if "low" not in score:
        return ""
    return f"{_spoken(name, score['low']).removesuffix(' %')} to {_spoken(name, score['high'])}"


def whole_life(life: Life, *, as_json: bool = False) -> None:
    """Print everything that one round made, and the scores."""
    made = {name: getattr(life, name) for name in ("dataset", "run", "model", "report", "bundle", "release")}
    if as_json:
        ids = {name: each.id for name, each in made.items() if each is not None}
        _options.print_json({**ids, "scores": life.report.scores})
        return
    pairs({name: each.id for name, each in made.items() if each is not None})
    findings(life.run)
    scores(life.report)


def move(made: Move) -> None:
    """Print where a ref points now, and where it pointed before."""
    click.echo(f"{made.name} -> {made.id}")
    if made.previous == made.id:
        click.echo("it was that before, too")
        return
    if made.previous:
        click.echo(f"before: {made.previous}")
    click.echo("a running service follows within a second or two")


def then(*commands: str) -> None:
    """Print the commands that come next, one below the other."""
    for number, command in enumerate(commands):
        click.echo(f"{'     ' if number else 'next:'} {command}")
