"""Tracking: a run that is over, with its files and ids, and the roles of models, go to the trackers.

What a follower has sent already is not sent again. It is done in another process with a bound on its time, so that a
tracker that hangs holds nothing up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tuneloop.monitoring.following import Sender, alone, made
from tuneloop.monitoring.history import History
from tuneloop.monitoring.progress import Progress
from tuneloop.monitoring.trackers import About, Tracker, Version
from tuneloop.store import Dataset, Model, Release, Report, Run, Store

SECONDS = 90.0
"""How long all trackers may take together."""
ROLES = ("champion", "challenger")
"""The refs that become aliases."""


class Sent(msgspec.Struct, frozen=True):
    """What became of one tracker.

    Attributes:
        tracker: Its name.
        figures: Figures of the run that it has.
        error: Why it does not have everything; empty if it does.
    """

    tracker: str
    figures: int
    error: str


def send(store: Store, run: Run, trackers: Sequence[Tracker]) -> list[Sent]:
    """Send a sealed run to trackers, and mirror the roles of its recipe's models.

    Args:
        store: The store.
        run: The run.
        trackers: Where it goes.
    """
    about = about_of(store, run)
    signals = list(run.signals())
    models = [store.get(Model, each.id) for each in store.artifacts(Model) if each.parents.get("run") == run.id]
    files, tags = dict(_files(store, run, models)), _tags(run, models)
    found = []
    with alone(about):
        for tracker in trackers:
            sender = Sender(tracker, about)
            sender.left = list(signals)
            if sender.send(now=True) and sender.journal is not None:
                try:
                    sender.journal.finish(files, tags)
                    tracker.mirror(about.name, store.root, versions(store, about.name))
                except OSError as error:
                    sender.said = str(error) or type(error).__name__
                sender.journal.close()
            found.append(Sent(tracker.name, len(signals) - len(sender.left), sender.said))
    return found


def send_apart(store: Store, run: Run, trackers: Sequence[Tracker], progress: Progress) -> None:
    """Do the same in another process, and tell of what could not be sent and how it is sent later.

    Args:
        store: The store.
        run: The run.
        trackers: Where it goes; nothing happens without any.
        progress: Told of failures.
    """
    if not trackers:
        return
    spelled = msgspec.json.encode([tracker.spelled() for tracker in trackers]).decode()
    words = [sys.executable, "-m", "tuneloop.monitoring.tracking", str(store.root.absolute()), run.id, spelled]
    try:
        done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603 - our own module
        sent = msgspec.json.decode(done.stdout, type=list[Sent])
    except subprocess.TimeoutExpired:
        sent = [Sent(tracker.name, 0, f"no answer within {SECONDS:.0f} s") for tracker in trackers]
    except msgspec.DecodeError:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it ended without a word"]
        sent = [Sent(tracker.name, 0, said[-1]) for tracker in trackers]
    for each in sent:
        if each.error:
            progress.note(f"{each.tracker} does not have everything ({each.error}); later: tuneloop track {run.id}")


def mirror(store: Store, name: str, progress: Progress) -> None:
    """Pass on who is champion and challenger to the trackers that the recipe of the newest run names.

    Args:
        store: The store.
        name: The recipe's name.
        progress: Told of failures.
    """
    id = store.refs.all().get(f"{name}/run")
    if id is not None:
        run = store.get(Run, id)
        send_apart(store, run, trackers_of(run), progress)


def trackers_of(run: Run) -> list[Tracker]:
    """The trackers that the recipe of a run names."""
    monitor = _recipe(run).get("monitor") or {}
    return made(monitor.get("trackers") or [])


def about_of(store: Store, run: Run) -> About:
    """What is told of a sealed run."""
    recipe = _recipe(run)
    return About(str(recipe.get("name", "")), run.manifest.key, str(store.root.absolute()), recipe)


def versions(store: Store, name: str) -> list[Version]:
    """The models that have or had a role under a recipe's name, oldest first."""
    roles: dict[str, set[str]] = {}
    for role in ROLES:
        for move in store.refs.log(f"{name}/{role}"):
            roles.setdefault(_model(store, move.id), set())
        now = store.refs.all().get(f"{name}/{role}")
        if now:
            roles[_model(store, now)].add(role)
    there = {manifest.id: manifest for manifest in store.artifacts(Model)}
    runs = {manifest.id: manifest.key for manifest in store.artifacts(Run)}
    return [
        Version(model, runs.get(there[model].parents.get("run", ""), ""), tuple(sorted(held)))
        for model, held in roles.items()
        if model in there
    ]


def _model(store: Store, id: str) -> str:
    """The model that an id means: of a release, the one it releases."""
    for manifest in store.artifacts(Release):
        if manifest.id == id:
            return manifest.parents["model"]
    return id


def _recipe(run: Run) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((run.folder / "recipe.yaml").read_text(encoding="utf-8"))
    return read


def _tags(run: Run, models: Sequence[Model]) -> dict[str, str]:
    return {"run": run.id, **run.parents, **({"model": models[-1].id} if models else {})}


def _files(store: Store, run: Run, models: Sequence[Model]) -> Iterator[tuple[str, Path]]:
    """The files that go with a run, by the names they get."""
    from tuneloop.monitoring.plots import curves

    for name in ("recipe.yaml", "findings.jsonl", "receipts.json", "environment.json", "samples.jsonl"):
        if (run.folder / name).exists():
            yield name, run.folder / name
    drawn = store.root / "cache" / f"curves-{run.id}.svg"
    drawn.write_bytes(curves(History(run.signals())))
    yield f"curves/{drawn.name}", drawn
    for model in models:
        for name in ("card.md", "model.json"):
            yield f"model/{name}", model.folder / name
        for report in store.artifacts(Report):
            if report.parents.get("model") == model.id:
                yield f"report-{report.id}/report.html", store.get(Report, report.id).folder / "report.html"
    card = store.get(Dataset, run.parents["dataset"]).folder / "card.md"
    if card.exists():
        yield "dataset/card.md", card


if __name__ == "__main__":
    os.nice(10)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a tracker's package prints is no part of the answer
    place, wanted, spelled = sys.argv[1:]
    opened = Store(place)
    result = send(opened, opened.get(Run, wanted), made(msgspec.json.decode(spelled)))
    with answer:
        answer.write(msgspec.json.encode(result))
