"""Sft: a model learns the answers of conversations."""

from __future__ import annotations

from typing import final

from tuneloop.tasks._causal import Smoothed
from tuneloop.tasks._conversations import Conversations


@final
class Sft(Conversations, Smoothed):
    """Learns what the assistant says, the token that ends its turn included.

    ``on_overlength`` with ``truncate`` leaves out the oldest turns, then the beginning of the prompt; with ``split``
    it makes several examples of whole turns. An answer is never cut.
    """
