"""``tuneloop track``: send a run's figures, files and roles to its trackers, whatever they do not have yet."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options
from tuneloop.cli._screen import table


@click.command("track")
@click.argument("run")
@click.option(
    "--to",
    multiple=True,
    metavar="TRACKER",
    help="Send it there instead, as a recipe writes it: mlflow, or {mlflow: {tracking_uri: http://127.0.0.1:5000}}.",
)
@_options.store
@_options.as_json
def command(run: str, to: tuple[str, ...], folder: Path, as_json: bool) -> int:
    """Send a run to its trackers: what they do not have yet.

    What they have already is not sent again. RUN is a run's id, or the name or file of a recipe, for its newest.
    """
    import msgspec

    from tuneloop.errors import RecipeError
    from tuneloop.monitoring.tracking import send, trackers_of
    from tuneloop.recipe.written import parse
    from tuneloop.store import Run

    store = _options.open_store(folder)
    known = run if run.startswith("run-") else f"{_options.name_of(run)}/run"
    found = store.get(Run, known)
    trackers = trackers_of(found)
    if to:
        from tuneloop.life import load

        given = [parse(each, "--to").value for each in to]
        recipe = {"data": {"sources": ["-"]}, "model": {"base": "embedded"}, "monitor": {"trackers": given}}
        trackers = load(recipe).monitor.trackers
    if not trackers:
        fix = "write monitor: {trackers: [mlflow]}, or name one: --to mlflow"
        raise RecipeError(f"the recipe of {found.id} names no tracker", where="monitor.trackers", fix=fix)
    sent = send(store, found, trackers)
    if as_json:
        _options.print_json(msgspec.to_builtins(sent))
    else:
        table(
            ("tracker", "figures", ""), [(each.tracker, f"{each.figures:,}", each.error) for each in sent], right=(1,)
        )
    return 2 if any(each.error for each in sent) else 0
