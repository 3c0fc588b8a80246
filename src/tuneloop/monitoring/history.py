"""The history of a run: every figure by its name, as one line after the other came in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tuneloop.rows import Signal, jsonl


class History:
    """Figures by name, each a list of (step, value) in the order of writing.

    Attributes:
        last: The newest figure.
        optimizer: Name of the run's optimizer, for advice that changes its options.

    Example:
        >>> history = History([Signal(1, "train/loss", 2.5, 0.0), Signal(2, "train/loss", 2.25, 1.0)])
        >>> history.values("train/loss")
        [2.5, 2.25]
    """

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        self._series: dict[str, list[tuple[int, float]]] = {}
        self.last: Signal | None = None
        self.optimizer = "adamw"
        for signal in signals:
            self.add(signal)

    @classmethod
    def read(cls, path: Path) -> History:
        """Read a ``signals.jsonl``; a missing file is an empty history."""
        return cls(jsonl.read(path, Signal))

    def add(self, signal: Signal) -> None:
        """Take in one more figure."""
        self._series.setdefault(signal.name, []).append((signal.step, signal.value))
        self.last = signal

    @property
    def names(self) -> list[str]:
        """The names of all figures, sorted."""
        return sorted(self._series)

    def series(self, name: str) -> list[tuple[int, float]]:
        """The (step, value) pairs of one figure; empty if it was never measured."""
        return self._series.get(name, [])

    def values(self, name: str) -> list[float]:
        """The values of one figure, without the steps."""
        return [value for _, value in self.series(name)]

    def latest(self, name: str) -> float | None:
        """The newest value of one figure."""
        series = self.series(name)
        return series[-1][1] if series else None

    def mean(self, name: str, first: int, last: int) -> float | None:
        """Mean of one figure over the steps ``first`` to ``last``, both included; None if none was measured there."""
        values = [value for step, value in self.series(name) if first <= step <= last]
        return sum(values) / len(values) if values else None
