"""What was forgotten on request: a log of acts that says everything but whom.

Each act keeps salted digests of its subject, so that the rows do not come back with the next preparation; which
artifacts held them, and what took their place, so that lineage still answers after those are gone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tuneloop.errors import StoreError
from tuneloop.rows import Record, jsonl
from tuneloop.store.seal import cannot_write
from tuneloop.store.subject import Mark, Search

REASON = "forgotten on request"
"""The reason of every row that is set aside because of an act."""


class Act(msgspec.Struct, frozen=True):
    """One line of ``forgotten.jsonl``.

    Attributes:
        id: ``forget-`` and digits that follow from the subject's digests.
        when: Seconds since the epoch.
        who: Who did it.
        why: The reason given.
        salt: The salt of the digests.
        marks: Digests of the subject and of its rows.
        rows: How many rows were taken out of datasets, over all of them.
        held: Ids of the artifacts that held the rows or learned from them, and how.
        replaced: Datasets by the id of the version that stands in their place.
        purged: Ids whose files were deleted.
        exchanges: How many served answers were deleted.
    """

    id: str
    when: float
    who: str
    why: str
    salt: str
    marks: tuple[Mark, ...]
    rows: int = 0
    held: dict[str, str] = {}
    replaced: dict[str, str] = {}
    purged: tuple[str, ...] = ()
    exchanges: int = 0


class Searches:
    """Finds what was forgotten, over acts with salts of their own."""

    def __init__(self, acts: Sequence[Act]) -> None:
        marks: dict[str, list[Mark]] = {}
        for act in acts:
            marks.setdefault(act.salt, []).extend(act.marks)
        self._rows = [Search(each, salt) for salt, each in marks.items()]
        self._texts = [Search(each, salt, echoes=True) for salt, each in marks.items()]

    def __bool__(self) -> bool:
        return bool(self._rows)

    def record(self, record: Record, sha256: str = "") -> bool:
        """Whether a record was forgotten, or names somebody who was (see :meth:`Search.record`)."""
        return any(search.record(record, sha256) for search in self._rows)

    def text(self, text: str) -> bool:
        """Whether a text names somebody who was forgotten, or begins like a row that was."""
        return any(search.text(text) for search in self._texts)


class Forgotten:
    """The acts of forgetting in one store.

    Args:
        path: The log's path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def acts(self) -> list[Act]:
        """All acts, oldest first; one that was gone on with has several lines."""
        return list(jsonl.read(self.path, Act))

    def salt(self) -> str:
        """The salt for new digests: that of the last act, or a fresh one."""
        acts = self.acts()
        return acts[-1].salt if acts else secrets.token_hex(16)

    def searches(self) -> Searches:
        """What finds forgotten rows; false where nothing was ever forgotten."""
        return Searches(self.acts())

    def held(self) -> dict[str, str]:
        """Ids of all artifacts that held forgotten rows or learned from them, and how."""
        return {id: how for act in self.acts() for id, how in act.held.items()}

    def replaced(self) -> dict[str, str]:
        """Datasets that held forgotten rows, by the id of the version in their place."""
        return {old: new for act in self.acts() for old, new in act.replaced.items()}

    def tombstone(self, id: str) -> Act | None:
        """The act that deleted an artifact's files; None if none did."""
        return next((act for act in reversed(self.acts()) if id in act.purged), None)

    def note(self, act: Act) -> None:
        """Log an act; it is on the disk when this returns.

        Raises:
            StoreError: The log cannot be written.
        """
        try:
            jsonl.append(self.path, [act], sync=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def follow(self, other: Forgotten) -> None:
        """Take over the acts of another store, so that the rows stay away here, too; nothing counts as deleted here.

        Raises:
            StoreError: The log cannot be written.
        """
        known = {(act.id, act.when) for act in self.acts()}
        for act in other.acts():
            if (act.id, act.when) not in known:
                self.note(msgspec.structs.replace(act, purged=()))


def refuse(forgotten: Forgotten, ids: Sequence[str], doing: str) -> None:
    """Refuse to go on with an artifact that holds, or learned from, rows that were forgotten.

    Args:
        forgotten: The store's acts.
        ids: The artifact's id, and those of all it was made from.
        doing: What is refused: ``promote``.

    Raises:
        StoreError: One of the ids is among those of an act.
    """
    held = forgotten.held()
    for id in ids:
        if id in held:
            raise StoreError(
                f"{ids[0]} goes back to rows that were {REASON}: {id} {held[id]}",
                where=doing,
                fix="train anew without them: tuneloop run RECIPE; tuneloop data forgotten shows what is left to do",
            )


def age(act: Act) -> str:
    """The day of an act: ``2026-01-31``."""
    return time.strftime("%Y-%m-%d", time.localtime(act.when))
