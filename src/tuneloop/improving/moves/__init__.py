"""Moves: what the closed loop may try next. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tuneloop.improving.story import Proposal, Story
from tuneloop.parts import Part

__all__ = ["Move", "Proposal", "Story"]


class Move(Part, ABC):
    """Looks at what was tried, and says what to try next."""

    @abstractmethod
    def propose(self, story: Story) -> list[Proposal]:
        """Say what may help the best attempt so far, the most promising first; nothing where this move has no cause.

        Args:
            story: What was tried; what was tried already may be proposed again, and is passed over.
        """
