"""Whether what the finders propose is near the best of a grid of real runs.

python -m bench.finders --json finders.json      # needs the folder of real rows (TUNELOOP_TEST_DATA)
python -m bench.finders --quick
python -m bench.finders --only rate

For the rate: every task is trained at each rate of a grid and at the proposed one; what counts is the lowest held-out
loss at the proposal over the lowest of the grid. For the rank: every task is trained at each rank.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from bench import report

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
RANKS = (1, 2, 8, 32)
LORA = {"lora": {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0}}
ALPACA = {"sources": [{"path": "sft_en/alpaca_data-0-3252-英文.json"}], "split": {"validation": 0.05, "test": 0}}
GRIMM = {"sources": [{"path": "long/grimm/GrimmsFairyTales.txt"}], "split": {"validation": 0.05, "test": 0}}
SUMS = {"sources": [{"path": "sft_zh/整数加减法.json"}], "split": {"validation": 0.05, "test": 0}}
REVIEWS = {
    "sources": [{"path": "classify/waimai_10k/waimai_10k.csv", "columns": {"text": "review"}}],
    "split": {"validation": 0.05, "test": 0},
}
RATE_TASKS: dict[str, tuple[str, dict[str, Any], Any, Any]] = {
    "stories260K, Alpaca, lora": ("stories260K", ALPACA, LORA, "sft"),
    "stories260K, Alpaca, full": ("stories260K", ALPACA, "full", "sft"),
    "stories260K, reviews, lora": ("stories260K", REVIEWS, LORA, "text_classification"),
    "stories260K, Grimm, full": ("stories260K", GRIMM, "full", "pretrain"),
    "stories260K, sums, lora": ("stories260K", SUMS, LORA, "sft"),
    "babyllama361, Alpaca, lora": ("babyllama361", ALPACA, LORA, "sft"),
    "babyllama361, Alpaca, full": ("babyllama361", ALPACA, "full", "sft"),
    "babyllama361, sums, lora": ("babyllama361", SUMS, LORA, "sft"),
}
RANK_TASKS = ("babyllama361, Alpaca, lora", "babyllama361, sums, lora", "stories260K, reviews, lora")


def recipe(name: str, steps: int) -> dict[str, Any]:
    """The recipe of a task."""
    model, rows, adapter, task = RATE_TASKS[name]
    data = Path(os.environ.get("TUNELOOP_TEST_DATA", "../shared/data")).resolve()
    sources = [source | {"path": str(data / source["path"])} for source in rows["sources"]]
    return {
        "name": "finders",
        "seed": 5,
        "data": rows | {"sources": sources},
        "model": {"base": str(data / "models" / model)},
        "task": task,
        "train": {
            "adapter": adapter,
            "batch": {"size": 8},
            "max_length": 128,
            "max_steps": steps,
            "eval_steps": max(1, steps // 4),
            "stop": None,
        },
    }


def loss(asked: dict[str, Any], changes: list[str], store: Any) -> float:
    """The lowest held-out loss of one training."""
    import tuneloop
    from tuneloop.errors import TrainingError

    try:
        run, _ = tuneloop.train(tuneloop.load(asked, changes), store)
    except TrainingError:
        return float("inf")
    return float(run.facts["validation_loss"])


def rate(name: str, steps: int, store: Any) -> dict[str, Any]:
    """What the rate finder proposes, beside a grid."""
    import tuneloop
    from tuneloop.life.finding import find_rate

    asked = recipe(name, steps)
    found = find_rate(tuneloop.load(asked), store)
    path = "train.optimizer.adamw.learning_rate"
    grid = {each: loss(asked, [f"{path}={each}"], store) for each in RATES}
    best = min(grid, key=lambda each: grid[each])
    reached = loss(asked, [found.change], store) if found.change else float("inf")
    over = reached / grid[best] - 1
    print(
        f"{name:28} found {found.rate:8.2g}: {reached:.4f}   grid's best {best:8.2g}: {grid[best]:.4f}   {over:+.2%}",
        flush=True,
    )
    row = {"task": name, "found": found.rate, "loss": reached, "best": best, "best_loss": grid[best], "over": over}
    return row | {
        "divergence": found.divergence,
        "steepest": found.steepest,
        "grid": {str(k): v for k, v in grid.items()},
    }


def rank(name: str, steps: int, store: Any) -> dict[str, Any]:
    """What the rank finder proposes, beside a grid of ranks."""
    import tuneloop
    from tuneloop.life.finding import find_rank

    asked = recipe(name, steps)
    asked["train"]["optimizer"] = {"adamw": {"learning_rate": 3e-3}}
    found = find_rank(tuneloop.load(asked), store)
    path = "train.adapter.lora"
    grid = {each: loss(asked, [f"{path}.r={each}", f"{path}.lora_alpha={2 * each}"], store) for each in RANKS}
    told = "  ".join(f"{each}: {value:.4f}" for each, value in grid.items())
    print(
        f"{name:28} found rank {found.r}{'' if found.separates else ' (does not separate)'}   grid {told}", flush=True
    )
    return {"task": name, "found": found.r, "separates": found.separates, "why": found.why, "grid": grid}


def main() -> int:
    """Try the tasks, print the table, and write the JSON."""
    parser = report.options(__doc__ or "")
    parser.add_argument("--only", choices=["rate", "rank"])
    parser.add_argument("--tasks", nargs="*", help="beginnings of the names of tasks; by default all")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps of every run of the grid")
    given = parser.parse_args()
    import tuneloop

    where = report.machine()
    chosen = [name for name in RATE_TASKS if not given.tasks or name.startswith(tuple(given.tasks))]
    chosen = chosen[:3] if given.quick else chosen
    rates: list[dict[str, Any]] = []
    ranks: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = tuneloop.Store(folder)
        if given.only != "rank":
            rates = [rate(name, given.steps, store) for name in chosen]
        if given.only != "rate":
            ranks = [rank(name, 2 * given.steps, store) for name in chosen if name in RANK_TASKS]
    over = sorted(row["over"] for row in rates)
    if over:
        print(f"over the grid's best: median {over[len(over) // 2]:+.2%}, worst {over[-1]:+.2%} of {len(over)} tasks")
    report.write(given.json, "finders", {"rates": rates, "ranks": ranks}, where)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
