"""Benchmarks: public sets of questions with their own way of scoring. A new harness is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tuneloop.parts import Part

if TYPE_CHECKING:
    from tuneloop.models import Loaded


class Benchmarked(msgspec.Struct, frozen=True):
    """One figure of one benchmark.

    Attributes:
        task: The benchmark's name.
        metric: The figure's name.
        value: The figure.
        error: Its standard error; None where it has none.
        n: Questions that were asked.
        higher_is_better: Whether more is better; None where the benchmark does not say.
    """

    task: str
    metric: str
    value: float
    error: float | None
    n: int
    higher_is_better: bool | None = None


class Benchmark(Part, ABC):
    """Asks a model the questions of a benchmark and scores what it says."""

    @abstractmethod
    def run(self, loaded: Loaded, folder: Path, seed: int) -> list[Benchmarked]:
        """Measure a model.

        Args:
            loaded: The model.
            folder: The folder that relative paths start from.
            seed: Seed of everything random.

        Returns:
            The figures, in the benchmark's own order.

        Raises:
            DataError: The benchmark's files cannot be used.
            MissingPackage: The harness is not installed.
        """

    def files(self, folder: Path) -> list[Path]:  # noqa: ARG002
        """The files that decide the figures: where one of them changes, the benchmark is measured anew."""
        return []
