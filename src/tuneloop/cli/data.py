"""``tuneloop data``: the versions of datasets, what differs between them, and forgetting on request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options, _versions

if TYPE_CHECKING:
    from tuneloop.store import Dataset

why = click.option("--why", default="", help="The reason, kept in the log; it must name nobody.")


@click.group("data", context_settings={"max_content_width": 100})
def command() -> None:
    """List, compare and tag dataset versions, and forget.

    A version is a dataset in the store; a recipe's name means its newest.
    """


@command.command("ls")
@_options.store
@_options.as_json
def ls(folder: Path, as_json: bool) -> None:
    """List all dataset versions, with the refs that point at them."""
    from tuneloop.store import Dataset

    store = _options.open_store(folder)
    names: dict[str, list[str]] = {}
    for ref, id in store.refs.all().items():
        names.setdefault(id, []).append(ref)
    found = [(each, names.get(each.id, [])) for each in store.artifacts(Dataset)]
    _versions.listed(found, as_json)


@command.command("log")
@click.argument("name")
@_options.store
@_options.as_json
def log(name: str, folder: Path, as_json: bool) -> None:
    """Tell the versions of a recipe's dataset, with when, why and by whom.

    NAME is the recipe's file or name. Each version is compared with the one before.
    """
    from tuneloop.store import versions

    _versions.logged(versions.history(_options.open_store(folder), _options.name_of(name)), as_json)


@command.command("tag")
@click.argument("name")
@click.argument("tag")
@click.option("--why", default="tag", help="The reason, kept in the log.")
@click.option("--force", is_flag=True, help="Move a tag that holds on to another version.")
@_options.store
def tag(name: str, tag: str, why: str, force: bool, folder: Path) -> None:
    """Hold on to a dataset version by a name of its own.

    NAME is the recipe's file or name (its newest version), or a ref or id. The ref is <recipe>/tags/TAG.
    """
    from tuneloop.store import versions

    move = versions.tag(_options.open_store(folder), _options.name_of(name), tag, why=why, force=force)
    click.echo(f"{move.name} -> {move.id}")


@command.command("card")
@click.argument("name")
@click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Also write the page there.")
@click.option("--recipe", type=click.Path(path_type=Path), help="Also look at the licence of this recipe's base model.")
@_options.store
@_options.as_json
def card(name: str, page: Path | None, recipe: Path | None, folder: Path, as_json: bool) -> None:
    """Tell where a dataset's card is, and what should be known before training.

    NAME is an id, a ref, a tag, or a recipe's name. The retention is measured by today. Exit status 1: a point is an
    error.
    """
    from tuneloop.data.card.asked import asked

    store = _options.open_store(folder)
    told = asked(_dataset(store, name), page, base_licence=_base_licence(recipe, store))
    _options.print_json(_plain(told)) if as_json else _versions.card(told)
    if told.severity == "error":
        click.get_current_context().exit(1)


@command.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--examples", default=3, show_default=True, help="Rows of each kind to show.")
@_options.store
@_options.as_json
def diff(a: str, b: str, examples: int, folder: Path, as_json: bool) -> None:
    """Compare two dataset versions: rows, splits, sources, steps, figures.

    A and B are ids, refs, tags, or a recipe's name. Exit status 1: they differ in their rows.
    """
    from tuneloop.data.compare import compare

    store = _options.open_store(folder)
    found = compare(_dataset(store, a), _dataset(store, b), examples=examples)
    _options.print_json(_plain(found)) if as_json else _versions.compared(found)
    if not found.is_same:
        click.get_current_context().exit(1)


@command.command("forget")
@click.argument("subject")
@click.option("--also", multiple=True, metavar="TEXT", help="Another text that names the same person; may be repeated.")
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    help="Also look for the pseudonyms that this recipe's redact gives SUBJECT; needs its secret key.",
)
@click.option(
    "--as", "kind", type=click.Choice(("auto", "text", "row")), default="auto", help="What SUBJECT is, if in doubt."
)
@click.option("--do", is_flag=True, help="Make versions without the rows; else only say who holds them.")
@click.option("--purge", is_flag=True, help="With --do: also delete the files of what holds them and no ref needs.")
@why
@_options.store
@_options.as_json
def forget(
    subject: str,
    also: tuple[str, ...],
    recipe: Path | None,
    kind: Any,
    do: bool,
    purge: bool,
    why: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Find a person or a row in everything, and forget it.

    SUBJECT is a row's id or origin (file:line), or a text that names a person: a name, an e-mail, a number.
    Without --do nothing is changed. Exit status 1: something still goes back to it.
    """
    from tuneloop.data.forgetting.act import forget as act
    from tuneloop.data.forgetting.holding import find
    from tuneloop.data.forgetting.wanted import pseudonyms, wanted

    if purge and not do:
        raise click.UsageError("--purge deletes files: say --do as well, after a look at what it finds without")
    store = _options.open_store(folder)
    folders = [Path()]
    if recipe is not None:
        read = _options.read(recipe, ())
        folders.insert(0, read.folder)
        also = (*also, *pseudonyms(read.data, read.folder, [subject, *also]))
    meant = wanted(store, subject, also, kind=kind)
    found = find(store, meant, folders)
    if not do:
        _options.print_json(_plain(found)) if as_json else _versions.found(found)
        click.get_current_context().exit(1 if found else 0)
    done = act(store, meant, found, why=why, purge=purge)
    _options.print_json(_plain(done)) if as_json else _versions.done(done)
    if done.left:
        click.get_current_context().exit(1)


@command.command("forgotten")
@_options.store
@_options.as_json
def forgotten(folder: Path, as_json: bool) -> None:
    """Tell what was forgotten, and what is left to do.

    Exit status 1: a ref still points at something that learned from forgotten rows.
    """
    store = _options.open_store(folder)
    acts = store.forgotten.acts()
    held = {id for act in acts for id in act.held}
    present = {manifest.id for manifest in store.artifacts()} & held
    refs = {ref: id for ref, id in store.refs.all().items() if id in held}
    _versions.acts(acts, present, refs, as_json)
    if refs:
        click.get_current_context().exit(1)


def _base_licence(recipe: Path | None, store: Any) -> str | None:
    if recipe is None:
        return None
    from tuneloop.models import find_base
    from tuneloop.models.assess import licence_of

    read = _options.read(recipe, ())
    licence: str = licence_of(find_base(read.model, folder=read.folder, store=store).folder)
    return licence


def _dataset(store: Any, name: str) -> Dataset:
    from tuneloop.store import Dataset as Kind

    dataset: Dataset = store.get(Kind, _options.name_of(name))
    return dataset


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
