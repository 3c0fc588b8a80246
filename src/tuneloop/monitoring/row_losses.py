"""Losses of single rows as a run went on: which row, at which step, how many nats per learned token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FIELDS = [("step", "<i4"), ("row", "<i4"), ("loss", "<f4"), ("terms", "<i4")]
"""One entry of the file, 16 bytes: optimizer step, row of the encoded split, mean loss in nats, learned terms."""


class RowLosses:
    """What single rows of one split lost, in the order of writing.

    Args:
        entries: ``(entries,)`` with the fields of :data:`FIELDS`.
        origin: Tells where a row came from.

    Attributes:
        entries: As given.
    """

    def __init__(self, entries: np.ndarray, origin: Callable[[int], str] = str) -> None:
        self.entries = entries
        self.origin = origin

    @classmethod
    def read(cls, path: Path, origin: Callable[[int], str] = str) -> RowLosses | None:
        """Read the entries that are whole; None where the file is not there or holds none."""
        import numpy as np

        if not path.exists():
            return None
        kind = np.dtype(FIELDS)
        data = path.read_bytes()
        entries = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)
        return cls(entries, origin) if len(entries) else None

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def step(self) -> np.ndarray:
        """Optimizer step of each entry."""
        return self.entries["step"]

    @property
    def row(self) -> np.ndarray:
        """Row of each entry, in the encoded split."""
        return self.entries["row"]

    @property
    def loss(self) -> np.ndarray:
        """Mean loss of each entry, in nats per learned term."""
        return self.entries["loss"]

    @property
    def terms(self) -> np.ndarray:
        """Learned terms of each entry."""
        return self.entries["terms"]
