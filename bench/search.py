"""Search: how much training the textbook grid, TPE and ASHA need to come to the same score.

    python -m bench.search --json search.json            # five seeds
    python -m bench.search --quick --json search.json    # one seed

The grid is learning rate x batch x momentum, 27 trainings of every weight of a real small model (stories260K) on real
instruction rows. All 27 are trained once for each seed of data and training, with the held-out loss measured every
few steps, and kept on disk, so that an interrupted benchmark goes on. Every search then runs on these curves by its
own rules: a trial that paused goes on bit for bit (``tests/training/test_pause.py``), so the curve up to a rung is what
it would have seen. What is counted is passes over the rows, as a share of those of the whole grid.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench import report
from tuneloop.parts import find
from tuneloop.tuning.searches import Known, Search
from tuneloop.tuning.space import Space, Values
from tuneloop.tuning.trials import Trial

SPACE = Space(
    {
        "train.optimizer.sgd.learning_rate": [0.03, 0.1, 0.3],
        "train.batch.size": [8, 16, 32],
        "train.optimizer.sgd.momentum": [0.0, 0.5, 0.9],
    }
)
_HALVED: dict[str, Any] = {"reduction_factor": 3, "halvings": 2, "asynchronous": False}
SEARCHES: dict[str, tuple[str, dict[str, Any], int]] = {
    "grid": ("grid", {}, 27),
    "random, 6 trials": ("random", {}, 6),
    "tpe, 6 trials": ("tpe", {"n_startup_trials": 3}, 6),
    "asha, 24 random cells": ("asha", {**_HALVED, "sampler": "grid"}, 24),
    "asha, 18 cells by tpe": ("asha", {**_HALVED, "sampler": "tpe"}, 18),
    "asha, 24 cells by tpe": ("asha", {**_HALVED, "sampler": "tpe"}, 24),
    "asha, 18 cells, asynchronous": ("asha", {**_HALVED, "sampler": "grid", "asynchronous": True}, 18),
}
"""Each search by its name: the part, its options, and its trials."""
NEAR = 0.005
"""A held-out loss this share above the grid's best is told apart from it by no one: it is counted as the same."""
BUDGET = 0.25
"""Share of the grid's compute that a search may take."""


def main(arguments: list[str] | None = None) -> int:
    """Train the curves, run the searches on them, print the table."""
    parser = report.options(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=None, help="1 with --quick, else 5")
    parser.add_argument("--draws", type=int, default=10, help="searches with seeds of their own for each seed")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TUNELOOP_TEST_DATA", "../shared/data")))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tuneloop-bench-search")
    given = parser.parse_args(arguments)
    seeds = range(given.seeds or (1 if given.quick else 5))
    given.folder.mkdir(parents=True, exist_ok=True)
    cells = list(SPACE.cells())
    work = [(given.data.absolute(), given.folder, seed, number) for seed in seeds for number in range(len(cells))]
    if given.processes > 1:
        with ProcessPoolExecutor(given.processes) as pool:
            curves = list(pool.map(_curve, *zip(*work, strict=True)))
    else:
        curves = [_curve(*each) for each in work]
    by_seed = {seed: curves[index * len(cells) : (index + 1) * len(cells)] for index, seed in enumerate(seeds)}
    rows = [_row(name, by_seed, given.draws) for name in SEARCHES]
    report.show(f"{len(cells)} cells, {len(seeds)} seeds, {given.draws} searches each", rows)
    found = {"searches": rows, "seeds": len(seeds), "draws": given.draws, "near": NEAR, "curves": by_seed}
    report.write(given.json, "search", found, report.machine())
    return 0


def _curve(data: Path, folder: Path, seed: int, number: int) -> list[tuple[float, float, float]]:
    """One cell's training: share of its steps, lowest held-out loss so far, passes over the rows; many times."""
    kept = folder / f"curve-{seed}-{number:02d}.json"
    if not kept.exists():
        values = list(SPACE.cells())[number]
        report.said(f"seed {seed}, cell {number}: {values}")
        kept.write_text(json.dumps(_trained(data, folder, seed, values)), encoding="utf-8")
    return [tuple(point) for point in json.loads(kept.read_text(encoding="utf-8"))]


def _trained(data: Path, folder: Path, seed: int, values: Values) -> list[tuple[float, float, float]]:
    import tuneloop
    from tuneloop.errors import TrainingError
    from tuneloop.life.making import trained
    from tuneloop.monitoring.history import History

    recipe = tuneloop.load(
        {
            "name": "grid",
            "seed": seed,
            "data": {"sources": [str(_rows(data, folder))], "split": {"validation": 0.25, "test": 0}},
            "model": {"base": str(data / "models" / "stories260K")},
            "train": {
                "adapter": "full",
                "optimizer": {"sgd": {}},
                "num_train_epochs": 3,
                "eval_steps": 2,
                "max_length": 96,
                "precision": "fp32",
                "stop": None,
            },
            "monitor": {"checks": [], "details": False, "samples": 0, "general_texts": None},
        },
        [f"{path}={value}" for path, value in values.items()],
    )
    with tempfile.TemporaryDirectory() as store:
        place = tuneloop.Store(store)
        dataset = tuneloop.prepare(recipe, place)
        try:
            run, _ = trained(recipe, place, dataset=dataset)
        except TrainingError:  # it diverged
            return [(1.0, math.inf, 3.0)]
        history = History(run.signals())
        steps, epochs = run.facts["steps"], dict(history.series("train/epoch"))
        points, best = [], math.inf
        for step, loss in history.series("validation/loss"):
            best = min(best, loss)
            points.append((step / steps, best, epochs.get(step, 0.0)))
        return points


def _rows(data: Path, folder: Path) -> Path:
    """Short real instruction rows, the same on every machine."""
    path = folder / "rows.jsonl"
    if not path.exists():
        source = sorted((data / "sft_en").glob("alpaca*.json"))[0]
        rows = [
            row
            for row in json.loads(source.read_text(encoding="utf-8"))
            if 10 < len(row["output"]) < 50 and len(row["instruction"]) + len(row["input"]) < 70
        ]
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text("".join(json.dumps(row) + "\n" for row in rows[:120]), encoding="utf-8")
        fresh.replace(path)
    return path


def _row(name: str, curves: dict[int, list[Any]], draws: int) -> dict[str, Any]:
    """How one search did over all seeds."""
    part, options, most = SEARCHES[name]
    search = find(Search, part)(**options)
    shares, above, same = [], [], []
    for seed, cells in curves.items():
        whole = sum(cell[-1][2] for cell in cells)
        best = min(cell[-1][1] for cell in cells)
        for draw in range(1 if name == "grid" else draws):
            trials = _searched(search, most, cells, 1000 * seed + draw)
            found = min(trial.score for trial in trials if trial.ended and trial.score is not None)
            shares.append(sum(trial.epochs for trial in trials) / whole)
            above.append(found / best - 1)
            same.append(found <= best * (1 + NEAR))
    return {
        "search": name,
        "compute": f"{report.median(shares):.1%}",
        "most": f"{max(shares):.1%}",
        "at the grid's best": f"{sum(same)}/{len(same)}",
        "above it, median": f"{report.median(above):.2%}",
        "above it, worst": f"{max(above):.2%}",
        "within a quarter": bool(max(shares) <= BUDGET),
    }


def _searched(search: Search, most: int, curves: list[Any], seed: int) -> list[Trial]:
    """Run a search on the curves, one trial after the other; over the grid in an order of its own."""
    from random import Random

    order = list(range(len(curves)))
    Random(seed).shuffle(order)
    cells = list(SPACE.cells())
    trials: list[Trial] = []
    while (proposal := search.propose(Known(SPACE, trials, most, 1, seed))) is not None:
        if proposal.trial == len(trials):
            trials.append(Trial(proposal.trial, proposal.values))
        trial = trials[proposal.trial]
        trial.share = proposal.share
        number = cells.index(trial.values)
        if getattr(search, "sampler", "") == "grid":
            number = order[number]  # each draw meets the cells in another order
        loss, trial.epochs = _at(curves[number], proposal.share)
        trial.scores.append((proposal.share, loss))
        trial.ended = proposal.share == 1
    return trials


def _at(curve: list[tuple[float, float, float]], share: float) -> tuple[float, float]:
    """Loss and passes over the rows at a share of a training; between two evaluations, what lies on the line."""
    for (early, above, fewer), (late, below, more) in pairwise(curve):
        if late >= share - 1e-9:
            part = min(1.0, (share - early) / (late - early))
            return above + part * (below - above), fewer + part * (more - fewer)
    return curve[-1][1], curve[-1][2]


if __name__ == "__main__":
    raise SystemExit(main())
