"""The protocol between ``bench.train`` and a trainer's own process: a job as JSON in, an outcome as JSON out.

Standard library only, since it is imported in environments where nothing else of this project is installed.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One training that every tool makes in the same way.

    Attributes:
        tool: Which settings of the driver.
        model: Folder of the base model with its tokenizer.
        rows: JSON-lines file of ``{"prompt": text, "answer": text}``, in the order in which they are learned.
        out: Folder for the adapter, the outcome and everything else.
        steps: Optimizer steps.
        batch: Rows per optimizer step.
        micro: Rows that go through the model at once.
        length: Tokens of the longest row.
        learning_rate: Constant over the run.
        r: Rank of the adapter; its scale is 2.
        targets: Names of the adapted layers.
        dtype: ``bf16`` (autocast) or ``fp32``.
        began: When the process was started, seconds since the epoch.
    """

    tool: str
    model: str
    rows: str
    out: str
    steps: int
    batch: int
    micro: int
    length: int
    learning_rate: float
    r: int
    targets: list[str]
    dtype: str
    began: float = 0.0

    @classmethod
    def read(cls, path: str) -> Job:
        """Read a job that :meth:`write` wrote."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write the job for another process."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def pairs(self) -> list[tuple[str, str]]:
        """Prompt and answer of every row."""
        lines = Path(self.rows).read_text(encoding="utf-8").splitlines()
        return [(row["prompt"], row["answer"]) for row in map(json.loads, lines)]


@dataclass
class Watch:
    """Notes when each optimizer step ended and how many rows it took."""

    job: Job
    ends: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def step(self, rows: int) -> None:
        """An optimizer step has ended."""
        self.ends.append(time.time())
        self.rows.append(rows)

    def done(self, adapter: Path, **more: Any) -> None:
        """Write the outcome; the steady rate leaves out the first step, which also warms up.

        Args:
            adapter: Folder of the PEFT adapter that was saved.
            more: Facts worth keeping.

        Raises:
            RuntimeError: It made another number of steps than asked.
        """
        if len(self.ends) < 2:
            raise RuntimeError(f"{len(self.ends)} steps are too few to time")
        unit = 1 if sys.platform == "darwin" else 1024
        outcome = {
            "first_step_s": self.ends[0] - self.job.began,
            "rows": sum(self.rows),
            "rows_per_step": self.rows,
            "seconds": self.ends[-1] - self.ends[0],
            "rows_per_second": sum(self.rows[1:]) / (self.ends[-1] - self.ends[0]),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
            "adapter": str(adapter),
            **more,
        }
        Path(self.job.out, "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def learning(items: int, per_batch: int, batches_per_step: int, steps: int) -> list[list[int]]:
    """Which items each optimizer step sees when they are taken in order.

    Example:
        >>> learning(5, per_batch=2, batches_per_step=1, steps=3)
        [[0, 1], [2, 3], [4]]
    """
    size = per_batch * batches_per_step
    return [list(range(items))[at * size : (at + 1) * size] for at in range(steps)]
