"""Checks: pure functions from a run's history to a finding. A new one is one file with one method.

Several checks may see the same trouble from several sides: a rate far too high makes gradients explode, losses spike
and the run end where it began. A check names the checks whose findings it explains, so that causes are told first and
what follows from them is told as a note.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from tuneloop.monitoring.history import History
from tuneloop.parts import Part
from tuneloop.rows import Finding

_RANKS = {"error": 0, "warning": 1, "note": 2, "good": 3}


class Check(Part, ABC):
    """Looks for one thing in a run's history."""

    explains: ClassVar[tuple[str, ...]] = ()
    """Checks whose findings follow from what this one sees, by name; beside its own warning they are notes."""

    @abstractmethod
    def look(self, history: History) -> Finding | None:
        """Say what is seen, or nothing.

        Args:
            history: Every figure measured so far.
        """


def findings(checks: Iterable[Check], history: History) -> list[Finding]:
    """What several checks see in a run's history: causes first, and the worst of them before all others.

    A warning or error that another warning or error explains becomes a note that names its cause, and good news is
    told only of a run with neither.

    Args:
        checks: What is looked for.
        history: The run's figures.

    Returns:
        At most one finding a check; errors, warnings, notes, good news, and of each what explains most first.
    """
    checks = list(checks)
    seen = {check.name: finding for check in checks if (finding := check.look(history)) is not None}
    alarms = [check for check in checks if check.name in seen and seen[check.name].severity in ("warning", "error")]
    causes = _causes(alarms)
    reach = {check.name: len(check.explains) for check in checks}
    told = [_because(finding, causes[name]) if name in causes else finding for name, finding in seen.items()]
    if len(causes) < len(alarms):
        told = [finding for finding in told if finding.severity != "good"]
    return sorted(told, key=lambda finding: (_RANKS[finding.severity], -reach[finding.check]))


def _causes(alarms: list[Check]) -> dict[str, str]:
    """What explains each alarm that another one explains; of two that explain each other the earlier one stands."""
    causes: dict[str, str] = {}
    present = {check.name for check in alarms}
    for check in alarms:
        for name in check.explains:
            if name in present and name not in (check.name, *_before(check.name, causes)):
                causes.setdefault(name, check.name)
    return causes


def _before(name: str, causes: dict[str, str]) -> list[str]:
    """The chain of causes behind a check, nearest first."""
    chain: list[str] = []
    while name in causes:
        name = causes[name]
        chain.append(name)
    return chain


def _because(finding: Finding, cause: str) -> Finding:
    return msgspec.structs.replace(
        finding, severity="note", advice=f"it follows from {cause}: mend that first", change=""
    )
