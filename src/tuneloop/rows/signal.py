"""A signal: one figure at one step; everything live reads lines of these."""

from __future__ import annotations

import msgspec


class Signal(msgspec.Struct, frozen=True):
    """One line of ``signals.jsonl``.

    Attributes:
        step: Optimizer step, counted from 1 (0: before training).
        name: What was measured, such as ``train/loss`` (nats per supervised token).
        value: The figure.
        time: Seconds since the epoch.
    """

    step: int
    name: str
    value: float
    time: float
