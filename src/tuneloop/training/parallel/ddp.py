"""Data parallel: every process holds the whole model."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, final

from tuneloop.training.parallel import Parallel

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner


@final
class Ddp(Parallel):
    """Every process holds the whole model; their gradients are added up once a step, whatever is accumulated."""

    def spread(self, learner: Learner) -> AbstractContextManager[Learner]:
        """Leave the model as it is."""
        return nullcontext(learner)
