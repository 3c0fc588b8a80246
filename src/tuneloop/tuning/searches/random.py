"""Random: every trial is drawn for itself."""

from __future__ import annotations

from typing import final

from tuneloop.tuning.searches import Known, Proposal, Search


@final
class RandomDraws(Search):
    """Values drawn evenly from each dimension, none twice; it beats a grid where only few dimensions matter.

    Source:
        Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012.
    """

    def propose(self, known: Known) -> Proposal | None:
        """The next draw; it depends on the seed and the trial's number alone."""
        values = known.fresh(known.space.draw)
        return None if values is None else Proposal(len(known.trials), values)

    def rungs(self) -> tuple[float, ...]:
        """Every trial is trained to its end."""
        return (1.0,)
