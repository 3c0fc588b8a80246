"""``tuneloop estimate``: memory and time that a recipe will take on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options
from tuneloop.cli._progress import working
from tuneloop.cli._screen import duration, pairs, size

if TYPE_CHECKING:
    from tuneloop.models.assess import Assessment
    from tuneloop.training.estimate import Probe


@click.command("estimate")
@_options.recipe
@click.option("--steps", default=3, show_default=True, help="Usual steps whose time is taken.")
@_options.changes
@_options.store
@_options.as_json
def command(recipe: Path, steps: int, changes: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Say what memory and time a recipe will take here.

    The rows are prepared and the memory is worked out from the model's configuration. Where that fits, a few
    real steps are made, one of them with the longest rows.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life
    from tuneloop.models import find_base
    from tuneloop.training import estimate

    store = _options.open_store(folder, make=True)
    base = find_base(read.model, folder=read.folder, store=store)
    others = read.task.others(folder=read.folder, store=store)
    room = estimate.available()
    with working() as progress:
        dataset = life.prepare(read, store, progress)
        asked: dict[str, Any] = {"task": read.task, "model": read.model, "base": base, "dataset": dataset}
        asked |= {"store": store, "others": others, "progress": progress}
        model = estimate.memory(read.train, **asked)
        tried = estimate.probe(read.train, **asked, seed=read.seed, steps=steps) if model.bytes < room else None
    if as_json:
        _options.print_json(_plain(model, tried, room))
        return
    _show_model(model, room)
    if tried is not None:
        _show_time(tried)


def _plain(model: Assessment, tried: Probe | None, room: int) -> dict[str, object]:
    from dataclasses import asdict

    import msgspec

    probe = msgspec.to_builtins(tried) if tried is not None else None
    return {"model": asdict(model), "bytes": model.bytes, "available": room, "probe": probe}


def _show_model(model: Assessment, room: int) -> None:
    share = model.trainable / model.parameters
    pairs(
        {
            "model": f"{model.architecture}, {model.layers} layers of {model.hidden_size}, {model.vocabulary:,} tokens",
            "context": f"{model.context:,} tokens" if model.context else "not said",
            "licence": model.licence or "not said",
            "parameters": f"{model.parameters:,}, of which {model.trainable:,} learn ({share:.2%})",
        }
    )
    click.echo("\nmemory, with the longest rows")
    pairs({f"  {name}": size(count).rjust(10) for name, count in model.memory.items()})
    pairs({"  together   ": size(model.bytes).rjust(10), "  at hand    ": size(room).rjust(10)})
    if model.bytes >= room:
        click.secho("  does not fit", fg="red", bold=True)
        click.echo("  less: --set train.batch.per_device_train_batch_size=1, a smaller train.max_length or base")


def _show_time(tried: Probe) -> None:
    click.echo(f"\ntime, from real steps on {tried.device} in {tried.precision}")
    pairs(
        {
            "  rows": f"{tried.examples:,}, {tried.tokens:,} tokens, the longest {tried.longest:,}",
            "  step": f"{duration(tried.step_seconds)}, {tried.steps:,} of them",
            "  evaluation": duration(tried.evaluation_seconds),
            "  training": f"about {duration(tried.seconds)}, less if early stopping ends it",
            "  memory": f"{size(tried.peak)} measured, libraries included",
        }
    )
