"""Whether ours learns as plain transformers and PEFT do: many steps on a model that can learn, judged alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.drivers.job import Job
from bench.judge import Judge
from bench.material import Material, choose, ours_first, read_rows, write_rows
from bench.shapes import linear_sizes
from bench.tools import OURS, TOOLS, Bench

TOOLS_COMPARED = (OURS, "dynamic")
HELD_OUT = 64


def learning(given: Any, folder: Path) -> dict[str, Any]:
    """Train the embedded base on its own rows with ours and with the plain Trainer.

    A speed is worth nothing where less is learned, and the random models that the speeds are measured with learn
    little. Both tools take the same rows in the same steps; every round begins with another adapter, and the
    difference between rounds is what chance does.

    Args:
        given: The command line: ``learning_steps``, ``rounds``, ``batch``, ``r``, ``dtype``, ``peers``, ``threads``.
        folder: Folder for everything the tools write.

    Returns:
        The held-out losses of both, by round, and of the base.
    """
    from tuneloop import embedded

    rows = choose(
        embedded.base(),
        read_rows(embedded.messages()),
        count=given.learning_steps * given.batch,
        held_out=HELD_OUT,
        length=256,
        source="messages.jsonl",
    )
    folder.mkdir(parents=True, exist_ok=True)
    judge, bench = Judge(rows.model, rows.held_out), Bench(folder, given.peers, given.threads)
    losses: dict[str, list[float]] = {name: [] for name in TOOLS_COMPARED}
    for seed in range(given.rounds):
        for name in TOOLS_COMPARED:
            outcome = bench.run(TOOLS[name], _job(given, rows, name, seed, folder), str(seed + 1))
            if "failed" in outcome:
                raise RuntimeError(f"{name} failed:\n{outcome['failed']}")
            losses[name].append(judge.kept(folder / f"{name}-{seed + 1}", outcome["adapter"]))
    return {"steps": given.learning_steps, "base": judge.kept(folder / "base", None), **losses}


def _job(given: Any, rows: Material, name: str, seed: int, folder: Path) -> Job:
    file = folder / f"{name}-{seed}.jsonl"
    write_rows(file, ours_first(rows.train, seed) if name == OURS else rows.train)
    return Job(
        tool=name,
        model=str(rows.model),
        rows=str(file),
        out="",
        steps=given.learning_steps,
        batch=given.batch,
        micro=given.batch,
        length=256,
        learning_rate=2e-3,
        r=given.r,
        targets=list(linear_sizes("tiny")),
        dtype=given.dtype,
        lengths=rows.lengths,
        seed=seed,
    )
