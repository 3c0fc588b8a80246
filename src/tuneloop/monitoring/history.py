"""The history of a run: every figure by its name, as one line after the other came in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tuneloop.monitoring.row_losses import RowLosses, path_of
from tuneloop.rows import Signal, jsonl


class History:
    """Everything that checks and pictures know of a run: figures by name, the recipe, and losses of single rows.

    Attributes:
        last: The newest figure.
        recipe: The resolved recipe (or what is known of it in another tool's log, under the recipe's own paths).
        train_rows: Losses of single training rows; None where they were not kept.
        validation_rows: Losses of single held-out rows, at every evaluation; None where they were not kept.

    Example:
        >>> history = History([Signal(1, "train/loss", 2.5, 0.0), Signal(2, "train/loss", 2.25, 1.0)])
        >>> history.values("train/loss")
        [2.5, 2.25]
    """

    def __init__(self, signals: Iterable[Signal] = (), recipe: Mapping[str, Any] | None = None) -> None:
        self._series: dict[str, list[tuple[int, float]]] = {}
        self.last: Signal | None = None
        self.recipe: Mapping[str, Any] = recipe or {}
        self.train_rows: RowLosses | None = None
        self.validation_rows: RowLosses | None = None
        for signal in signals:
            self.add(signal)

    @classmethod
    def read(cls, path: Path) -> History:
        """Read a ``signals.jsonl``; a missing file is an empty history."""
        return cls(jsonl.read(path, Signal))

    @classmethod
    def of_run(cls, folder: Path, origins: Mapping[str, Callable[[int], str]] | None = None) -> History:
        """Read all that a run left in its folder: figures, recipe and losses of single rows.

        Args:
            folder: A sealed run, or the work folder of one that goes on or has failed.
            origins: By split, what tells where a row of the encoded split came from; without it a row is its number.
        """
        import yaml

        history = cls.read(folder / "signals.jsonl")
        if (folder / "recipe.yaml").exists():
            history.recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8")) or {}
        told = origins or {}
        history.train_rows, history.validation_rows = (
            RowLosses.read(path_of(folder, split), told.get(split, str)) for split in ("train", "validation")
        )
        return history

    def add(self, signal: Signal) -> None:
        """Take in one more figure."""
        self._series.setdefault(signal.name, []).append((signal.step, signal.value))
        self.last = signal

    @property
    def names(self) -> list[str]:
        """The names of all figures, sorted."""
        return sorted(self._series)

    def under(self, prefix: str) -> dict[str, list[tuple[int, float]]]:
        """All figures whose names begin with a prefix, by the rest of their names.

        Example:
            >>> History([Signal(1, "train/grad_norm/layers.0", 0.5, 0.0)]).under("train/grad_norm/")
            {'layers.0': [(1, 0.5)]}
        """
        return {name.removeprefix(prefix): self._series[name] for name in self.names if name.startswith(prefix)}

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

    def fact(self, name: str) -> float | None:
        """A figure that does not change over the run, such as ``data/train/rows``; None where it is not known."""
        return self.latest(name)

    def mean(self, name: str, first: int, last: int) -> float | None:
        """Mean of one figure over the steps ``first`` to ``last``, both included; None if none was measured there."""
        values = [value for step, value in self.series(name) if first <= step <= last]
        return sum(values) / len(values) if values else None

    def option(self, path: str) -> Any:
        """What the recipe says at a path such as ``train.batch.size``; None where it is not known.

        Example:
            >>> History(recipe={"train": {"batch": {"size": 8}}}).option("train.batch.size")
            8
        """
        value: Any = self.recipe
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        return value

    def part(self, path: str, default: str) -> str:
        """Name of the part that the recipe has at a path, such as ``adamw`` at ``train.optimizer``.

        Example:
            >>> History(recipe={"train": {"optimizer": {"sgd": {"momentum": 0.9}}}}).part("train.optimizer", "adamw")
            'sgd'
        """
        value = self.option(path)
        if isinstance(value, Mapping) and len(value) == 1:
            return str(next(iter(value)))
        return value if isinstance(value, str) else default

    @property
    def optimizer(self) -> str:
        """Name of the run's optimizer, for advice that changes its options."""
        return self.part("train.optimizer", "adamw")
