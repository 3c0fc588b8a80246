"""Placing: every row that came through the transforms gets its side, and is written.

A row stands with its kin: rows that ask the same, that are of its group, or whose texts are near. A row without kin
goes where the rule of the split puts it; one whose kin stand on two sides is set aside. Rows are placed in the order
of reading, so what is added behind moves nothing; with ``like``, the rows of that version are placed first.

What changes the training rows afterwards (balance) gives each row back as it is or set aside, and behind it the rows
made of it. The sum is checked: rows placed + made = kept + set aside.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.encoding import Apart, Encoding, fit
from tuneloop.data.growth import PARENT, Grown, Growth
from tuneloop.data.kinship import cell, question, same_group
from tuneloop.data.moments import moment
from tuneloop.data.near.search import PROTECT, Search
from tuneloop.data.nearness import Texts, crossings, links
from tuneloop.data.roster import STEP, Roster
from tuneloop.data.section import DataSection, Split
from tuneloop.data.spill import Spill
from tuneloop.data.split import SIDES, ByLabel, ByPlace, ByTime, Rule, Side
from tuneloop.data.transforms import Place
from tuneloop.data.transforms.near_duplicates import NearDuplicates
from tuneloop.data.varying.growing import Augmentation
from tuneloop.data.writing import DatasetWriter
from tuneloop.errors import DataError
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import Drop, Record
from tuneloop.store import Dataset
from tuneloop.store.kinds import ENCODERS

TWO_SIDES = "its kin stand on two sides of the split"
OTHER_SIDE = "its kin stand on another side than it must"
CROWDED = 0.2
"""Share of rows that went with their kin from which on a person should know."""
LEAKING = "made into what a held-out row says"
ASIDE = len(SIDES)
"""Where a row stands that was set aside, or is not placed yet."""


def distribute(
    items: Iterable[Record | Drop],
    section: DataSection,
    *,
    place: Place,
    writer: DatasetWriter,
    progress: Progress,
    like: Dataset | None = None,
    hide: Callable[[str], str] = str,
    growths: Sequence[Growth] = (),
) -> dict[str, Any]:
    """Give every row its side and write it.

    Args:
        items: Records, and rows that were set aside before.
        section: The recipe's data section, with its split.
        place: Where the work is done, and the recipe's seed.
        writer: Where the rows go.
        progress: Takes what a person should see meanwhile.
        like: The earlier version that ``split.like`` names.
        hide: Takes out of a text what must not be shown.
        growths: What changes the training rows before they are balanced.

    Returns:
        For the report: ``split`` with what was decided, ``growth`` with what was made of the training rows.

    Raises:
        DataError: The column of the split is in no row, or its times can be read in two ways.
    """
    split, seed = section.split, place.seed
    folder = place.spill or Path(tempfile.gettempdir())
    with Spill(folder) as spill:
        roster = Roster(spill, split, seed, hide)
        for drop in roster.read(items):
            writer.drop(drop)
        progress.start("splitting rows", len(spill))
        search = Search(split.near, spill=folder, crew=place.crew) if split.near and split.holds_out else None
        placed = Placement(roster, _rule(split, roster, like), _pins(like, split), search, told_apart(section))
        for drop in placed.aside():
            writer.drop(drop)
        growths = [*growths, *([section.balance] if section.balance else [])]
        if section.augment:
            growths.append(Augmentation(section.augment, place, hide))
        grown, alike = _write(placed, section, seed, folder, writer, growths, search)
        progress.advance(len(spill))
    told = {**split.model_dump(mode="json"), "seed": seed, **placed.report(), **({"alike": alike} if alike else {})}
    return {"split": told, "growth": [each.report() for each in grown]}


class Placement:
    """The side of every row, decided in the order of reading.

    Args:
        roster: The rows.
        rule: Where a row without kin goes.
        pins: Sides of questions and groups that an earlier version gave; those rows are placed first.
        search: How alike two texts are kin; None does not look.
        apart: Whether near rows were told apart before, so that only what they ask can make them kin.

    Attributes:
        sides: For each row the index of its side in SIDES, or ASIDE.
        joined: How many rows went with their kin instead of their own way.
    """

    def __init__(
        self, roster: Roster, rule: Rule, pins: Mapping[int, int], search: Search | None, apart: bool = False
    ) -> None:
        self._roster, self._rule, self._pins = roster, rule, pins
        self.sides = bytearray([ASIDE]) * len(roster.spill)
        self.joined = 0
        self._first: dict[int, int] = {}
        self._torn: dict[int, dict[int, int]] = {}  # for each row set aside the sides of its kin, and one on each
        everyone: Sequence[int] = range(len(self.sides))
        if pins:
            everyone = sorted(everyone, key=lambda index: self._pinned(index) is None)
        rows = ((index, roster.spill[index]) for index in everyone)
        self._near = links(Texts(rows, self._asked(everyone), whole=not apart), search) if search else {}
        for index in everyone:
            self._place(index)
        if search:
            self._part(everyone, search)

    def _pinned(self, index: int) -> int | None:
        return next((side for key in self._roster.keys(index) if (side := self._pins.get(key)) is not None), None)

    def _place(self, index: int) -> None:
        keys = self._roster.keys(index)
        kin = {self.sides[first]: first for key in keys if (first := self._first.get(key)) is not None}
        for other in self._near.get(index, ()):
            if self.sides[other] != ASIDE:
                kin.setdefault(self.sides[other], other)
        what = self._roster.whats[index]
        pinned = self._pinned(index)
        own = SIDES.index(self._rule.own(self._roster.places[index], what)) if pinned is None else pinned
        bound = pinned is not None or isinstance(self._rule, ByTime)
        if len(kin) > 1 or (bound and kin and own not in kin):
            self._torn[index] = kin
            return
        side = next(iter(kin), own)
        self.joined += side != own
        self.sides[index] = side
        self._rule.placed(what, SIDES[side])
        for key in keys:
            self._first.setdefault(key, index)

    def _asked(self, rows: Sequence[int] | NDArray[np.int64]) -> Callable[[int], bool]:
        """Tells of some rows, given in order, whether one before it asks the same."""
        order = np.asarray(rows, np.int64)
        first = np.unique(np.asarray(self._roster.questions)[order], return_index=True)[1]
        repeats = np.zeros(len(self.sides), np.bool_)
        repeats[order] = True
        repeats[order[first]] = False
        flags = repeats.tobytes()
        return lambda index: bool(flags[index])

    def _part(self, everyone: Sequence[int], search: Search) -> None:
        """Set aside who is near a row of another side nonetheless, of the two the one that was placed later.

        Links come from hashes, which miss a few, and do not lead on through a row that was set aside.
        """
        rank = {index: at for at, index in enumerate(everyone)} if self._pins else None

        def placed(index: int) -> int:
            return index if rank is None else rank[index]

        texts, others = self._texts("train", "validation"), self._texts("validation", "test")
        met = {
            (max(one, other, key=placed), min(one, other, key=placed))
            for (row, asks), (held, by) in crossings(texts, others, self.sides.__getitem__, search)
            for one in (self._asking(row) if asks else [row])
            for other in (self._asking(held) if by else [held])
        }
        for later, earlier in sorted(met, key=lambda pair: (placed(pair[0]), placed(pair[1]))):
            if ASIDE not in (self.sides[later], self.sides[earlier]):
                self.sides[later] = ASIDE
                self._torn[later] = {self.sides[earlier]: earlier}

    def _texts(self, *sides: Side) -> Texts:
        """The texts of all rows of some sides, what several ask only once: they are all on one side."""
        asked = self._asked(np.flatnonzero(np.isin(np.asarray(self.sides), [SIDES.index(side) for side in sides])))
        return Texts(self._standing(*sides), asked)

    def _asking(self, index: int) -> list[int]:
        """The rows on a row's side that ask the same."""
        same = np.asarray(self._roster.questions) == self._roster.questions[index]
        found: list[int] = np.flatnonzero(same & (np.asarray(self.sides) == self.sides[index])).tolist()
        return found

    def _standing(self, *sides: Side) -> Iterator[tuple[int, Record]]:
        numbers = {SIDES.index(side) for side in sides}
        return ((index, self._roster.spill[index]) for index, side in enumerate(self.sides) if side in numbers)

    def held(self) -> Iterator[tuple[int, Record]]:
        """The held-out rows, with their numbers."""
        return self._standing("validation", "test")

    def rows(self) -> Iterator[tuple[Side, Record]]:
        """The rows that stand somewhere, in the order of reading; where the split goes by time, in its order."""
        everyone: Sequence[int] = range(len(self.sides))
        if isinstance(self._rule, ByTime):
            everyone = sorted(everyone, key=self._roster.whats.__getitem__)
        for index in everyone:
            if self.sides[index] != ASIDE:
                yield SIDES[self.sides[index]], self._roster.spill[index]

    def aside(self) -> Iterator[Drop]:
        """The rows whose kin forbid every side, with the kin that do."""
        for index, kin in self._torn.items():
            record = self._roster.spill[index]
            told = "; ".join(f"{self._roster.spill[other].origin} is {SIDES[side]}" for side, other in kin.items())
            reason = TWO_SIDES if len(kin) > 1 else OTHER_SIDE
            yield Drop(reason, STEP, record.origin, told, record.id)

    def report(self) -> dict[str, Any]:
        """What was decided, as plain values."""
        told: dict[str, Any] = {"joined": self.joined, "torn": len(self._torn)}
        if isinstance(self._rule, ByTime):
            told["borders"] = self._rule.report()
        if isinstance(self._rule, ByLabel):
            counts = Counter(zip(self._roster.whats, self.sides, strict=True))
            told["labels"] = [
                {"label": label, **{side: counts[number, at] for at, side in enumerate(SIDES)}}
                for label, number in self._roster.labels.items()
            ]
        if self._roster.without:
            told["without_column"] = self._roster.without
        return told


def told_apart(section: DataSection) -> bool:
    """Whether the last step lets no two rows pass that the split would find near, but for what its hashes miss."""
    last = section.transforms[-1] if section.transforms else None
    near = section.split.near
    if near is None or not isinstance(last, NearDuplicates):
        return False
    return last.of == "row" and last.similarity <= near and set(last.protect) <= set(PROTECT)


def _rule(split: Split, roster: Roster, like: Dataset | None) -> Rule:
    if split.by == "stratified":
        return ByLabel(split)
    if split.by != "time":
        return ByPlace(split)
    borders: Mapping[str, str | None] | None = split.after.model_dump() if split.after else None
    if like is not None:
        borders = like.report.get("split", {}).get("borders")
        if borders is None:
            raise DataError(
                "the earlier version was not split by time, so it has no borders to keep",
                where=f"data.split.like, {like.id}",
                fix="name a version that was, or give the dates: after: {validation: DATE, test: DATE}",
            )
    if borders is None:
        return ByTime.of_shares(split, sorted(roster.whats))
    begins = {side: moment(when) for side, when in borders.items() if when is not None}
    return ByTime(begins.get("validation"), begins.get("test"))


def _pins(like: Dataset | None, split: Split) -> dict[int, int]:
    """The sides that an earlier version gave to questions and groups; by time its borders say it all."""
    pins: dict[int, int] = {}
    if like is None or split.by == "time":
        return pins
    for number in (2, 1, 0):  # what it held out once stays held out, should it stand on two sides there
        for record in like.records(SIDES[number]):
            pins.setdefault(question(record.content), number)
            group = cell(record, split.column) if split.by == "group" and split.column else None
            if group is not None:
                pins.setdefault(same_group(group), number)
    return pins


def _write(
    placed: Placement,
    section: DataSection,
    seed: int,
    folder: Path,
    writer: DatasetWriter,
    growths: Sequence[Growth],
    search: Search | None,
) -> tuple[list[Grown], dict[str, int]]:
    """Write every row; give what was made of the training rows, and how many the encoders wrote alike by split."""
    accounts = [Grown(growth) for growth in growths]
    apart = _encoding(placed, section, writer)

    def write(side: Side, record: Record) -> None:
        done = apart.write(side, record)
        if isinstance(done, Drop):
            writer.drop(done)
        else:
            writer.add(side, done)

    with ExitStack() as stack:
        train = stack.enter_context(Spill(folder))
        for side, record in placed.rows():
            if side == "train" and accounts:
                train.add(record)
            else:
                write(side, record)
        for account in accounts:
            grown = stack.enter_context(Spill(folder))
            for item in account.run(train, seed):
                if isinstance(item, Drop):
                    writer.drop(item)
                else:
                    grown.add(item)
            train = grown
        leaking = _leaking(train, placed, search) if any(each.altered for each in accounts) else {}
        for index, record in enumerate(train):
            if index in leaking:
                writer.drop(Drop(LEAKING, STEP, record.origin, f"as {leaking[index]}", record.id))
            else:
                write("train", record)
    return accounts, dict(apart.alike)


def _leaking(train: Spill, placed: Placement, search: Search | None) -> dict[int, str]:
    """Of the training rows those that were made and came out as a held-out row, or near one, with its origin."""
    made = [index for index, record in enumerate(train) if PARENT in record.meta]
    asked = {question(record.content): record.origin for _, record in placed.held()}
    found = {index: asked[key] for index in made if (key := question(train[index].content)) in asked}
    origins = [record.origin for _, record in placed.held()]
    if search and origins:
        held = Texts((-1 - at, record) for at, (_, record) in enumerate(placed.held()))
        rows = Texts((index, train[index]) for index in made)
        for (index, _), (at, _) in crossings(rows, held, lambda number: int(number < 0), search):
            found.setdefault(index, origins[-1 - at])
    return found


def split_notes(report: Mapping[str, Any]) -> list[str]:
    """What a person should know of a split and may want to act on.

    Args:
        report: The dataset's report, with what :func:`distribute` told.
    """
    split, kept, notes = report["split"], report["rows"]["kept"], []
    if split["joined"] > CROWDED * kept:
        notes.append(
            f"{split['joined']} of {kept} rows stand where rows like them do, so the shares may not be met; "
            "raise data.split.near, or take near duplicates out before the split"
        )
    if split.get("without_column") and split["by"] != "time":
        notes.append(f"{split['without_column']} rows have no {split['column'] or 'label'} to split by")
    if split["by"] == "time" and split["after"] is None:
        borders = ", ".join(f"{side} from {when}" for side, when in split["borders"].items()) or "none"
        notes.append(
            f"the borders in time follow from the rows ({borders}) and move with newer ones; fix them with after:"
        )
    tiny = [each for each in split.get("labels", ()) if any(split[side] and not each[side] for side in SIDES[1:])]
    if tiny:
        names = ", ".join(str(each["label"]) for each in tiny[:5]) + (", …" if len(tiny) > 5 else "")
        notes.append(f"{len(tiny)} labels have too few rows for every split: {names}")
    return notes


def _encoding(placed: Placement, section: DataSection, writer: DatasetWriter) -> Apart:
    """The encoders of the recipe, fitted on the rows of training before any was made of them, and kept."""

    def train() -> Iterator[Record]:
        return (record for side, record in placed.rows() if side == "train")

    if not section.encoders:
        return Apart(Encoding(), ())
    encoding = fit(section.encoders, train)
    encoding.write(writer.folder / ENCODERS)
    return Apart(encoding, train(), section.split.column)
