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
        lengths: Real tokens of each row, in the same order.
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
    lengths: list[int] = field(default_factory=list)
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
    """Notes when each optimizer step ended, and how many rows and real tokens it took."""

    job: Job
    ends: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def step(self, lengths: list[int] | None = None) -> None:
        """An optimizer step has ended.

        Args:
            lengths: Tokens of each of its rows; by default the next ``batch`` rows of the job.
        """
        at = len(self.ends) * self.job.batch
        taken = self.job.lengths[at : at + self.job.batch] if lengths is None else lengths
        self.ends.append(time.time())
        self.rows.append(len(taken))
        self.tokens.append(sum(taken))

    def done(self, adapter: Path, **more: Any) -> None:
        """Write the outcome; the steady rate leaves out the first step, which also warms up.

        Rows differ in length, and a tool that packs takes others in its first step: what counts as rows per second
        is real tokens per second by the mean length of all rows.

        Args:
            adapter: Folder of the PEFT adapter that was saved.
            more: Facts worth keeping.

        Raises:
            RuntimeError: It made another number of steps than asked.
        """
        if len(self.ends) < 2:
            raise RuntimeError(f"{len(self.ends)} steps are too few to time")
        mean = sum(self.job.lengths) / len(self.job.lengths)
        unit = 1 if sys.platform == "darwin" else 1024
        outcome = {
            "first_step_s": self.ends[0] - self.job.began,
            "rows": sum(self.rows),
            "rows_per_step": self.rows,
            "seconds": self.ends[-1] - self.ends[0],
            "tokens_per_step": self.tokens,
            "rows_per_second": sum(self.tokens[1:]) / mean / (self.ends[-1] - self.ends[0]),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
            "adapter": str(adapter),
            **more,
        }
        Path(self.job.out, "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
