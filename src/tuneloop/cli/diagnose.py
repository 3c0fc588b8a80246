"""``tuneloop diagnose``: what is wrong with a run, on what evidence, and the change that mends it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options

if TYPE_CHECKING:
    from tuneloop.monitoring.checks import Check
    from tuneloop.monitoring.history import History
    from tuneloop.rows import Finding

_ROWS = 5
"""Rows of a finding that are told; --json has all of them."""


@click.command("diagnose")
@click.argument("name", required=False)
@_options.store
@_options.as_json
def command(name: str | None, folder: Path, as_json: bool) -> int:
    """Say what is wrong with a run, and what mends it.

    NAME is a run (recipe or its file, ref or id, such as faq), a run's folder, or the log of another tool: a
    trainer_state.json or checkpoint folder of Hugging Face, a trainer_log.jsonl of LLaMA-Factory, a CSV or JSONL file
    of figures. By default the run in progress, or else the latest one.

    Leaves with status 0 where nothing is wrong, 3 where a warning or an error was found.
    """
    where, history, found = _look(name, folder)
    faulty = any(finding.severity in ("warning", "error") for finding in found)
    if as_json:
        rows = [{field: getattr(finding, field) for field in finding.__struct_fields__} for finding in found]
        _options.print_json({"run": where, "healthy": not faulty, "steps": _steps(history), "findings": rows})
    else:
        _tell(name, where, history, found, faulty)
    return 3 if faulty else 0


def _look(name: str | None, folder: Path) -> tuple[str, History, list[Finding]]:
    """Where the run is, its history, and what the checks see in it now, or saw when it failed.

    Raises:
        DataError: A file or folder holds no log that can be read.
        RecipeError: Something is wrong in the recipe that is named.
        StoreError: There is no run of that name.
    """
    from tuneloop.errors import StoreError
    from tuneloop.monitoring.history import History

    given = Path(name) if name else None
    if given and given.is_file() and given.name == "signals.jsonl":
        given = given.parent
    recipe = given is not None and given.suffix in (".yaml", ".yml")
    if given and not recipe and given.exists() and not _is_own(given):
        from tuneloop.monitoring import foreign

        history = foreign.read(given)
        return str(given), history, _found(history, [])
    from tuneloop.cli._watched import find
    from tuneloop.rows import Finding, jsonl

    watched = find(folder, str(given) if given else None)
    if watched is None:
        fix = "name a run (tuneloop runs --kind run lists them), a folder or a log; or train: tuneloop train RECIPE"
        raise StoreError("there is no run here", where=name or str(folder), fix=fix)
    history = History.of_run(watched.folder)
    told = list(jsonl.read(watched.folder / "findings.jsonl", Finding))
    return str(watched.folder), history, _found(history, told)


def _is_own(path: Path) -> bool:
    """Whether a folder is a run of tuneloop, a store, or a folder of runs."""
    if not path.is_dir():
        return False
    below = ("signals.jsonl", "recipe.yaml", "*/signals.jsonl", "artifacts")
    return any(any(path.glob(pattern)) for pattern in below)


def _found(history: History, told: list[Finding]) -> list[Finding]:
    """What all checks see now; what the run itself wrote down knows the names of rows, and why it failed."""
    from tuneloop.monitoring.checks import findings

    before = {finding.check: finding for finding in told}
    seen = [
        before[finding.check] if finding.rows and before.get(finding.check, finding).rows else finding
        for finding in findings(_checks(history), history)
    ]
    failed = [each for each in told if each.check == "not_finite" and each.check not in {one.check for one in seen}]
    return [*failed, *seen]


def _checks(history: History) -> list[Check]:
    """All checks, also those that the recipe left out; with its options where it names them and they still hold."""
    from tuneloop.monitoring.checks import Check
    from tuneloop.parts import find, names

    listed = history.option("monitor.checks") or []
    options = {name: given for entry in listed if isinstance(entry, dict) for name, given in entry.items()}
    made = []
    for name in names(Check):
        try:
            made.append(find(Check, name).model_validate(options.get(name) or {}))
        except ValueError:  # written by another version, whose options were others
            made.append(find(Check, name)())
    return made


def _tell(name: str | None, where: str, history: History, found: list[Finding], faulty: bool) -> None:
    from tuneloop.cli._screen import paragraph

    click.echo(f"{where}: {_steps(history):,} steps, {len(history.names)} kinds of figures")
    colours = {"good": "green", "warning": "yellow", "error": "red"}
    for finding in found:
        click.echo()
        told = f"{finding.severity.ljust(8)} {finding.check}: {finding.evidence}"
        click.secho(paragraph(told, 9), fg=colours.get(finding.severity))
        click.echo(" " * 9 + paragraph(finding.advice, 9))
        if finding.change:
            click.secho(f"{' ' * 9}--set {shlex.quote(finding.change)}", bold=True)
        if finding.rows:
            more = len(finding.rows) - _ROWS
            rows = ", ".join(finding.rows[:_ROWS]) + (f" and {more:,} more" if more > 0 else "")
            click.echo(" " * 9 + paragraph(f"rows: {rows}", 9))
    if not faulty:
        click.echo("\nnothing is wrong with this run, as far as its figures tell")
        return
    first = next((each for each in found if each.change and each.severity in ("warning", "error")), None)
    if first is not None:
        click.echo(f"\nnext: tuneloop train {_recipe(name, history)} --set {shlex.quote(first.change)}")


def _recipe(name: str | None, history: History) -> str:
    """The recipe's file, as well as it is known: the given one, or the usual one of that name where it is there."""
    if name and name.endswith((".yaml", ".yml")):
        return name
    usual = f"{history.option('name')}.yaml"
    return usual if Path(usual).is_file() else "RECIPE"


def _steps(history: History) -> int:
    return max((step for step, _ in history.series("train/loss")), default=0)
