"""The protocol between ``bench.train`` and a trainer's own process: a job as JSON in, an outcome as JSON out.

Standard library only, since it is imported in environments where nothing else of this project is installed.
"""

from __future__ import annotations

import json
import re
import resource
import statistics
import sys
import time
from collections.abc import Iterable
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
        pack: Tokens of a pack, for the tools that pack.
        learning_rate: Constant over the run.
        r: Rank of the adapter; its scale is 2.
        targets: Names of the adapted layers.
        dtype: ``bf16`` (autocast) or ``fp32``.
        lengths: Real tokens of each row, in the same order.
        seed: Decides how the adapters begin.
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
    pack: int = 0
    lengths: list[int] = field(default_factory=list)
    seed: int = 0
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

    def check(self, lengths: Iterable[int]) -> None:
        """Make sure that a tool learns the same tokens as the others.

        Args:
            lengths: Tokens of each row as the tool has encoded them, in any order.

        Raises:
            RuntimeError: They are not those of the job.
        """
        found = sorted(lengths)
        if found != sorted(self.lengths):
            raise RuntimeError(
                f"{self.tool} has {len(found)} rows of {sum(found)} tokens,"
                f" the others {len(self.lengths)} of {sum(self.lengths)}: not the same ids"
            )


@dataclass
class Watch:
    """Notes when each optimizer step ended, and how many rows and real tokens it took."""

    job: Job
    ends: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def step(self, lengths: list[int] | None = None) -> None:
        """An optimizer step has ended.

        Args:
            lengths: Tokens of each of its rows; by default the next ``batch`` rows of the job.
        """
        at = len(self.ends) * self.job.batch
        taken = self.job.lengths[at : at + self.job.batch] if lengths is None else lengths
        if (gpu := _gpu()) is not None:
            gpu.synchronize()
        self.ends.append(time.time())
        self.work.append(time.process_time())
        self.rows.append(len(taken))
        self.tokens.append(sum(taken))

    def rates(self) -> list[float]:
        """Real tokens per second of every step but the first, which also warms up."""
        spans = zip(self.ends, self.ends[1:], self.tokens[1:], strict=False)
        return [tokens / (end - began) for began, end, tokens in spans]

    def done(self, adapter: Path, **more: Any) -> None:
        """Write the outcome.

        The steady rate is the median over the steps after the first. Rows differ in length, and a tool that packs
        takes others in its first step: what counts as rows per second is real tokens per second by the mean length
        of all rows.

        Args:
            adapter: Folder of the PEFT adapter that was saved.
            more: Facts worth keeping.

        Raises:
            RuntimeError: It made another number of steps than asked.
        """
        if len(self.ends) < 2:
            raise RuntimeError(f"{len(self.ends)} steps are too few to time")
        mean = sum(self.job.lengths) / len(self.job.lengths)
        gpu = _gpu()
        outcome = {
            "first_step_s": self.ends[0] - self.job.began,
            "rows": sum(self.rows),
            "rows_per_step": self.rows,
            "tokens_per_step": self.tokens,
            "seconds": self.ends[-1] - self.ends[0],
            "rows_per_second": statistics.median(self.rates()) / mean,
            "rows_per_second_mean": sum(self.tokens[1:]) / mean / (self.ends[-1] - self.ends[0]),
            "rows_per_cpu_second": sum(self.tokens[1:]) / mean / (self.work[-1] - self.work[0]),
            "peak_mb": peak_mb(),
            "peak_gpu_mb": None if gpu is None else gpu.max_memory_allocated() / 1e6,
            "micro": self.job.micro,
            "pack": self.job.pack,
            "seed": self.job.seed,
            "adapter": str(adapter),
            **more,
        }
        Path(self.job.out, "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def peak_mb() -> float:
    """The most memory that this process held at once, MB.

    Linux says it per program (``VmHWM``); what ``getrusage`` says there begins with the memory of the process
    that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _gpu() -> Any:
    """``torch.cuda`` where this process trains on a GPU; None elsewhere."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None
