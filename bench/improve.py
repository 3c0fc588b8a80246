"""Whether the closed loop finds good settings from a bad recipe: against the best of a grid set by hand.

python -m bench.improve --json improve.json      # needs the folder of real rows (TUNELOOP_TEST_DATA)
python -m bench.improve --quick

300 real rows, a fixed validation split. The grid: five rates times three lengths times two dropouts. The bad recipes:
a rate thirty times the grid's best, and one that learns its rows by heart. What counts is the held-out loss of the
model that the loop keeps, after at most six trainings, over the best of the whole grid.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from bench import report

RATE = "train.optimizer.adamw.learning_rate"
EPOCHS = "train.num_train_epochs"
DROPOUT = "train.adapter.lora.lora_dropout"
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
LENGTHS = (3, 6, 12)
DROPOUTS = (0.0, 0.1)
ROWS = 300
TASKS = {
    "stories260K, Alpaca (en)": ("stories260K", "sft_en/alpaca_data-0-3252-英文.json"),
    "babyllama361, medical (zh)": ("babyllama361", "sft_zh/medical_sft_1K_format.jsonl"),
}


def recipe(model: str, rows: str, seed: int) -> dict[str, Any]:
    """The recipe of a task, with settings in the middle of the grid."""
    data = Path(os.environ.get("TUNELOOP_TEST_DATA", "../shared/data")).resolve()
    return {
        "name": "improve",
        "seed": seed,
        "data": {
            "sources": [{"path": str(data / rows), "sample": {"rows": ROWS}}],
            "split": {"validation": 0.25, "test": 0},
        },
        "model": {"base": str(data / "models" / model)},
        "train": {"batch": {"size": 8}, "max_length": 256, "eval_steps": 10, "schedule": "cosine"},
    }


def trained(task: tuple[str, str], seed: int, changes: tuple[str, ...], store: str) -> float:
    """The lowest held-out loss of one training."""
    import tuneloop
    from tuneloop.errors import TrainingError

    try:
        run, _ = tuneloop.train(tuneloop.load(recipe(*task, seed), changes), tuneloop.Store(store))
    except TrainingError:
        return float("inf")
    return float(run.facts["validation_loss"])


def improved(task: tuple[str, str], seed: int, changes: tuple[str, ...], store: str) -> dict[str, Any]:
    """What the loop makes of a bad recipe."""
    import tuneloop

    done = tuneloop.improve(tuneloop.load(recipe(*task, seed), changes), tuneloop.Store(store))
    attempts = done.ending.story.attempts
    return {
        "loss": done.ending.story.leading.loss,
        "first": attempts[0].loss,
        "attempts": [
            {"changed": list(each.changed), "move": each.move, "loss": each.loss, "seconds": each.seconds}
            for each in attempts
        ],
        "ended": done.ending.told,
        "reason": done.ending.reason,
    }


def main() -> int:
    """Run the grid and the loop, print the table, and write the JSON."""
    parser = report.options(__doc__ or "")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    seeds = (1,) if given.quick else (1, 2, 3)
    rows: list[dict[str, Any]] = []
    where = report.machine()
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool,
    ):
        for (name, task), seed in itertools.product(TASKS.items(), seeds):
            grid = list(itertools.product(RATES, LENGTHS, DROPOUTS))
            sets = [(f"{RATE}={rate}", f"{EPOCHS}={length}", f"{DROPOUT}={drop}") for rate, length, drop in grid]
            homes = [f"{folder}/{name[:4]}-{seed}-{index}" for index in range(len(sets))]
            asked = [pool.submit(trained, task, seed, each, home) for each, home in zip(sets, homes, strict=True)]
            losses = [one.result() for one in asked]
            best = min(losses)
            rate = grid[losses.index(best)][0]
            bad = {
                "rate x30": (f"{RATE}={30 * rate:g}", f"{EPOCHS}=6"),
                "by heart": (f"{RATE}={3 * rate:g}", f"{EPOCHS}=40", f"{DROPOUT}=0", "train.stop=null"),
            }
            loops = [
                pool.submit(improved, task, seed, changes, f"{folder}/{name[:4]}-{seed}-{key}")
                for key, changes in bad.items()
            ]
            found = [one.result() for one in loops]
            for key, one in zip(bad, found, strict=True):
                over = one["loss"] / best - 1
                rows.append({"task": name, "seed": seed, "bad": key, "grid_best": best, "over": over, **one})
                print(
                    f"{name:28} seed {seed}  {key:9} first {one['first']:.4f}  improved {one['loss']:.4f}  grid "
                    f"{best:.4f} ({over:+.2%})  {len(one['attempts'])} trainings, ended by {one['reason']}",
                    flush=True,
                )
    within = sum(row["over"] <= 0.02 for row in rows)
    print(f"within 2 % of the best of {len(RATES) * len(LENGTHS) * len(DROPOUTS)} settings: {within} of {len(rows)}")
    report.write(given.json, "improve", {"within_2_percent": within, "cases": len(rows), "rows": rows}, where)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
