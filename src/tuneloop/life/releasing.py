"""Releasing: a model is declared fit, becomes champion, is served, and is followed back to its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from tuneloop.errors import StoreError
from tuneloop.life.making import SILENT
from tuneloop.monitoring.progress import Progress
from tuneloop.monitoring.tracking import mirror
from tuneloop.recipe import Recipe
from tuneloop.store import Bundle, Model, Move, Release, Report, Store
from tuneloop.store.digest import of_value
from tuneloop.store.lineage import fit
from tuneloop.store.roles import Roles

if TYPE_CHECKING:
    from tuneloop.models.session import Session
    from tuneloop.store.trace import Trace


def release(
    recipe: Recipe,
    store: Store,
    *,
    model: Model | None = None,
    report: Report | None = None,
    bundle: Bundle | None = None,
    why: str = "release",
    progress: Progress = SILENT,
) -> Release:
    """Declare a model fit to be served, with the report and bundle that speak for it; it becomes the challenger.

    Args:
        recipe: The recipe.
        store: The store.
        model: The model; by default the recipe's latest.
        report: Its report; by default the latest one, if it is of this model.
        bundle: Its bundle; by default the latest one, if it is of this model.
        why: The reason, kept in the ref's log.
        progress: Told where a tracker that the recipe names could not be told.

    Raises:
        StoreError: There is no model, it is damaged, or it learned from rows that were forgotten on request.
    """
    roles = Roles(store, recipe.name)
    model = model or store.get(Model, f"{recipe.name}/model")
    fit(store, model.id, "release")
    report = report or roles.of_model(Report, model)
    bundle = bundle or roles.of_model(Bundle, model)
    parts = {"model": model, "report": report, "bundle": bundle}
    parents = {role: artifact.id for role, artifact in parts.items() if artifact is not None}
    key = of_value(["release", parents])
    made = store.find(Release, key)
    if made is None:
        scores = report.scores if report else {}
        with store.draft() as folder:
            body = {"name": recipe.name, "parents": parents, "scores": scores}
            (folder / "release.json").write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n")
            made = store.seal(Release, folder, parents=parents, key=key, facts={"name": recipe.name})
    roles.give("challenger", made, why=why)
    mirror(store, recipe.name, progress)
    return made


def promote(
    recipe: Recipe | str, store: Store, what: str | None = None, *, why: str = "promote", progress: Progress = SILENT
) -> Move:
    """Make a release (or a model) the champion: the one that is served.

    Args:
        recipe: The recipe, or its name.
        store: The store.
        what: The release's or model's name or id; by default the challenger.
        why: The reason, kept in the ref's log.
        progress: Told where a tracker that the recipe names could not be told.

    Raises:
        StoreError: There is no such release, it is damaged, or it learned from rows that were forgotten on request.
    """
    name = recipe if isinstance(recipe, str) else recipe.name
    chosen = store.open(what or f"{name}/challenger")
    if not isinstance(chosen, (Release, Model)):
        raise StoreError(f"{chosen.id} is a {chosen.kind}", where="promote", fix="name a release or a model")
    fit(store, chosen.id, "promote")
    moved = store.refs.move(f"{name}/champion", chosen.id, why=why)
    mirror(store, name, progress)
    return moved


def rollback(recipe: Recipe | str, store: Store, *, why: str = "", progress: Progress = SILENT) -> Move:
    """Give the championship back to who had it before.

    Raises:
        StoreError: There was no earlier champion, or it is not fit to be served any more.
    """
    name = recipe if isinstance(recipe, str) else recipe.name
    fit(store, store.refs.before(f"{name}/champion"), "rollback")
    moved = store.refs.rollback(f"{name}/champion", why=f"rollback: {why}" if why else "rollback")
    mirror(store, name, progress)
    return moved


def serve(recipe: Recipe, store: Store, name: str | None = None, ready: Callable[[str], None] | None = None) -> None:
    """Serve the champion until the process is told to stop.

    Args:
        recipe: The recipe, for its ``serve`` section.
        store: The store.
        name: Ref, release or model to serve instead of the champion.
        ready: Called with the address once requests are taken.

    Raises:
        ServeError: The port is taken, or keys are missing for an address beyond this machine.
    """
    from tuneloop.serving.serve import serve as stage

    stage(recipe.serve, ref=name or f"{recipe.name}/champion", store=store, folder=recipe.folder, ready=ready)


def chat(store: Store, name: str = "champion") -> Session:
    """Open a model for a conversation.

    Args:
        store: The store.
        name: Ref or id of a release or model.

    Raises:
        StoreError: Nothing, or more than one thing, has that name.
    """
    from tuneloop.models import open_model
    from tuneloop.models.session import Session

    return Session(open_model(store.model(name), store))


def lineage(store: Store, name: str) -> Trace:
    """Follow a served answer, or any artifact, back to release, model, run, dataset and source rows.

    Args:
        store: The store.
        name: The id of an answer as the client saw it, or a ref or id of an artifact.

    Raises:
        StoreError: Nothing has that name.
    """
    from tuneloop.store.trace import trace

    return trace(store, name)
