"""Grid: every combination, one after the other."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar, final

from tuneloop.tuning.searches import Known, Proposal, Search


@final
class Grid(Search):
    """Every cell of the space in order, the last path's values changing fastest; of a span, its ``points``."""

    exhaustive: ClassVar[bool] = True

    def propose(self, known: Known) -> Proposal | None:
        """The next cell."""
        number = len(known.trials)
        cell = next(islice(known.space.cells(), number, number + 1), None)
        return None if cell is None or number >= known.most else Proposal(number, cell)

    def rungs(self) -> tuple[float, ...]:
        """Every trial is trained to its end."""
        return (1.0,)
