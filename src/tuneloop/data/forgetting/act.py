"""The act of forgetting: log it, make versions without the rows, move the refs, delete what holds them, look again.

The order makes it safe to stop anywhere: the log comes first, and with it rows stay away and what holds them is no
longer promoted; every later step is found done, or done again, when the same is asked once more.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tuneloop.data.forgetting.holding import Found, Holder, find
from tuneloop.data.forgetting.rebuild import without
from tuneloop.data.forgetting.wanted import Wanted
from tuneloop.errors import DataError
from tuneloop.store import Dataset, Store
from tuneloop.store.exchanges import Exchanges
from tuneloop.store.forgotten import Act
from tuneloop.store.gc import clear_work
from tuneloop.store.lineage import ancestors
from tuneloop.store.refs import who


class Done(msgspec.Struct, frozen=True):
    """What an act did, and what is left.

    Attributes:
        act: The act, as logged.
        moved: The refs that point at new versions now.
        kept: What could not be purged, with the refs that lead to it.
        left: What still names the subject or goes back to it, found by searching the store again.
        commands: What to run next.
    """

    act: Act
    moved: dict[str, str]
    kept: dict[str, list[str]]
    left: Found
    commands: list[str]


def forget(store: Store, subject: Wanted, found: Found, *, why: str, purge: bool = False) -> Done:
    """Forget a subject: new dataset versions without it, and nothing of it in logs, caches and answers.

    Args:
        store: The store.
        subject: Who or what is forgotten.
        found: What :func:`~tuneloop.data.forgetting.holding.find` found of it.
        why: The reason; it is kept, and must not name the subject.
        purge: Delete the files of everything that holds it and that no ref leads to any more.

    Raises:
        DataError: The reason names the subject.
        StoreError: The store cannot be written.
    """
    if subject.echo.text(why):
        raise DataError(
            "the reason names whom it is about, and would stay in the log",
            where="data forget --why",
            fix="give a reason without a name, such as the number of the request",
        )
    held = {holder.id: holder.how for holder in found.holders}
    act = Act(subject.act, time.time(), who(), why, subject.salt, subject.marks, held=held)
    store.forgotten.note(act)
    replaced, rows = _rebuild(store, subject, found)
    moved = _move(store, replaced, f"{act.id}: {why}" if why else act.id)
    _clear(store, found)
    purged, kept = _purge(store, found.holders) if purge else ([], {})
    earlier = [each for each in store.forgotten.acts() if each.id == act.id]
    act = msgspec.structs.replace(
        act,
        when=time.time(),
        rows=rows + max(each.rows for each in earlier),
        replaced={old: new for each in earlier for old, new in each.replaced.items()} | replaced,
        purged=(*dict.fromkeys(id for each in earlier for id in each.purged), *purged),
        exchanges=len(found.exchanges) + max(each.exchanges for each in earlier),
    )
    store.forgotten.note(act)
    return Done(act, moved, kept, find(store, subject), _commands(store, found.holders))


def _rebuild(store: Store, subject: Wanted, found: Found) -> tuple[dict[str, str], int]:
    """Versions without the rows of every dataset that a ref points at, and of the datasets those were made from."""
    holding = {holder.id for holder in found.holders if holder.kind == Dataset.kind}
    pointed = [id for id in store.refs.all().values() if id in holding]
    needed = {manifest.id for id in pointed for manifest in ancestors(store, id)} & holding
    replaced: dict[str, str] = {}
    rows = 0
    for manifest in store.artifacts(Dataset):  # oldest first, so parents come before what was made from them
        if manifest.id in needed:
            parents = {role: replaced.get(id, id) for role, id in manifest.parents.items()}
            made, gone = without(store.get(Dataset, manifest.id), subject, store, parents=parents)
            replaced[manifest.id] = made.id
            rows += gone
    return replaced, rows


def _move(store: Store, replaced: dict[str, str], why: str) -> dict[str, str]:
    moved = {ref: replaced[id] for ref, id in store.refs.all().items() if id in replaced}
    for ref, id in moved.items():
        store.refs.move(ref, id, why=why)
    return moved


def _clear(store: Store, found: Found) -> None:
    """Delete served answers that name the subject, encoded rows, and unfinished training on the rows."""
    if found.exchanges:
        with Exchanges(store.root / "exchanges.db") as exchanges:
            exchanges.forget(found.exchanges)
    for name in found.caches:
        path = store.root / "cache" / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    for key in found.work:
        clear_work(store, key)


def _purge(store: Store, holders: Sequence[Holder]) -> tuple[list[str], dict[str, list[str]]]:
    """Delete the files of what no ref leads to; of what one leads to, say which."""
    kinds = {holder.id: holder.kind for holder in holders}
    kept: dict[str, list[str]] = {}
    for ref, target in store.refs.all().items():
        if target in kinds:
            for manifest in ancestors(store, target):  # datasets are not needed to serve, and have successors
                if manifest.id in kinds and (manifest.id == target or manifest.kind != Dataset.kind):
                    kept.setdefault(manifest.id, []).append(ref)
    purged = [id for id in kinds if id not in kept]
    for id in purged:
        _delete(store.root, id)
    return purged, kept


def _delete(root: Path, id: str) -> None:
    """Delete an artifact: first its name, in one step, then its files."""
    doomed = root / "drafts" / f"gone-{id}"
    shutil.rmtree(doomed, ignore_errors=True)
    os.rename(root / "artifacts" / id, doomed)  # noqa: PTH104
    shutil.rmtree(doomed)


def _commands(store: Store, holders: Sequence[Holder]) -> list[str]:
    """What takes the place of models that learned from the rows: trained, measured and released anew."""
    held = {holder.id for holder in holders if holder.kind != Dataset.kind}
    refs = [ref for ref, id in store.refs.all().items() if id in held]
    commands = []
    for name in sorted({ref.partition("/")[0] for ref in refs}):
        commands.append(f"tuneloop run RECIPE  (the recipe named {name})")
        if f"{name}/champion" in refs:
            commands.append(f"tuneloop promote {name}")
    if commands:
        commands.append("the same data forget --do --purge once more, which deletes what was replaced by then")
    return commands
