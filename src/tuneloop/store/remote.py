"""Push and pull: artifacts with their ancestors, and the refs that name them, from one store into another.

A remote is a store like any other, in a folder on another disk or a mounted share. Artifacts are named by their
content, so copies of the same one never differ; only refs can. A ref goes with its whole log (who, when, why), and
moves forward only: where both stores have moved it on their own, nothing is changed until a person has decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tuneloop.errors import Problem, StoreError
from tuneloop.store.artifact import Manifest
from tuneloop.store.copying import copy
from tuneloop.store.lineage import ancestors
from tuneloop.store.naming import composed
from tuneloop.store.refs import Move, Refs
from tuneloop.store.store import Store


@dataclass
class Sent:
    """What a transfer did.

    Attributes:
        copied: Ids that were copied.
        present: Ids that were there already.
        mended: Ids whose copy there was damaged, and is sound again.
        size: Bytes of the copied and mended ones.
        moved: The refs that were moved there, with what they point at.
        ahead: The refs that stand further there already, with what they point at.
    """

    copied: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    size: int = 0
    moved: dict[str, str] = field(default_factory=dict)
    ahead: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a transfer is going to do.

    Attributes:
        refs: The refs that are wanted, with what they point at in the source.
        moves: The moves of each that the target lacks.
        wanted: The artifacts, the oldest first.
    """

    refs: dict[str, str]
    moves: dict[str, list[Move]]
    wanted: list[Manifest]


def plan(source: Store, target: Store, names: Sequence[str] = (), *, only: bool = False, force: bool = False) -> Plan:
    """Find out what a transfer takes; nothing is changed.

    Args:
        source: The store to copy from.
        target: The store to copy into.
        names: Refs, recipes' names (all their refs) or ids of artifacts; by default all refs.
        only: Leave out what they were made from.
        force: Move refs that were moved on both sides, too; the target's own moves stay in its log.

    Raises:
        StoreError: Nothing has a name, refs have diverged, or something was forgotten on request on one of the sides.
    """
    refs, ids = chosen(source, names)
    found = {name: between(source.refs, target.refs, name) for name in refs}
    diverged = [name for name, moves in found.items() if moves is None]
    if not force:
        _refuse_diverged(diverged, target)
    moves = {
        name: _since_parting(source.refs, target.refs, name) if moves is None else moves
        for name, moves in found.items()
    }
    wanted = closure(source, [*refs.values(), *ids], only=only)
    _refuse_forgotten(wanted, source, target)
    return Plan(refs, moves, wanted)


def transfer(
    source: Store,
    target: Store,
    names: Sequence[str] = (),
    *,
    only: bool = False,
    force: bool = False,
    verify: bool = False,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> Sent:
    """Copy what names mean, with what it was made from, and move the target's refs.

    Args:
        source: The store to copy from.
        target: The store to copy into.
        names: As for :func:`plan`.
        only: As for :func:`plan`.
        force: As for :func:`plan`.
        verify: Read again what the target has already, and mend what is damaged.
        told: Called with the bytes done and the bytes there are.

    Raises:
        StoreError: As :func:`plan` does, before anything was done; or a copy fails. What has arrived by then is
            whole, and the same call goes on from there.
    """
    planned = plan(source, target, names, only=only, force=force)
    sent = carry(planned.wanted, source, target, verify=verify, told=told)
    settle(planned, source, target, sent)
    return sent


def carry(
    wanted: Sequence[Manifest],
    source: Store,
    target: Store,
    *,
    verify: bool = False,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> Sent:
    """Copy artifacts, the oldest first, so that whatever has arrived has what it was made from there, too.

    Raises:
        StoreError: A copy fails.
    """
    sent = Sent()
    total = sum(entry.size for manifest in wanted for entry in manifest.files.values())
    done = 0

    def more(size: int) -> None:
        nonlocal done
        done += size
        told(done, total)

    for manifest in wanted:
        outcome = copy(manifest, source, target, verify=verify, told=more)
        getattr(sent, outcome).append(manifest.id)
        if outcome != "present":
            sent.size += sum(entry.size for entry in manifest.files.values())
    return sent


def settle(planned: Plan, source: Store, target: Store, sent: Sent) -> None:
    """Move the target's refs, now that what they point at is there, and hand on what was forgotten.

    Raises:
        StoreError: The target's log cannot be written.
    """
    for name, moves in planned.moves.items():
        if moves:
            target.refs.follow(moves)
            sent.moved[name] = planned.refs[name]
        elif (there := target.refs.all().get(name)) and there != planned.refs[name]:
            sent.ahead[name] = there
    target.forgotten.follow(source.forgotten)


def chosen(store: Store, names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The refs, and the ids besides, that names mean in a store; all refs where no name is given.

    Raises:
        StoreError: Nothing, or more than one thing, has one of the names.
    """
    refs = store.refs.all()
    if not names:
        return refs, []
    found: dict[str, str] = {}
    ids: list[str] = []
    for name in map(composed, names):
        below = {ref: id for ref, id in refs.items() if ref == name or ref.startswith(f"{name}/")}
        if not below:
            id = store.resolve(name)
            below = {ref: held for ref, held in refs.items() if ref.endswith(f"/{name}") and held == id}
            ids += [] if below else [id]
        found |= below
    return found, ids


def closure(store: Store, ids: Sequence[str], *, only: bool) -> list[Manifest]:
    """The artifacts and all that they were made from, each once, the oldest first."""
    found: dict[str, Manifest] = {}
    for id in dict.fromkeys(ids):
        chain = [store.open(id).manifest] if only else ancestors(store, id)
        found |= {manifest.id: manifest for manifest in chain}
    return sorted(found.values(), key=lambda manifest: (manifest.created, manifest.id))


def between(source: Refs, target: Refs, name: str) -> list[Move] | None:
    """The moves of a ref that the target lacks; none if it stands there or further, None where the two have parted."""
    have, known = list(source.log(name)), list(target.log(name))
    if not known:
        return have
    if not have or _same(have[-1]) in map(_same, known):
        return []
    last = _same(known[-1])
    place = next((i for i, move in enumerate(have) if _same(move) == last), None)
    return None if place is None else have[place + 1 :]


def _since_parting(source: Refs, target: Refs, name: str) -> list[Move]:
    known = set(map(_same, target.log(name)))
    return [move for move in source.log(name) if _same(move) not in known]


def _same(move: Move) -> tuple[str, str, float]:
    """What tells a move from others, wherever it is logged."""
    return move.id, move.who, move.when


def _refuse_diverged(names: Sequence[str], target: Store) -> None:
    if not names:
        return
    problems = tuple(
        Problem(
            f"{name} was moved on both sides since they were the same",
            where=f"{target.root}: {target.refs.all().get(name, 'nothing')}",
            fix=f"look at both (tuneloop show --log {name}); go the other way first, or move it in spite: --force",
        )
        for name in names
    )
    error = StoreError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
    error.problems = problems
    raise error


def _refuse_forgotten(wanted: Sequence[Manifest], source: Store, target: Store) -> None:
    acts = [*source.forgotten.acts(), *target.forgotten.acts()]
    gone = {id for act in acts for id in act.held}
    found = [manifest.id for manifest in wanted if manifest.id in gone]
    if found:
        raise StoreError(
            f"{found[0]} holds rows that were forgotten on request ({len(found)} of {len(wanted)} artifacts do)",
            where=str(source.root),
            fix="make it anew (tuneloop data forgotten says how), and take this one away: tuneloop data forget --purge",
        )
