"""Advice: what the checks of the run ask for."""

from __future__ import annotations

from typing import final

from tuneloop.improving.moves import Move, Proposal, Story


@final
class Advice(Move):
    """Follows the findings of the best run, root causes first."""

    def propose(self, story: Story) -> list[Proposal]:
        """Every change that a warning or an error names."""
        found = [each for each in story.leading.findings if each.severity in ("warning", "error") and each.change]
        return [Proposal((each.change,), f"{each.check}: {each.evidence}") for each in found]
