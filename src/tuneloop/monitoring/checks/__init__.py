"""Checks: pure functions from a run's history to a finding. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from tuneloop.monitoring.history import History
from tuneloop.parts import Part
from tuneloop.rows import Finding


class Check(Part, ABC):
    """Looks for one thing in a run's history."""

    @abstractmethod
    def look(self, history: History) -> Finding | None:
        """Say what is seen, or nothing.

        Args:
            history: Every figure measured so far.
        """


def findings(checks: Iterable[Check], history: History) -> list[Finding]:
    """What several checks see in a run's history, in their order."""
    return [finding for check in checks if (finding := check.look(history)) is not None]
