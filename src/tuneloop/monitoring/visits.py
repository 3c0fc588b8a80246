"""Visits: what single rows lost each time that they were met, and how sure a mean over them is.

A run meets its training rows once an epoch and all held-out rows at every evaluation. What a row lost at its first
visit was measured before the model learned it, so the first epoch of a run is a held-out measurement of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneloop.monitoring.trend import Estimate, curve, level, weighted

if TYPE_CHECKING:
    import numpy as np

    from tuneloop.monitoring.history import History
    from tuneloop.monitoring.row_losses import RowLosses


@dataclass(frozen=True)
class Visits:
    """Losses of rows, visit by visit.

    Attributes:
        rows: Numbers of the rows, ``(rows,)``, rising.
        loss: Nats per learned term, ``(visits, rows)``; NaN where a row was not met so often.
        step: Optimizer step of each visit, ``(visits, rows)``; -1 where there was none.
        terms: Learned terms of each row, ``(rows,)``.
    """

    rows: np.ndarray
    loss: np.ndarray
    step: np.ndarray
    terms: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How often each row was met, ``(rows,)``."""
        import numpy as np

        return np.asarray((self.step >= 0).sum(axis=0))

    @property
    def last(self) -> np.ndarray:
        """What each row lost when it was met last, ``(rows,)``."""
        import numpy as np

        return np.asarray(self.loss[self.counts - 1, np.arange(len(self.rows))])


def visits(losses: RowLosses) -> Visits:
    """Order the losses of single rows by row and visit; those that are not finite are left out.

    Args:
        losses: In the order in which they were written.

    Example:
        >>> import numpy as np
        >>> from tuneloop.monitoring.row_losses import FIELDS, RowLosses
        >>> entries = [(1, 7, 2.0, 3), (1, 4, 1.0, 5), (2, 7, 1.5, 3)]
        >>> seen = visits(RowLosses(np.array(entries, FIELDS)))
        >>> seen.rows.tolist(), seen.loss.tolist()
        ([4, 7], [[1.0, 2.0], [nan, 1.5]])
    """
    import numpy as np

    entries = losses.entries[np.isfinite(losses.loss)]
    entries = entries[entries["row"].argsort(kind="stable")]
    rows, first, place, counts = np.unique(entries["row"], return_index=True, return_inverse=True, return_counts=True)
    number = np.arange(len(entries)) - first[place]
    shape = (int(counts.max(initial=0)), len(rows))
    loss, step = np.full(shape, np.nan), np.full(shape, -1)
    loss[number, place], step[number, place] = entries["loss"], entries["step"]
    return Visits(rows, loss, step, entries["terms"][first].astype(float))


def mean(loss: np.ndarray, terms: np.ndarray) -> Estimate:
    """Mean over the learned terms of some rows, with the error that rows of the same kind would show.

    Args:
        loss: Nats per learned term, ``(rows,)``; NaN is left out.
        terms: Learned terms, ``(rows,)``.

    Example:
        >>> import numpy as np
        >>> mean(np.array([1.0, 3.0]), np.array([5.0, 5.0]))
        Estimate(value=2.0, error=1.0)
    """
    import numpy as np

    kept = np.isfinite(loss)
    if kept.sum() < 2:
        return Estimate(math.nan, math.inf)
    return weighted(loss[kept], terms[kept])


@dataclass(frozen=True)
class Memory:
    """How a model does on rows that it has learned from, and on rows that it has not.

    Attributes:
        seen: Loss of training rows that were met before, each at its last visit.
        unseen: Loss of the held-out rows at the last evaluation.
        epochs: How often the training rows were met.
        examples: How many there are; None where it is not known.
    """

    seen: Estimate
    unseen: Estimate
    epochs: float
    examples: float | None

    def share(self, errors: float) -> float:
        """The loss of seen rows as a share of that of unseen rows, the difference made smaller by its errors."""
        gap = self.unseen - self.seen
        return 1 - max(0.0, gap.value - errors * gap.error) / self.unseen.value if self.unseen.value > 0 else 1.0


def memory(history: History) -> Memory | None:
    """Compare rows that were learned from with rows that were held out, at the end of the run.

    Single rows tell it best; a log without them gives the mean training loss of the last epoch.

    Args:
        history: The run.

    Returns:
        The comparison; None where training rows were not met twice, or nothing was held out.
    """
    held_out = curve(history, "validation/loss")
    epochs_at = curve(history, "train/epoch")
    epoch = epochs_at[-1][1] if epochs_at else None
    if len(held_out) < 2:
        return None
    trained, measured = history.train_rows, history.validation_rows
    if trained is not None and measured is not None:
        seen, unseen = visits(trained), visits(measured)
        again = seen.counts > 1
        if again.sum() < 2 or len(unseen.rows) < 2:
            return None
        epochs = epoch if epoch is not None else float(seen.counts.mean())
        examples = history.fact("data/train/examples") or float(len(seen.rows))
        return Memory(mean(seen.last[again], seen.terms[again]), mean(unseen.last, unseen.terms), epochs, examples)
    if epoch is None or epoch < 2:
        return None
    after = dict(epochs_at)
    late = [value for step, value in curve(history, "train/loss") if after.get(step, 0.0) > epoch - 1]
    if len(late) < 2:
        return None
    size, last = history.option("train.batch.size"), epochs_at[-1][0]
    known = history.fact("data/train/examples")
    if known is None and size:
        known = last * float(size) / epoch
    return Memory(level(late), Estimate(held_out[-1][1], 0.0), epoch, known)


def ends_at(history: History, step: int) -> str:
    """The recipe change with which a run ends at a step, by the option that set its length; empty before the first."""
    if step < 1:
        return ""
    if history.option("train.max_steps"):
        return f"train.max_steps={step}"
    epoch = next((value for at, value in curve(history, "train/epoch") if at >= step), None)
    return f"train.num_train_epochs={max(epoch, 0.1):.1f}" if epoch is not None else f"train.max_steps={step}"
