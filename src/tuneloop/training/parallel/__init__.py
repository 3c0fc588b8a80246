"""Strategies: how the processes of one training share the model. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from tuneloop.parts import Part

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner


class Parallel(Part, ABC):
    """Shares a model among the processes of a training."""

    in_step: ClassVar[bool] = False
    """Whether the processes have to go through the model equally often, because they talk on the way."""

    @abstractmethod
    def spread(self, learner: Learner) -> AbstractContextManager[Learner]:
        """Share the model while inside; after it, every process has the whole model again, with what was learned.

        Args:
            learner: What learns, ready for its first step, the same on every process.

        Raises:
            TrainingError: It cannot be shared in this way.
        """
