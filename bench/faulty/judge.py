"""Judge one run: whether its cause was found, what the fault costs, and whether the advice helps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.faulty import healthy
from bench.faulty.case import Case
from bench.faulty.faults import FAULTS, unprepared
from bench.faulty.live import Lived, live, lived_before
from bench.faulty.look import look
from tuneloop.rows import Finding

ROOM = Path(__file__).parents[2] / "build" / "judgement"
"""Where runs are kept."""
ALARMS = ("warning", "error")
FIRST_UNSEEN = 4


@dataclass(frozen=True)
class Name:
    """Which run: a kind of fault, or ``healthy``, in a setting with a seed.

    Attributes:
        kind: One of :data:`FAULTS`, or ``healthy``.
        setting: One of :data:`healthy.SETTINGS`.
        seed: The seed.
        twin: The healthy run that a faulty one is compared with, where preparing made it another than its setting.
    """

    kind: str
    setting: str
    seed: int
    twin: bool = False

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        kind = self.setting if self.kind == "healthy" else self.kind
        return ROOM / f"{kind}-{self.seed}{'-twin' if self.twin else ''}"

    @property
    def part(self) -> str:
        """Whether checks were made with it: ``development``, ``held out`` (seed 3) or ``unseen``."""
        if self.seed >= FIRST_UNSEEN:
            return "unseen"
        return "held out" if self.seed == 3 else "development"

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.kind == "healthy" or self.twin

    def of_twin(self) -> Name:
        """The healthy run to compare a faulty one with."""
        if FAULTS[self.kind].prepare is unprepared:
            return Name("healthy", self.setting, self.seed)
        return Name(self.kind, self.setting, self.seed, twin=True)

    def case(self) -> Case:
        """The case, planted where it is faulty."""
        case = healthy.case(self.setting, self.seed)
        if self.kind == "healthy":
            return case
        prepared = FAULTS[self.kind].prepare(case)
        return prepared if self.twin else FAULTS[self.kind].plant(prepared)


def chosen(only: list[str], seeds: list[int], *, unseen: bool = False, quick: bool = False) -> list[Name]:
    """The runs to judge: healthy ones first, since faulty ones are compared with them.

    Args:
        only: Kinds and settings; all where it is empty.
        seeds: Of those that checks were made with, and seed 3.
        unseen: The runs on other models and rows instead.
        quick: Of the healthy runs, only those that faulty ones are compared with.
    """
    if unseen:
        seeds = [FIRST_UNSEEN, FIRST_UNSEEN + 1]
    calm = [
        Name("healthy", name, seed)
        for name, setting in healthy.SETTINGS.items()
        for seed in seeds
        if setting.unseen == unseen and (name in only or "healthy" in only if only else not quick)
    ]
    faulty = [
        Name(
            kind,
            (fault.unseen[(seed - FIRST_UNSEEN) % len(fault.unseen)] if unseen else fault.settings[seed - 1]),
            seed,
        )
        for kind, fault in FAULTS.items()
        for seed in seeds
        if not only or kind in only
    ]
    twins = [name.of_twin() for name in faulty]
    return [*dict.fromkeys([*calm, *twins]), *faulty]


def judge(name: Name, *, kept: bool, train: bool = True, advise: bool = True) -> dict[str, Any]:
    """Judge one run.

    Args:
        name: The run.
        kept: Take what was kept of it and its like, and train only what is missing.
        train: Whether to train at all.
        advise: Whether to try the advice.

    Returns:
        A row of the table; empty where nothing is kept and nothing may be trained.
    """
    case: Case | None = None
    lived = lived_before(name.folder) if kept or not train else None
    if lived is None:
        if not train:
            return {}
        case = name.case()
        lived = live(case, name.folder)
    setting = healthy.SETTINGS[name.setting]
    found = look(name.folder)
    row: dict[str, Any] = {
        "kind": "healthy" if name.healthy else name.kind,
        "run": name.folder.name,
        "seed": name.seed,
        "part": name.part,
        "model": setting.model,
        "data": setting.source,
        "findings": [
            {"check": one.check, "severity": one.severity, "change": one.change, "evidence": one.evidence}
            for one in found
        ],
        "error": lived.error,
        "loss": _plain(lived.loss),
        "seconds": round(lived.seconds, 1),
    }
    if name.kind != "healthy" and name.twin and not FAULTS[name.kind].twin_is_healthy:
        return row | {"kind": "compared"}
    if name.healthy:
        return row | {"false_alarm": any(one.severity in ALARMS for one in found) or bool(lived.error)}
    return (
        row
        | _named(name, found, lived)
        | _cost(name, lived)
        | (_advice(name, found, lived, case, kept, train) if advise else {})
    )


def _named(name: Name, found: list[Finding], lived: Lived) -> dict[str, Any]:
    fault = FAULTS[name.kind]
    alarms = [one.check for one in found if one.severity in ALARMS]
    said = [text for text in (lived.error, *lived.notes) if any(word in text for word in fault.words)]
    by_check = any(check in fault.causes for check in alarms)
    return {
        "expected": list(fault.causes),
        "named": by_check or bool(said),
        "named_by": "check" if by_check else "message" if said else "",
        "first": bool(alarms) and alarms[0] in fault.causes,
        "said": said[:1],
    }


def _cost(name: Name, lived: Lived) -> dict[str, Any]:
    """What the fault costs on clean rows, in nats; without a model it costs everything."""
    twin = lived_before(name.of_twin().folder)
    if twin is None or twin.loss is None:
        return {"healthy_loss": None, "harm": None}
    harm = None if lived.loss is None else _plain(lived.loss - twin.loss)
    return {"healthy_loss": _plain(twin.loss), "harm": harm, "harmed": harm is None or harm > 0}


def _advice(
    name: Name, found: list[Finding], lived: Lived, case: Case | None, kept: bool, train: bool
) -> dict[str, Any]:
    """Follow the advice of the finding that names the cause, and measure on the same clean rows."""
    causes = FAULTS[name.kind].causes
    changes = [one.change for one in found if one.severity in ALARMS and one.check in causes and one.change]
    if not changes:
        return {"change": "", "helped": None}
    folder = name.folder.with_name(f"{name.folder.name}-advised")
    before = lived_before(folder) if kept or not train else None
    same = (folder / "change").exists() and (folder / "change").read_text(encoding="utf-8") == changes[0]
    if before is None or not same:
        if not train:
            return {"change": changes[0], "helped": None}
        before = live(case or name.case(), folder, changes[:1])
        (folder / "change").write_text(changes[0], encoding="utf-8")
    better = before.loss is not None and (lived.loss is None or before.loss < lived.loss)
    return {"change": changes[0], "advised_loss": _plain(before.loss), "helped": better, "advised_error": before.error}


def _plain(value: float | None) -> float | None:
    """A number that JSON can hold: four digits, and None where it is not finite."""
    return None if value is None or not math.isfinite(value) else round(value, 4)
